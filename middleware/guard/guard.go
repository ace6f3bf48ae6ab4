package guard

import (
	"context"
	"net/netip"
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
	// Found counts a finding, by what the configuration says about it; nil where
	// nobody counts.
	Found func(detector, mode, action string)
	// Key stands between usernames and what is kept of them.
	Key *Key
	// Memory of what is under way.
	Memory *Memory
	// Detector gives the detector that is kept under the name and settings, made by
	// open if there is none yet.
	Detector func(name string, settings any, open func() detect.Detector) (detect.Detector, error)
}

// Local keeps detectors for as long as a guard: it is a Deps.Detector for who has no
// reloads.
func Local(_ string, _ any, open func() detect.Detector) (detect.Detector, error) { return open(), nil }

// Guard is the detectors and what follows from what they find, shared by all
// routes. It is safe for concurrent use.
type Guard struct {
	Deps
	watches []*watch // by exchange, when the head of its answer is known
	volume  *watch   // by what was served, when the answer is over; nil where it is off
	logins  string   // which are told: off, failed or all
	trusted []netip.Prefix
	guesses guesses // nil where none are too many
	ids     bool    // somebody looks at what requests ask for

	promotions bool // or at updates of oneself
}

// watch is one detector at work.
type watch struct {
	kind
	response config.Response
	detector detect.Detector
}

// guesses lets logins in while they and those under way could not exceed what is
// left until there is a block. Whoever entered must leave.
type guesses interface {
	Enter(s *detect.Signal) bool
	Leave(s *detect.Signal)
}

// Open makes the guard of a plan. What its detectors remember is from before
// where Deps.Detector keeps it.
func Open(c *config.Guard, d Deps) (*Guard, error) {
	g := &Guard{Deps: d, logins: c.Logins, trusted: c.Trusted}
	responses := c.Responses()
	for _, k := range kinds(c) {
		opened, err := g.Detector(k.name, k.settings, k.open)
		if err != nil {
			return nil, err
		}
		w := &watch{k, responses[k.name], opened}
		if k.name == "data_volume" {
			g.volume = w
			continue
		}
		if counter, ok := opened.(guesses); ok && w.imposes() {
			g.guesses = counter
		}
		g.ids = g.ids || k.name == "enumeration"
		g.promotions = g.promotions || k.name == "privilege_escalation"
		g.watches = append(g.watches, w)
	}
	return g, nil
}

// imposes reports whether something is done about what the detector finds.
func (w *watch) imposes() bool { return w.response.Mode == "enforce" && w.response.Action != "alert" }

// trusts reports whether an address, or all of a network, is never blocked.
func (g *Guard) trusts(p netip.Prefix) bool {
	for _, t := range g.trusted {
		if t.Bits() <= p.Bits() && t.Contains(p.Addr()) {
			return true
		}
	}
	return false
}

// single gives a client's own address as a network.
func single(a netip.Addr) netip.Prefix {
	a = a.Unmap().WithZone("")
	return netip.PrefixFrom(a, a.BitLen())
}
