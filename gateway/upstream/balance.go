package upstream

import (
	"math"
	"math/rand/v2"
	"slices"
	"sync/atomic"

	"github.com/gatehouse-dev/gatehouse/middleware"
)

// policy is a way to choose between targets.
type policy uint8

const (
	roundRobin policy = iota
	leastInFlight
	powerOfTwo
	hash
)

// policyOf reads a policy as it is configured.
func policyOf(name string) policy {
	switch name {
	case "least_in_flight":
		return leastInFlight
	case "power_of_two":
		return powerOfTwo
	case "hash":
		return hash
	}
	return roundRobin
}

// ask is what an exchange wants of the balancer.
type ask struct {
	x      *middleware.Exchange
	region string    // the only one that may serve; "" for any
	tried  []*target // taken again only where there is no other
}

// askOf is what an exchange wants at first.
func askOf(x *middleware.Exchange) ask {
	a := ask{x: x}
	if x.Decision != nil {
		a.region = x.Decision.Region
	}
	return a
}

// pick gives the target that an exchange goes to next, nil where there is none:
// see [nobody]. It allocates nothing and waits for nobody. What it gives is to be
// begun at once (see [Upstream.try]): others look at what is under way.
func (u *Upstream) pick(a ask) *target {
	g := u.view.Load().groups[a.region]
	switch {
	case g == nil || len(g.usable) == 0:
		return nil
	case len(g.usable) == 1:
		return g.usable[0].target
	}
	by := u.policy
	if by == hash {
		if key, ok := u.keyOf(a.x); ok {
			return g.hashed(key, a.tried)
		}
		by = u.otherwise
	}
	switch by {
	case leastInFlight:
		return g.least(a.tried)
	case powerOfTwo:
		return g.ofTwo(rand.Uint64(), a.tried)
	}
	return g.next(a.tried)
}

// group is the targets that may serve some exchanges: those of a region, or all.
// It is part of a [view] and does not change.
type group struct {
	usable []choice // in the order of the configuration
	slots  []uint32 // indices in usable, each as often as it weighs, well mixed
	even   bool     // all weigh the same
	turn   *atomic.Uint64
}

// choice is a target with its weight now, which slow start makes smaller.
type choice struct {
	*target
	weight int64
}

// next gives the next one in turn. Another try takes no turn: of two endpoints the
// one that fails would else be the first one for every request.
func (g *group) next(tried []*target) *target {
	if len(tried) > 0 {
		return g.from(g.turn.Load(), tried)
	}
	return g.from(g.turn.Add(1)-1, tried)
}

// from gives the target of a slot, or of the first one behind it that was not
// tried.
func (g *group) from(slot uint64, tried []*target) *target {
	n := uint64(len(g.slots))
	for i := range n {
		t := g.usable[g.slots[(slot+i)%n]].target
		if !slices.Contains(tried, t) {
			return t
		}
	}
	return g.usable[g.slots[slot%n]].target
}

// least gives the one with the fewest requests under way for its weight. Of
// equals it takes one after the other.
func (g *group) least(tried []*target) *target {
	n := uint64(len(g.usable))
	first := g.turn.Add(1) - 1
	var best *choice
	var load int64
	for again := range 2 {
		for i := range n {
			c := &g.usable[(first+i)%n]
			if again == 0 && slices.Contains(tried, c.target) {
				continue
			}
			if mine := c.inFlight.Load() + 1; best == nil || mine*best.weight < load*c.weight {
				best, load = c, mine
			}
		}
		if best != nil {
			break
		}
	}
	return best.target
}

// ofTwo draws two by weight and gives the one with fewer requests under way for
// its weight.
func (g *group) ofTwo(random uint64, tried []*target) *target {
	n := uint64(len(g.slots))
	first, second := (random>>32)*n>>32, (random&math.MaxUint32)*n>>32
	a := g.pair(first, nil, tried)
	b := g.pair(second, a, tried)
	switch {
	case a == nil: // all were tried
		return g.usable[g.slots[first]].target
	case b == nil || (a.inFlight.Load()+1)*b.weight <= (b.inFlight.Load()+1)*a.weight:
		return a.target
	}
	return b.target
}

// pair gives the choice of a slot, or of the first one behind it that is another
// than not and was not tried; nil where there is none.
func (g *group) pair(slot uint64, not *choice, tried []*target) *choice {
	n := uint64(len(g.slots))
	for i := range n {
		c := &g.usable[g.slots[(slot+i)%n]]
		if c != not && !slices.Contains(tried, c.target) {
			return c
		}
	}
	return nil
}

// hashed gives the one that a key belongs to, by weighted rendezvous hashing:
// each target draws a number for the key, and the best one wins. Where a target
// comes or goes, no key moves between others.
func (g *group) hashed(key uint64, tried []*target) *target {
	var best *target
	for again := range 2 {
		most := math.Inf(-1)
		for i := range g.usable {
			c := &g.usable[i]
			if again == 0 && slices.Contains(tried, c.target) {
				continue
			}
			if s := c.score(key, g.even); s > most {
				best, most = c.target, s
			}
		}
		if best != nil {
			break
		}
	}
	return best
}

// score is the number that a target draws for a key. With weights it is so
// distributed that each wins its share (Thaler and Ravishankar, with logarithms);
// where all are the same, the order is that of the plain numbers.
func (c *choice) score(key uint64, even bool) float64 {
	drawn := (float64(mixed(key^c.seed)>>11) + 0.5) / (1 << 53)
	if even {
		return drawn
	}
	return math.Log(drawn) / float64(c.weight)
}

// keyOf is what the requests of one tenant or subject have in common; false where
// the exchange has neither.
func (u *Upstream) keyOf(x *middleware.Exchange) (uint64, bool) {
	switch {
	case x.Subject == nil:
		return 0, false
	case u.bySubject:
		return digest(digest(offset, x.Subject.Issuer)*prime, x.Subject.ID), x.Subject.ID != ""
	}
	return digest(offset, x.Subject.Tenant), x.Subject.Tenant != ""
}

// FNV-1a, 64 bits: the same on every replica.
const (
	offset uint64 = 14695981039346656037
	prime  uint64 = 1099511628211
)

func digest(h uint64, s string) uint64 {
	for i := range len(s) {
		h = (h ^ uint64(s[i])) * prime
	}
	return h
}

// mixed spreads what differs in a few bits over all of them.
func mixed(h uint64) uint64 {
	h = (h ^ h>>33) * 0xff51afd7ed558ccd
	h = (h ^ h>>33) * 0xc4ceb9fe1a85ec53
	return h ^ h>>33
}
