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

// The fields that were in use before. No two services agree on what Reset says;
// here it is seconds since 1970, as with GitHub and the services that followed
// it, which is what clients that read these fields mostly expect.
const (
	oldLimit     = "X-Ratelimit-Limit"
	oldRemaining = "X-Ratelimit-Remaining"
	oldReset     = "X-Ratelimit-Reset"
)

// headers are the fields that tell clients of their limits.
type headers struct{ ietf, old bool }

// clear takes out what the upstream says of limits of its own under our names: a
// client could not tell which of them it has met.
func (f headers) clear(h http.Header) {
	if f.ietf {
		delete(h, policyField)
		delete(h, limitField)
	}
	if f.old {
		delete(h, oldLimit)
		delete(h, oldRemaining)
		delete(h, oldReset)
	}
}

// announce adds the take's quota to the fields of an answer:
//
//	RateLimit-Policy: "per-user";q=600;w=60
//	RateLimit: "per-user";r=3;t=12
//
// t is when the quota is whole again or, where nothing is left, when there is
// some: it never lies beyond Retry-After, as the draft asks. The stages of a
// route each add theirs, inner ones first, and all are one list. The old fields
// have room for one quota, which is the one that leaves least.
func (f headers) announce(t *take, h http.Header) {
	rate := t.quota.spec.rate
	left := t.ResetAfter
	if t.Reached {
		left = t.RetryAfter
	}
	if f.ietf {
		var room [128]byte
		b := append(append(room[:0], t.rule.quoted...), ";r="...)
		b = append(strconv.AppendInt(b, t.Remaining, 10), ";t="...)
		b = strconv.AppendInt(b, seconds(left), 10)
		list(h, policyField, t.quota.announced, limitField, string(b))
	}
	if f.old {
		inner, err := strconv.ParseInt(h.Get(oldRemaining), 10, 64)
		if err == nil && inner <= t.Remaining {
			return
		}
		h[oldLimit] = []string{strconv.FormatInt(rate.Limit, 10)}
		h[oldRemaining] = []string{strconv.FormatInt(t.Remaining, 10)}
		h[oldReset] = []string{strconv.FormatInt(time.Now().Add(left+time.Second-1).Unix(), 10)}
	}
}

// list adds a member to each of two lists. Each has room for another one: most routes
// have two stages that tell of a quota.
func list(h http.Header, first, one, second, other string) {
	firsts, seconds := h[first], h[second]
	if len(firsts)+len(seconds) == 0 {
		var room [4]string
		firsts, seconds = room[0:0:2], room[2:2:4]
	}
	h[first], h[second] = append(firsts, one), append(seconds, other)
}

// policy is what the fields say of a quota whatever is left of it.
func (d *spec) policy() string {
	return quote(d.name) + ";q=" + strconv.FormatInt(d.rate.Limit, 10) + ";w=" + strconv.FormatInt(seconds(d.rate.Period), 10)
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
