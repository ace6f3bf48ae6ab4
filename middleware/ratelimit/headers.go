package ratelimit

import (
	"net/http"
	"strconv"
	"strings"
	"time"
)

// The fields of draft-ietf-httpapi-ratelimit-headers, structured fields (RFC
// 9651) both: what the quota is, and what is left of it.
const (
	policyField = "Ratelimit-Policy"
	limitField  = "Ratelimit"
)

// announce adds the take's quota to the fields of an answer:
//
//	RateLimit-Policy: "per-user";q=600;w=60
//	RateLimit: "per-user";r=3;t=12
//
// t is when the quota is whole again or, where nothing is left, when there is
// some: it never lies beyond Retry-After, as the draft asks. The outer and the
// inner stage each add theirs, and the two are one list.
func (t *take) announce(h http.Header) {
	rate := t.quota.spec.rate
	name := quote(t.rule.name)
	left := t.ResetAfter
	if t.Reached {
		left = t.RetryAfter
	}
	h.Add(policyField, name+";q="+strconv.FormatInt(rate.Limit, 10)+";w="+strconv.FormatInt(seconds(rate.Period), 10))
	h.Add(limitField, name+";r="+strconv.FormatInt(t.Remaining, 10)+";t="+strconv.FormatInt(seconds(left), 10))
}

// tighter reports whether t leaves less to the caller than other.
func (t *take) tighter(other *take) bool {
	return other == nil || t.Remaining < other.Remaining ||
		t.Remaining == other.Remaining && t.ResetAfter > other.ResetAfter
}

// seconds rounds up, to one at least: nobody is told to come back too early.
func seconds(d time.Duration) int64 {
	return max(int64((d+time.Second-1)/time.Second), 1)
}

// quote writes a string of RFC 9651, which is printable ASCII.
func quote(s string) string {
	var b strings.Builder
	b.WriteByte('"')
	for _, c := range s {
		switch {
		case c == '"' || c == '\\':
			b.WriteByte('\\')
		case c < ' ' || c > '~':
			c = '?'
		}
		b.WriteRune(c)
	}
	b.WriteByte('"')
	return b.String()
}
