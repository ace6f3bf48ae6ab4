package authn

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"sync"
	"time"

	"github.com/gatehouse-dev/gatehouse/middleware/store"
)

// clocks is by how much those of replicas may differ, and ours may be set back.
const clocks = 30 * time.Second

// proofMemory is how long a proof is remembered: as long as it could be taken
// for one that was made now.
const proofMemory = 2*proofAge + clocks

// maxProofs bounds the proofs that are remembered; about 100 bytes each. Only
// who holds a good token and its key can fill it.
const maxProofs = 500_000

// maxOfKey bounds those of one key, so that one client cannot take the room of
// all: 200 requests in each second.
const maxOfKey = maxProofs / 20

var (
	errReplay = errors.New("the DPoP proof was used before")
	errProofs = errors.New("more DPoP proofs than can be remembered")
)

// Proofs remembers the DPoP proofs that were used (RFC 9449, section 11.1), so
// that each is good once. With a Redis it is good once on all replicas; while
// that does not answer, once on each. It outlives plans.
type Proofs struct {
	redis *store.Redis

	mu   sync.Mutex
	seen span
	// past is seen of the time before: both together hold what is younger than
	// proofMemory, and nothing has to be looked through to forget.
	past     span
	since    time.Time // when seen began
	max      int
	maxOfKey int
}

// span is the proofs of some time.
type span struct {
	ids   map[[sha256.Size]byte]struct{}
	ofKey map[string]int // how many of them, by thumbprint
}

// NewProofs makes an empty memory; r may be nil.
func NewProofs(r *store.Redis) *Proofs {
	return &Proofs{redis: r, max: maxProofs, maxOfKey: maxOfKey}
}

// once takes a proof by a key, or says that it was used.
func (p *Proofs) once(ctx context.Context, key string, id [sha256.Size]byte, now time.Time) error {
	if p == nil {
		return errProofs
	}
	if err := p.here(key, id, now); err != nil || p.redis == nil {
		return err
	}
	fresh := true
	err := p.redis.Do(ctx, func(ctx context.Context, client store.Client) (err error) {
		fresh, err = client.SetNX(ctx, "gatehouse:proof:"+base64.RawURLEncoding.EncodeToString(id[:]), 1, proofMemory).Result()
		return err
	})
	if err == nil && !fresh {
		return errReplay
	}
	return nil // a store that fails leaves what this replica knows
}

func (p *Proofs) here(key string, id [sha256.Size]byte, now time.Time) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if age := now.Sub(p.since); p.seen.ids == nil || age >= proofMemory {
		p.past = p.seen
		if age >= 2*proofMemory {
			p.past = span{}
		}
		p.seen, p.since = span{map[[sha256.Size]byte]struct{}{}, map[string]int{}}, now
	}
	if _, used := p.seen.ids[id]; used {
		return errReplay
	}
	if _, used := p.past.ids[id]; used {
		return errReplay
	}
	if len(p.seen.ids)+len(p.past.ids) >= p.max || p.seen.ofKey[key]+p.past.ofKey[key] >= p.maxOfKey {
		return errProofs
	}
	p.seen.ids[id] = struct{}{}
	p.seen.ofKey[key]++
	return nil
}
