package graphql

import (
	"cmp"

	"github.com/gatehouse-dev/gatehouse/middleware/mask/redact"
)

// mask is a rule that is followed through a query.
type mask struct {
	rule   redact.Rule
	origin int // among the rules of the policy
	pattern
}

// stricter orders masks as [redact.Compile] does.
func (m *mask) stricter(o *mask) bool {
	return cmp.Or(cmp.Compare(m.rule.Action, o.rule.Action), cmp.Compare(m.rule.Bucket, o.rule.Bucket),
		cmp.Compare(o.rule.Path, m.rule.Path)) > 0
}

// keyed reports whether equal values stay equal under the mask.
func (m *mask) keyed() bool {
	return m.rule.Action == redact.Hash || m.rule.Action == redact.Tokenize
}

// reach is how far a mask has come at a node: by the fields of the schema, to
// the places of matched and open, and by the names in the answer.
type reach struct {
	// matched are the places to which the names lead just as the fields do:
	// whatever turns out to be an array, what the mask selects from there is
	// masked by the rules given so far. open are the others.
	matched, open positions
	// sure are the places to which the names lead whatever is an array, may be
	// those to which they could lead.
	sure, maybe positions
	// all are the places to which each field leads that the node may be.
	all positions
}

// step follows the mask from a node to a member.
func (m *mask) step(r *reach, n *node) reach {
	some := func(s *redact.Segment) bool { return takesAny(s, n.names) }
	key := func(s *redact.Segment) bool { return takes(s, n.key) }
	out := reach{
		open:  m.advance(r.open, some), // only plain names are left open at a node
		sure:  m.follow(m.beyond(r.sure), func(s *redact.Segment) bool { return key(s) && (!s.Elements || s.Deep) }),
		maybe: m.follow(m.within(r.maybe), key),
		all:   m.follow(m.within(r.all), func(s *redact.Segment) bool { return takesAll(s, n.names) }),
	}
	matched := m.within(r.matched)
	out.matched = m.follow(matched, func(s *redact.Segment) bool { return some(s) && key(s) })
	out.open |= m.advance(matched, func(s *redact.Segment) bool { return some(s) && !key(s) })
	out.settle()
	return out
}

// settle counts as matched what is sure to be masked by another way.
func (r *reach) settle() {
	r.matched |= r.open & r.sure
	r.open &^= r.sure
}

// cover notes that a rule has been given which goes on from place i.
func (r *reach) cover(i int) {
	r.sure |= 1 << i
	r.maybe |= 1 << i
	r.settle()
}

// takes reports whether a segment of a mask takes a name. In a mask [*] takes
// the members of an object, too.
func takes(s *redact.Segment, name label) bool {
	return s.Any || s.Elements || s.NamesLoosely(name.fold)
}

func takesAny(s *redact.Segment, names []label) bool {
	for _, name := range names {
		if takes(s, name) {
			return true
		}
	}
	return false
}

func takesAll(s *redact.Segment, names []label) bool {
	for _, name := range names {
		if !takes(s, name) {
			return false
		}
	}
	return true
}

// masker follows all masks through a query.
type masker struct {
	*translation
	masks  []mask
	out    []redact.Rule
	origin []int // beside out
	at     []redact.Segment
}

// add takes a mask of the policy, which stays.
func (w *masker) add(i int, r redact.Rule, p *pattern) {
	w.out, w.origin = append(w.out, r), append(w.origin, i)
	r.Domain = cmp.Or(r.Domain, redact.Domain(p.segs))
	w.masks = append(w.masks, mask{r, i, *p})
}

// run adds what the masks are under the names of the answer.
func (w *masker) run() error {
	if len(w.masks) == 0 {
		return nil
	}
	start := make([]reach, len(w.masks))
	for i := range start {
		start[i] = reach{matched: 1, sure: 1, maybe: 1, all: 1}
	}
	return w.members(w.query.root, start, true)
}

// members goes on inside of a node. Where straight is set, everything so far
// has the name of its field, and the rules of the policy hold as they are.
func (w *masker) members(n *node, from []reach, straight bool) error {
	if len(n.members) == 0 {
		return nil
	}
	to := make([]reach, len(from))
	for _, m := range n.members {
		for i := range from {
			to[i] = w.masks[i].step(&from[i], m)
		}
		w.at = append(w.at, redact.Segment{Name: m.key.name})
		straight := straight && m.is(m.key.name)
		if !straight {
			if err := w.node(m, to); err != nil {
				return err
			}
		}
		if err := w.members(m, to, straight); err != nil {
			return err
		}
		w.at = w.at[:len(w.at)-1]
	}
	return nil
}

// node gives the rules for a node that is called otherwise than its fields, or
// inside of one.
func (w *masker) node(n *node, at []reach) error {
	var masks, masked *mask
	for i := range at {
		m, r := &w.masks[i], &at[i]
		if err := w.goOn(m, r, n.leaf); err != nil {
			return err
		}
		if r.open.has(m.end()) && (masks == nil || m.stricter(masks)) {
			masks = m
		}
		if r.sure.has(m.end()) && (masked == nil || m.stricter(masked)) {
			masked = m
		}
	}
	if k := w.confused(n, at); k != nil && (masks == nil || masks.rule.Action < redact.Redact) {
		masks, masked = &mask{rule: redact.Rule{Action: redact.Redact}, origin: k.origin}, nil
	}
	// Of several masks the strictest wins, so the others are not needed.
	if masks == nil || masked != nil && !masks.stricter(masked) {
		return nil
	}
	return w.give(masks, nil)
}

// goOn gives rules that go on where names of the answer say nothing about the
// names of the path: from "..", .* and [*], which have to be left to the answer
// because nobody knows what is an array; and inside of a leaf, whose names are
// those of the schema again.
func (w *masker) goOn(m *mask, r *reach, leaf bool) error {
	for rest := r.open; rest != 0; {
		var i int
		if i, rest = rest.pop(); i == m.end() || !leaf && m.segs[i].Plain() || !r.open.has(i) {
			continue
		}
		if err := w.give(m, m.segs[i:]); err != nil {
			return err
		}
		r.cover(i)
	}
	return nil
}

func (w *masker) give(m *mask, rest []redact.Segment) error {
	path, err := w.path(w.at, rest)
	if err != nil {
		return err
	}
	r := m.rule
	r.Path = path
	w.out, w.origin = append(w.out, r), append(w.origin, m.origin)
	return nil
}

// confused gives a mask by which a value could come to be hashed or encrypted
// as another field than it is, or as one of several. Then a caller who can set
// the value of some field could compare it with those of a field that is
// masked, by giving both the same name.
func (w *masker) confused(n *node, at []reach) *mask {
	if !n.leaf {
		return nil // hash and tokenize make "***" of objects
	}
	var first *mask
	for i := range at {
		m, r := &w.masks[i], &at[i]
		if !m.keyed() {
			continue
		}
		here := r.matched | r.open | r.maybe
		if here&^r.all != 0 {
			return m
		}
		if !m.within(here).has(m.end()) {
			continue
		}
		if first == nil {
			first = m
		}
		if m.rule.Domain != first.rule.Domain || m.rule.Action != first.rule.Action || m.rule.Domain == "" {
			return m
		}
	}
	return nil
}
