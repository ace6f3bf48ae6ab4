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
	// Strict lets the bucket leak so slowly that the burst and what leaks are
	// the rate's count together: no more than that pass in any period. Without
	// it as many as burst more may. Default: false. Only for gcra, with a burst
	// below the rate's count.
	Strict bool `yaml:"strict"`
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

// Guard holds the detectors. One that is absent is off.
type Guard struct {
	// AuthFailures notices repeated failed logins.
	AuthFailures *AuthFailures `yaml:"auth_failures"`
}

// AuthFailures counts the upstream's 401 answers on routes with `login: true`
// and blocks who causes too many of them.
type AuthFailures struct {
	// Threshold is the number of failures within the window that blocks.
	// Default: 5.
	Threshold int `yaml:"threshold" is:"positive"`
	// Window in which failures are counted. Default: 15m.
	Window Duration `yaml:"window" is:"positive"`
	// Block is how long the block lasts. Default: 1h.
	Block Duration `yaml:"block" is:"positive"`
	// PerAddress blocks an address whatever the usernames. False counts by
	// address and username together, so that one person's mistakes do not
	// block an office. Default: false.
	PerAddress bool `yaml:"per_address"`
}
