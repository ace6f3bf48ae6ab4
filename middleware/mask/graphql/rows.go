package graphql

import (
	"fmt"
	"slices"

	"github.com/gatehouse-dev/gatehouse/middleware/mask/redact"
)

// rows translates row filters. Every operation must ask for something that one
// of them is about: what else it asks for would go unfiltered.
func (t *translation) rows(filters []redact.RowFilter) ([]redact.RowFilter, error) {
	if len(filters) == 0 {
		return nil, nil
	}
	w := &filterer{translation: t, comparisons: redact.MaxComparisons}
	met := make([]bool, len(t.query.operations))
	for _, f := range filters {
		segs, err := rowPath(f.Path)
		if err != nil {
			return nil, err
		}
		w.where, w.at = f.Where, nil
		if t.query.batch {
			w.at = append(w.at, redact.Segment{Elements: true})
		}
		if err := w.follow(t.query.root, segs); err != nil {
			return nil, err
		}
		for i, op := range t.query.operations {
			met[i] = met[i] || meets(op, segs)
		}
	}
	if slices.Contains(met, false) {
		return nil, refused("nothing is asked for that the row filters are about")
	}
	return w.out, nil
}

// rowPath parses the path of a row filter. It is literal.
func rowPath(path string) ([]redact.Segment, error) {
	segs, err := redact.ParsePath(path)
	if err != nil {
		return nil, err
	}
	for _, s := range segs {
		if s.Any || s.Deep {
			return nil, fmt.Errorf("row filter of %q: .. and .* cannot be followed in a GraphQL query", path)
		}
	}
	return segs, nil
}

// meets reports whether an operation selects what a path is about. n is nil
// inside of a leaf.
func meets(n *node, segs []redact.Segment) bool {
	for i := range segs {
		if segs[i].Elements {
			continue
		}
		for _, m := range n.members {
			if namesOne(&segs[i], m) && meets(m, segs[i+1:]) {
				return true
			}
		}
		return n.leaf
	}
	return true
}

func namesOne(s *redact.Segment, n *node) bool {
	return slices.ContainsFunc(n.names, func(l label) bool { return loosely(s, l) })
}

// filterer follows a row filter through a query.
type filterer struct {
	*translation
	where       []redact.Cond
	at          []redact.Segment
	out         []redact.RowFilter
	comparisons int // that are left
}

// follow gives a filter for every place that the path leads to.
func (w *filterer) follow(n *node, segs []redact.Segment) error {
	if len(segs) == 0 {
		return w.give(n, nil)
	}
	if segs[0].Elements {
		w.at = append(w.at, segs[0])
		defer func() { w.at = w.at[:len(w.at)-1] }()
		return w.follow(n, segs[1:])
	}
	for _, m := range n.members {
		if !namesOne(&segs[0], m) {
			continue
		}
		w.at = append(w.at, redact.Segment{Name: m.key.name})
		if err := w.follow(m, segs[1:]); err != nil {
			return err
		}
		w.at = w.at[:len(w.at)-1]
	}
	if n.leaf {
		return w.give(nil, segs)
	}
	return nil
}

// give gives the filter for one place. n is nil where the row is inside of a
// leaf, by rest: its fields are called what they are called there.
func (w *filterer) give(n *node, rest []redact.Segment) error {
	path, err := w.path(w.at, rest)
	if err != nil {
		return err
	}
	where := w.where
	if n != nil {
		if where, err = w.conds(n, where); err != nil {
			return err
		}
	}
	if w.comparisons -= comparisons(where); w.comparisons < 0 {
		return refused("the query gives too many names to what the row filters are about")
	}
	w.out = append(w.out, redact.RowFilter{Path: path, Where: where})
	return nil
}

func comparisons(conds []redact.Cond) int {
	n := 0
	for _, c := range conds {
		n += comparisons(c.Any) + comparisons(c.All)
		if c.Not != nil {
			n += comparisons([]redact.Cond{*c.Not})
		}
		if c.Field != "" {
			n++
		}
	}
	return n
}

// conds translates conditions on a row.
func (w *filterer) conds(row *node, conds []redact.Cond) ([]redact.Cond, error) {
	if conds == nil {
		return nil, nil
	}
	out := make([]redact.Cond, len(conds))
	for i, c := range conds {
		var err error
		if out[i], err = w.cond(row, c); err != nil {
			return nil, err
		}
	}
	return out, nil
}

func (w *filterer) cond(row *node, c redact.Cond) (_ redact.Cond, err error) {
	if c.Any, err = w.conds(row, c.Any); err != nil {
		return c, err
	}
	if c.All, err = w.conds(row, c.All); err != nil {
		return c, err
	}
	if c.Not != nil {
		not, err := w.cond(row, *c.Not)
		if err != nil {
			return c, err
		}
		c.Not = &not
	}
	if c.Field == "" {
		return c, nil // a combination
	}
	segs, err := redact.ParseField(c.Field)
	if err != nil {
		return c, err
	}
	at, ok := field(row, segs)
	// Whether a member exists is for the query to say, not for the record.
	if !ok || c.Op == "exists" {
		c.Missing = true
		return c, nil
	}
	c.Field = string(redact.AppendPath([]byte{'@'}, at...))
	return c, nil
}

// field gives the place in the answer where a field of a row stands and nothing
// else can. Arguments could make another value of it, so a field that is given
// some is not it.
func field(row *node, segs []redact.Segment) (at []redact.Segment, ok bool) {
	for i := range segs {
		if row.leaf {
			return append(at, segs[i:]...), len(row.members) == 0
		}
		k := slices.IndexFunc(row.members, func(m *node) bool { return m.is(segs[i].Name) && !m.arguments })
		if k < 0 {
			return nil, false
		}
		row = row.members[k]
		at = append(at, redact.Segment{Name: row.key.name})
	}
	return at, true
}
