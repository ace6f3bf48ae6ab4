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
	seen map[[sha256.Size]byte]struct{}
	// past is seen of the time before: both together hold what is younger than
	// proofMemory, and nothing has to be looked through to forget.
	past  map[[sha256.Size]byte]struct{}
	since time.Time // when seen began
	max   int
}

// NewProofs makes an empty memory; r may be nil.
func NewProofs(r *store.Redis) *Proofs {
	return &Proofs{redis: r, max: maxProofs}
}

// once takes a proof, or says that it was used.
func (p *Proofs) once(ctx context.Context, id [sha256.Size]byte, now time.Time) error {
	if p == nil {
		return errProofs
	}
	if err := p.here(id, now); err != nil || p.redis == nil {
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

func (p *Proofs) here(id [sha256.Size]byte, now time.Time) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if age := now.Sub(p.since); p.seen == nil || age >= proofMemory {
		p.past = p.seen
		if age >= 2*proofMemory {
			p.past = nil
		}
		p.seen, p.since = map[[sha256.Size]byte]struct{}{}, now
	}
	if _, used := p.seen[id]; used {
		return errReplay
	}
	if _, used := p.past[id]; used {
		return errReplay
	}
	if len(p.seen)+len(p.past) >= p.max {
		return errProofs
	}
	p.seen[id] = struct{}{}
	return nil
}
