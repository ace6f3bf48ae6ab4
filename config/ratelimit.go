package config

import "net/netip"

// RateLimit admits so many requests per time, counted by key.
type RateLimit struct {
	// Key is what is counted by, joined: client.address (IPv6 as /64),
	// subject.id, subject.tenant, subject.role, route, claim:NAME,
	// header:NAME. Where a value is missing, the client's address stands for
	// it. Required.
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
	// Rates gives some callers a rate of their own, by role or by plan. Default:
	// none, `rate` is for everybody.
	Rates *RateTable `yaml:"rates"`
	// Policy lets policies say the rate, with rate_limits["NAME"] := "50/1m",
	// and `rate` or the table is for whom they say none. A burst below `rate` lets
	// nobody above the policy's rate either. The limit is then asked
	// once the policies have decided, so what they deny does not count.
	// Default: false.
	Policy bool `yaml:"policy"`
	// Exempt are networks of clients that are neither counted nor told of the
	// limit. Default: none.
	Exempt []netip.Prefix `yaml:"exempt"`
	// Algorithm is gcra (a smooth rate with a burst), fixed_window or
	// sliding_log (exact, costs memory per request). Default: gcra.
	Algorithm string `yaml:"algorithm" oneof:"gcra fixed_window sliding_log"`
	// Mode is enforce, or shadow to count without refusing: `gatehouse limits`
	// lists who would have been refused. Default: enforce.
	Mode string `yaml:"mode" oneof:"enforce shadow"`
	// OnStoreError says what happens when the shared store fails: local
	// (count in this replica, which has its share of the rate and the burst by
	// how many replicas there were last), open (admit) or closed (refuse with
	// 503). Default: local.
	OnStoreError string `yaml:"on_store_error" oneof:"local open closed"`
}

// RateTable gives callers a rate by who they are. Each entry counts for itself.
type RateTable struct {
	// By is what the table is looked up by: subject.role, subject.tenant or
	// claim:NAME, a claim with one value. Of a caller with several roles the
	// most generous entry counts. Required.
	By string `yaml:"by" is:"required"`
	// Table has the rates, by role, tenant or value of the claim. Whoever is not
	// in it has the limit's own. Required.
	Table map[string]*RateEntry `yaml:"table" is:"required"`
}

// RateEntry is one rate of a table.
type RateEntry struct {
	// Rate as count/period: 6000/1m. Required.
	Rate Rate `yaml:"rate" is:"required"`
	// Burst of this rate. Default: the rate's count. Only for gcra.
	Burst int `yaml:"burst" is:"positive"`
}

// MaxLogged is the highest count of a sliding_log limit: it remembers every
// request that it admits.
const MaxLogged = 10_000

// Capacity is how many requests a limit of that rate and burst can admit at
// once; nothing that counts for more ever passes.
func (l *RateLimit) Capacity(rate Rate, burst int) int64 {
	if l.Algorithm == "gcra" && burst > 0 {
		return int64(burst)
	}
	return rate.Count
}
