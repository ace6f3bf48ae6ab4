package config

// Retries says which requests are sent again, before their clients learn that
// something failed.
//
// Only what cannot have a second effect is: requests whose method is idempotent
// (RFC 9110, section 9.2.2: GET, HEAD, OPTIONS, TRACE, PUT, DELETE), without a body or
// with one that the gateway holds whole. Nothing of an answer has reached the
// client then. An endpoint that was not tried yet is preferred. An answer that
// says by Retry-After when to come back is not argued with. A client that has
// gone away is not tried for.
//
// One thing needs no such section: where no connection to an endpoint could be
// made, nothing was sent, and the request goes to up to two others, whatever its
// method.
type Retries struct {
	// Attempts is how many times a request is sent at most, with the first one:
	// 2 to 5. Default: 2.
	Attempts int `yaml:"attempts" is:"positive"`
	// PerTry is how long an endpoint may take to begin its answer while the
	// request could still be sent to another. timeouts.upstream bounds all tries
	// and pauses together, and the last try alone. Default: none,
	// timeouts.upstream alone, so that nothing is left for another try where an
	// endpoint is silent.
	PerTry Duration `yaml:"per_try" is:"positive"`
	// On lists what is a reason to try again where there is no answer: connect
	// (no connection could be made), reset (it ended before the answer began),
	// timeout (per_try is over). Default: connect, reset, timeout.
	On []string `yaml:"on" oneof:"connect reset timeout"`
	// Statuses lists the answers that are one: of 502, 503 and 504. Default: 502,
	// 503, 504.
	Statuses []int `yaml:"statuses"`
	// Budget is the part of the upstream's requests, of the last ten seconds,
	// that may be tried again, so that retries never multiply an outage: 0.2 is a
	// fifth. Ten within that time always may. At most 1. Default: 0.2.
	Budget float64 `yaml:"budget" is:"positive"`
	// Pause bounds the pause before the second try, which is chosen at random
	// below it. It doubles with each further one. At most 1s. Default: 50ms.
	Pause Duration `yaml:"pause" is:"positive"`
	// IdempotencyKey says that the backend does once what comes twice under one
	// Idempotency-Key: then requests of other methods, such as POST, are tried
	// again too, where the client sent that header. Default: false.
	IdempotencyKey bool `yaml:"idempotency_key"`
}

// Breaker stops sending to an upstream that mostly fails: a request is answered
// 503 upstream_unavailable with a Retry-After at once, until the backend has had
// time to recover. What counts is every try: as a failure where there was no
// connection, no answer or none in time, or a status of 502, 503 or 504. What
// clients or policies caused does not count: a client that went away, a body
// that broke off, a refusal of the gateway.
type Breaker struct {
	// Threshold is the part of the tries within window that must have failed for
	// it to open: 0.5 is half of them. At most 1. Default: 0.5.
	Threshold float64 `yaml:"threshold" is:"positive"`
	// Requests is how many tries there must have been within window before it
	// opens. At most 100000. Default: 20.
	Requests int `yaml:"requests" is:"positive"`
	// Window is the time that is looked at. A try counts when it ends. 1s to 10m.
	// Default: 10s.
	Window Duration `yaml:"window" is:"positive"`
	// Open is how long nothing is sent once it has opened. 100ms to 10m.
	// Default: 5s.
	Open Duration `yaml:"open" is:"positive"`
	// Probes is how many requests are sent then, to see. If all of them succeed
	// it closes; if one fails it opens again. At most 1000. Default: 3.
	Probes int `yaml:"probes" is:"positive"`
}
