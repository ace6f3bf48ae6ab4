package config

// Scanner is a ClamAV daemon that files are shown to before they pass, on routes
// that ask for it. It fails closed: without an answer that says clean there is a
// refusal with 503 scanner_unavailable.
//
// The daemon calls clean what it has not looked at, for being encrypted or beyond
// its own limits. Set in clamd.conf: AlertExceedsMax yes, AlertEncrypted yes, and
// StreamMaxLength of max at least.
type Scanner struct {
	// Clamd is its address: host:port, or unix: and the absolute path of its
	// socket (unix:/run/clamav/clamd.ctl). What is sent there is not encrypted.
	// Default: empty, no scanner.
	Clamd string `yaml:"clamd"`
	// Timeout is how long it may take over one file. Default: 30s.
	Timeout Duration `yaml:"timeout" is:"positive"`
	// Max is the largest file that it is shown; routes that scan may not take
	// larger ones. Default: 25MiB.
	Max Size `yaml:"max" is:"positive"`
}
