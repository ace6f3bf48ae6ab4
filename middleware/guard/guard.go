package guard

import (
	"context"
	"maps"
	"net/netip"
	"slices"
	"time"

	"github.com/gatehouse-dev/gatehouse/config"
	"github.com/gatehouse-dev/gatehouse/middleware/alert"
	"github.com/gatehouse-dev/gatehouse/middleware/guard/detect"
	"github.com/gatehouse-dev/gatehouse/middleware/orders"
)

// Deps is what a guard works with.
type Deps struct {
	// Book has the blocks.
	Book *orders.Book
	// Give puts a block in force, as [orders.Book.Give] does.
	Give func(context.Context, orders.Order) (given orders.Order, shared bool, err error)
	// Keep is how long a step-up is asked for: longer than a session can be
	// refreshed.
	Keep time.Duration
	// Raiser is told of findings and logins; nil where nobody is.
	Raiser alert.Raiser
	// Found counts a finding, by what the configuration says about it.
	Found func(detector, mode, action string)
	// Key stands between usernames and what is kept of them.
	Key *Key
	// Memory of what is under way.
	Memory *Memory
	// Detector gives the detector that is kept under the name and settings, made by
	// open if there is none yet. nil keeps none.
	Detector func(name string, settings any, open func() detect.Detector) (detect.Detector, error)
}

// Guard is the detectors and what follows from what they find, shared by all
// routes. It is safe for concurrent use.
type Guard struct {
	Deps
	watches []*watch // by exchange, when the head of its answer is known
	volume  *watch   // by what was served, when the answer is over; nil where it is off
	logins  string   // which are told: off, failed or all
	trusted []netip.Prefix
	guesses guesses // nil where nobody counts them
}

// watch is one detector at work.
type watch struct {
	name     string
	what     string // it counts
	response config.Response
	detector detect.Detector
}

// guesses tells how many failed logins on a username from an address are left
// until there is a block.
type guesses interface {
	Left(now time.Time, from netip.Prefix, user detect.Digest) int
}

// Open makes the guard of a plan. What its detectors remember is from before
// where Deps.Detector keeps it.
func Open(c *config.Guard, d Deps) (*Guard, error) {
	g := &Guard{Deps: d, logins: c.Logins, trusted: c.Trusted}
	if g.Memory == nil {
		g.Memory = NewMemory()
	}
	if g.Key == nil {
		g.Key = NewKey("")
	}
	if g.Detector == nil {
		g.Detector = func(_ string, _ any, open func() detect.Detector) (detect.Detector, error) { return open(), nil }
	}
	all, responses := detectors(c), c.Responses()
	for _, name := range slices.Sorted(maps.Keys(responses)) {
		k := all[name]
		opened, err := g.Detector(name, k.settings, k.open)
		if err != nil {
			return nil, err
		}
		w := &watch{name: name, what: k.what, response: responses[name], detector: opened}
		if name == "data_volume" {
			g.volume = w
			continue
		}
		if counter, ok := opened.(guesses); ok && w.blocks() {
			g.guesses = counter
		}
		g.watches = append(g.watches, w)
	}
	return g, nil
}

// blocks reports whether addresses are blocked by what the detector finds.
func (w *watch) blocks() bool {
	return w.response.Mode == "enforce" && w.response.Action == "block_address"
}

// trusts reports whether an address, or all of a network, is never blocked.
func (g *Guard) trusts(p netip.Prefix) bool {
	for _, t := range g.trusted {
		if t.Bits() <= p.Bits() && t.Contains(p.Addr()) {
			return true
		}
	}
	return false
}

// address gives a client's own address as a network.
func address(a netip.Addr) netip.Prefix {
	a = a.Unmap().WithZone("")
	return netip.PrefixFrom(a, a.BitLen())
}
