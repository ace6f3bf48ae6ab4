package config

// RateLimit admits so many requests per time, counted by key.
type RateLimit struct {
	// Key is what is counted by, joined: client.address (IPv6 as /64),
	// subject.id, subject.tenant, subject.role, route, claim:NAME,
	// header:NAME. Required.
	Key []string `yaml:"key" is:"required"`
	// Rate as count/period: 100/1m. Required.
	Rate Rate `yaml:"rate" is:"required"`
	// Burst is how many requests are admitted at once after idle, the first
	// included. Default: the rate's count. Only for gcra.
	Burst int `yaml:"burst" is:"positive"`
	// Algorithm is gcra (a smooth rate with a burst), fixed_window or
	// sliding_log (exact, costs memory per request). Default: gcra.
	Algorithm string `yaml:"algorithm" oneof:"gcra fixed_window sliding_log"`
	// Mode is enforce, or shadow to count and report without refusing.
	// Default: enforce.
	Mode string `yaml:"mode" oneof:"enforce shadow"`
	// OnStoreError says what happens when the shared store fails: local
	// (count in this replica), open (admit) or closed (refuse with 503).
	// Default: local.
	OnStoreError string `yaml:"on_store_error" oneof:"local open closed"`
}
