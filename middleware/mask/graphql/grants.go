package graphql

import (
	"slices"

	"github.com/gatehouse-dev/gatehouse/middleware/mask/redact"
)

// chain is how far the grants have come by one of the fields that a node and
// what it is in may be.
type chain struct {
	// at are places beside the grants; stayed are those of them which the last
	// name did not lead to, in front of "..".
	at, stayed []positions
	// open says that something on the way is granted with everything inside.
	open bool
}

// maxChains bounds how many different chains of a node are looked at. What can
// be more is not granted.
const maxChains = 32

// granter follows shows, or exposed paths, through a query.
type granter struct {
	*translation
	grants []*pattern
	whole  bool // they hold for everything inside
	names  naming
	out    []string
	at     []redact.Segment
}

// naming says how the names of a path are compared with those of fields.
type naming func(*redact.Segment, label) bool

func exactly(s *redact.Segment, l label) bool { return s.Names(l.name) }
func loosely(s *redact.Segment, l label) bool { return s.NamesLoosely(l.fold) }

// grants gives the paths that are granted in the answer.
func (t *translation) grants(grants []*pattern, whole bool, names naming) ([]string, error) {
	w := &granter{translation: t, grants: grants, whole: whole, names: names}
	start := chain{at: make([]positions, len(grants)), stayed: make([]positions, len(grants))}
	for i := range start.at {
		start.at[i] = 1
	}
	if len(grants) == 0 {
		return nil, nil
	}
	err := w.node(t.query.root, []chain{start})
	return w.out, err
}

// node grants what every chain that leads to the node grants.
func (w *granter) node(n *node, chains []chain) error {
	for _, rest := range w.common(n, chains) {
		path, err := w.path(w.at, rest)
		if err != nil {
			return err
		}
		w.out = append(w.out, path)
	}
	if w.whole && w.open(chains) {
		return nil
	}
	for _, m := range n.members {
		next, ok := w.step(chains, m)
		if !ok {
			continue
		}
		w.at = append(w.at, redact.Segment{Name: m.key.name})
		if err := w.node(m, next); err != nil {
			return err
		}
		w.at = w.at[:len(w.at)-1]
	}
	return nil
}

// open marks the chains that are granted with everything inside, and reports
// whether all are.
func (w *granter) open(chains []chain) bool {
	all := true
	for i := range chains {
		c := &chains[i]
		for k, g := range w.grants {
			c.open = c.open || c.at[k].has(g.end())
		}
		all = all && c.open
	}
	return all
}

// common gives what of paths is left of grants at a node, by all chains. Only
// where the names are those of the schema again, in a leaf, may more than [*]
// be left. A leaf of data is not searched for the sake of a ".." somewhere
// above it: as a rule there is nothing inside, and each would need a path.
func (w *granter) common(n *node, chains []chain) (rests [][]redact.Segment) {
	leaf, first := n.leaf && len(n.members) == 0, true
	for i := range chains {
		if chains[i].open {
			continue
		}
		mine := w.rests(&chains[i], leaf, n.fixed)
		if !first {
			mine = slices.DeleteFunc(mine, func(r []redact.Segment) bool { return !contains(rests, r) })
		}
		rests, first = mine, false
	}
	return rests
}

func (w *granter) rests(c *chain, leaf, fixed bool) (rests [][]redact.Segment) {
	for k, g := range w.grants {
		for at := c.at[k]; at != 0; {
			var i int
			i, at = at.pop()
			rest := g.segs[i:]
			inside := leaf && (fixed || !c.stayed[k].has(i))
			if (inside || isTail(rest)) && !contains(rests, rest) {
				rests = append(rests, rest)
			}
		}
	}
	return rests
}

func contains(rests [][]redact.Segment, rest []redact.Segment) bool {
	return slices.ContainsFunc(rests, func(r []redact.Segment) bool { return slices.Equal(r, rest) })
}

// isTail reports whether nothing but [*] is left.
func isTail(rest []redact.Segment) bool {
	return !slices.ContainsFunc(rest, func(s redact.Segment) bool { return !s.Elements || s.Deep })
}

// step follows the chains to a member, by each field that it may be. It reports
// false where nothing can be granted there: a chain has lost every grant, or
// they are too many.
func (w *granter) step(chains []chain, m *node) (next []chain, ok bool) {
	for i := range chains {
		for _, name := range m.names {
			c, live := w.follow(&chains[i], name)
			if !live {
				return nil, false
			}
			if slices.ContainsFunc(next, func(o chain) bool {
				return o.open == c.open && slices.Equal(o.at, c.at) && slices.Equal(o.stayed, c.stayed)
			}) {
				continue
			}
			if next = append(next, c); len(next) > maxChains {
				return nil, false
			}
		}
	}
	return next, true
}

// follow follows a chain to a field. What is only granted if something is an
// array is not.
func (w *granter) follow(c *chain, name label) (next chain, live bool) {
	both := make([]positions, 2*len(c.at))
	next = chain{at: both[:len(c.at)], stayed: both[len(c.at):], open: c.open}
	live = c.open
	for k, g := range w.grants {
		from := g.beyond(c.at[k])
		led := g.advance(from, func(s *redact.Segment) bool { return s.Any || w.names(s, name) })
		next.stayed[k] = from & g.deep &^ led
		next.at[k] = led | next.stayed[k]
		live = live || next.at[k] != 0
	}
	return next, live
}
