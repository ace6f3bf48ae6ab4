package ratelimit

import (
	"cmp"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/gatehouse-dev/gatehouse/middleware"
)

const (
	// maxSeen is how many callers a rule remembers to have refused.
	maxSeen = 100
	// seenFor is how long it remembers them after the last time.
	seenFor = 24 * time.Hour
	// maxShown is how much of a value is shown, in bytes.
	maxShown = 128
)

// ledger has what operators want to know about a rule: how it decided, and whom
// it refused lately or, in the shadow, would have. Who is admitted costs one
// addition here. It outlives reloads.
type ledger struct {
	admitted, refused, shadow, exempt, failed atomic.Uint64

	salt [32]byte // of the digests of what may be secret; read-only

	mu   sync.Mutex
	seen map[identity]*Limited
	more uint64 // refusals of callers that had to give way to others
}

// identity tells callers of a rule apart.
type identity struct {
	shadow     bool
	entry, key string
}

// Limited is a caller who was refused by a rule, or would have been by one in
// the shadow.
type Limited struct {
	// Who are the parts of the rule's key.
	Who []Part `json:"who"`
	// Rate is what the caller was held to.
	Rate string `json:"rate"`
	// Count is how many requests it was since First.
	Count int64     `json:"count"`
	First time.Time `json:"first"`
	Last  time.Time `json:"last"`
}

// Part is one part of a rule's key as operators may see it.
type Part struct {
	By     string `json:"by"`               // as configured: subject.id
	Value  string `json:"value,omitempty"`  // of what is no secret
	Issuer string `json:"issuer,omitempty"` // of subject.id
	// Digest stands for the value of a claim or header. It tells two of them
	// apart until the gateway restarts, and says nothing else.
	Digest string `json:"digest,omitempty"`
	// Address is what counted because the value was missing.
	Address string `json:"address,omitempty"`
}

func newLedger() *ledger {
	l := &ledger{seen: map[identity]*Limited{}}
	_, _ = rand.Read(l.salt[:]) // never fails
	return l
}

// note remembers that a take refuses.
func (l *ledger) note(t *take, x *middleware.Exchange) {
	id, now := identity{t.rule.shadow, t.quota.spec.entry, t.key}, time.Now().UTC().Truncate(time.Second)
	l.mu.Lock()
	defer l.mu.Unlock()
	s := l.seen[id]
	if s == nil {
		l.makeRoom(now)
		s = &Limited{Who: l.who(t.rule, x), First: now}
		l.seen[id] = s
	}
	s.Rate, s.Last = t.quota.spec.text(), now
	s.Count++
}

// makeRoom forgets what is long over and, where nothing is, the caller with the
// fewest refusals, of several the one whose last is longest ago: callers who
// turn up once push out each other.
func (l *ledger) makeRoom(now time.Time) {
	if len(l.seen) < maxSeen {
		return
	}
	var least identity
	var lightest *Limited
	for id, s := range l.seen {
		if now.Sub(s.Last) > seenFor {
			delete(l.seen, id)
		} else if lightest == nil || cmp.Or(cmp.Compare(s.Count, lightest.Count), s.Last.Compare(lightest.Last)) < 0 {
			least, lightest = id, s
		}
	}
	if len(l.seen) >= maxSeen {
		l.more += uint64(lightest.Count)
		delete(l.seen, least)
	}
}

// list gives who was refused, most often first, and how many refusals of others
// there were.
func (l *ledger) list(shadow bool) (out []Limited, more uint64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	oldest := time.Now().Add(-seenFor)
	for id, s := range l.seen {
		if id.shadow == shadow && !s.Last.Before(oldest) {
			out = append(out, *s)
		}
	}
	slices.SortFunc(out, func(a, b Limited) int {
		return cmp.Or(cmp.Compare(b.Count, a.Count), b.Last.Compare(a.Last), slices.CompareFunc(a.Who, b.Who, func(p, q Part) int {
			return cmp.Or(cmp.Compare(p.Value, q.Value), cmp.Compare(p.Issuer, q.Issuer), cmp.Compare(p.Digest, q.Digest), cmp.Compare(p.Address, q.Address))
		}))
	})
	return out, l.more
}

// who shows the key of an exchange.
func (l *ledger) who(r *Rule, x *middleware.Exchange) []Part {
	var out []Part
	for i := range r.parts {
		part := &r.parts[i]
		p, value := Part{By: part.name}, []byte(nil)
		var ok bool
		switch value, ok = part.write(nil, x); {
		case !ok:
			p.Address = string(appendAddress(nil, x))
		case part.hidden():
			mac := hmac.New(sha256.New, l.salt[:])
			mac.Write(value)
			p.Digest = hex.EncodeToString(mac.Sum(nil)[:6])
		case part.kind == byID:
			p.Value, p.Issuer = shown(x.Subject.ID), x.Subject.Issuer
		default:
			p.Value = shown(string(value))
		}
		out = append(out, p)
	}
	return out
}

func shown(s string) string {
	if len(s) > maxShown {
		return s[:maxShown] + "…"
	}
	return s
}
