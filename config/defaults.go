package config

import (
	"reflect"
	"strings"
	"time"
)

// Default gives the configuration of a file that says nothing. It is the one
// place where defaults are stated, with those of elements below; the words
// "Default: …" in the comments are held against them by a test.
func Default() *Config {
	return &Config{
		Admin:           Admin{Address: "127.0.0.1:9901"},
		Log:             Log{Level: "info", Format: "json", Output: "stdout"},
		Tracing:         Tracing{Sample: 0.1},
		IdentityHeaders: []string{"X-User-*", "X-Auth-*", "X-Role", "X-Tenant-*", "X-Branch"},
		Timeouts: Timeouts{
			Header:   Duration(10 * time.Second),
			Body:     Duration(time.Minute),
			Idle:     Duration(time.Minute),
			Upstream: Duration(30 * time.Second),
			Drain:    Duration(25 * time.Second),
		},
		Limits:  Limits{HeaderBytes: 32 << 10, HeaderFields: 100, Cookies: 100, Streams: 250, BodyBytes: 10 << 20, BodyMemory: 256 << 20},
		Spool:   Spool{Bytes: 1 << 30},
		Scanner: Scanner{Timeout: Duration(30 * time.Second), Max: 25 << 20},
		Policies: Policies{
			Budget: Duration(50 * time.Millisecond), Tests: "on", Probes: "on",
			Memo: PolicyMemo{Entries: 16384, AuditEvery: 1000}, ShadowSample: 0.1,
		},
		Guard:      Guard{Logins: "off"},
		CSRF:       CSRFToken{Cookie: "__Host-csrf", Header: "X-CSRF-Token"},
		Decisions:  Decisions{Sample: 1, Queue: 4096},
		Revocation: Revocation{Keep: Duration(30 * 24 * time.Hour), OnStoreError: "open"},

		RateLimitHeaders: []string{"ietf"},
		Alerts:           Alerts{Dedup: Duration(15 * time.Minute), Spool: AlertSpool{Bytes: 64 << 20, Keep: Duration(72 * time.Hour)}},
	}
}

// defaults gives the value that an element of a map or list, or a section that
// may be absent, has before the file is read into it.
func defaults(t reflect.Type) reflect.Value {
	for _, v := range []any{
		defaultRoute(),
		TLS{MinVersion: "1.2"},
		ACME{Directory: "https://acme-v02.api.letsencrypt.org/directory", Challenges: []string{"tls-alpn-01"}},
		Issuer{
			Profile: "jwt", Leeway: Duration(30 * time.Second), MaxLifetime: Duration(24 * time.Hour),
			Claims: Claims{
				Subject: "sub", Role: "role", Roles: "roles",
				Tenant: "tenant", Branch: "branch", Branches: "branches",
			},
		},
		Upstream{
			Protocol: "auto", Resolve: Duration(30 * time.Second), Balance: "round_robin",
			Connections: Pool{Idle: IdleConnections, IdleTimeout: Duration(IdleConnection)},
		},
		Endpoint{Weight: 1},
		Hash{By: "tenant", Otherwise: "round_robin"},
		Health{Interval: Duration(5 * time.Second), Healthy: 1, Unhealthy: 1},
		Ejection{
			Failures: 5, Statuses: []int{502, 503, 504}, Share: 50,
			For: Duration(10 * time.Second), Longest: Duration(5 * time.Minute),
		},
		Concurrency{Wait: Duration(100 * time.Millisecond)},
		Retries{
			Attempts: 2, On: []string{"connect", "reset", "timeout"}, Statuses: []int{502, 503, 504},
			Budget: 0.2, Pause: Duration(50 * time.Millisecond),
		},
		Breaker{Threshold: 0.5, Requests: 20, Window: Duration(10 * time.Second), Open: Duration(5 * time.Second), Probes: 3},
		RateLimit{Algorithm: "gcra", Mode: "enforce", OnStoreError: "local"},
		AuthFailures{
			Threshold: 5, Window: Duration(15 * time.Minute), Distinct: 3,
			Mode: "enforce", Severity: "medium", Action: "block_address", Escalation: escalation(),
		},
		TokenFailures{
			Threshold: 10, Window: Duration(5 * time.Minute),
			Mode: "observe", Severity: "medium", Action: "block_address", Escalation: escalation(),
		},
		CredentialStuffing{
			Distinct: 10, Window: Duration(15 * time.Minute),
			Mode: "observe", Severity: "high", Action: "block_address", Escalation: escalation(),
		},
		APIAbuse{
			Threshold: 50, Window: Duration(5 * time.Minute),
			Mode: "observe", Severity: "low", Action: "block_subject", Escalation: escalation(),
		},
		Enumeration{
			Threshold: 20, Window: Duration(10 * time.Minute),
			Mode: "observe", Severity: "medium", Action: "block_subject", Escalation: escalation(),
		},
		DataVolume{
			Records: 10_000, Sensitive: 5000, Window: Duration(time.Hour),
			Mode: "observe", Severity: "high", Action: "step_up", Escalation: escalation(),
		},
		PrivilegeEscalation{
			Threshold: 1, Window: Duration(15 * time.Minute), Codes: []string{"forbidden"}, IdentityHeaders: 1,
			Mode: "observe", Severity: "critical", Action: "block_subject", Escalation: escalation(),
		},
		AlertLog{MinSeverity: "informational", Classes: []string{"finding"}},
		AlertWebhook{Timeout: Duration(10 * time.Second), MinSeverity: "informational", Classes: []string{"finding"}},
		AlertSlack{Timeout: Duration(10 * time.Second), MinSeverity: "informational", Classes: []string{"finding"}},
		AlertSyslog{Facility: "authpriv", Timeout: Duration(10 * time.Second), MinSeverity: "informational", Classes: []string{"finding"}},
		Authn{ForwardToken: true},
		Introspection{Cache: Duration(30 * time.Second), Timeout: Duration(time.Second)},
		Session{Idle: Duration(15 * time.Minute), Max: Duration(12 * time.Hour), Touch: true},
		CORS{Methods: []string{"GET", "HEAD", "POST"}, MaxAge: Duration(10 * time.Minute)},
		Sanitize{
			HTML: "strip", SQLInjection: "report", Query: "off",
			MediaTypes: []string{
				"application/json", "application/*+json",
				"application/x-www-form-urlencoded", "multipart/form-data",
			},
		},
		Upload{FileBytes: 2 << 20, Files: 10, Pixels: 65_000_000, Active: "report", Trailing: "report"},
		PolicyBundle{Poll: Duration(30 * time.Second), Size: 32 << 20},
		GraphQL{Batch: 1, Depth: 20, Selections: 2000},
	} {
		if reflect.TypeOf(v) == t {
			return reflect.ValueOf(v)
		}
	}
	return reflect.Zero(t)
}

// escalation is how long blocks in a row last.
func escalation() []Duration {
	return []Duration{Duration(time.Hour), Duration(4 * time.Hour), Duration(24 * time.Hour)}
}

func defaultRoute() Route {
	return Route{
		RateCost: 1,

		CSRF:   CSRF{Mode: "auto"},
		Policy: Policy{Bodies: "json", Masks: "optional", Rows: "optional", Placeholders: "reject"},
		Mask: Mask{
			Buffer: "stream", Max: 8 << 20, Unclassified: "off",
			OracleParameters: []string{
				"ordering", "order", "order_by", "sort", "sort_by", "fields", "select",
				"include", "exclude", "expand", "columns", "filter", "where", "having", "and", "or",
				"group_by", "distinct", "apply", "compute",
				"sort_field", "sort_column", "sort_key", "order_field", "order_column", "group", "aggregate", "projection", "attributes",
			},
		},
		Priority: "normal",
		Audit:    "metadata",
	}
}

// complete fills in the defaults that depend on other values.
func complete(c *Config) {
	for _, l := range c.RateLimits {
		if l.Algorithm == "gcra" && l.Burst == 0 {
			l.Burst = int(l.Rate.Count)
		}
		if l.Algorithm == "gcra" && l.Rates != nil {
			for _, e := range l.Rates.Table {
				fill(e, RateEntry{Burst: int(e.Rate.Count)})
			}
		}
	}
	for _, u := range c.Upstreams {
		u.Concurrency.complete()
		if u.Health != nil {
			fill(u.Health, Health{Timeout: u.Health.Interval})
		}
	}
	if len(c.Masking.Keys) == 1 {
		for id := range c.Masking.Keys {
			c.Masking.Primary = id
		}
	}
	for _, r := range c.Routes {
		fill(&r.Timeouts, c.Timeouts)
		fill(&r.Limits, c.Limits)
		if r.Sanitize == nil {
			continue
		}
		for path, f := range r.Sanitize.Fields {
			fill(&f, SanitizeField{HTML: htmlOf(r.Sanitize, path), SQLInjection: r.Sanitize.SQLInjection})
			r.Sanitize.Fields[path] = f
		}
	}
}

// htmlOf gives what happens to markup at a path that does not say it: where
// nothing is changed, what would be is refused.
func htmlOf(s *Sanitize, path string) string {
	switch {
	case strings.HasPrefix(path, "query:"):
		return s.Query
	case strings.HasPrefix(path, "header:") && s.HTML != "off" && s.HTML != "report":
		return "reject"
	}
	return s.HTML
}

// fill gives the fields of v that say nothing their value from other.
func fill[T any](v *T, other T) {
	dst, src := reflect.ValueOf(v).Elem(), reflect.ValueOf(other)
	for i := range dst.NumField() {
		if dst.Field(i).IsZero() {
			dst.Field(i).Set(src.Field(i))
		}
	}
}
