package graphql

import (
	"slices"

	"github.com/gatehouse-dev/gatehouse/middleware/mask/redact"
)

// Query is what a request selects. It is immutable.
type Query struct {
	batch bool
	// operations are the answers to what is asked for one by one, without what
	// does not depend on it; root is the answer with all of them in one.
	operations []*node
	root       *node
	questions  []Question
}

// build makes the answer of its operations. Names see through arrays, so an
// array of answers needs nothing more. The members errors and extensions are
// called so whatever the query says.
func (q *Query) build() {
	q.root = &node{}
	if len(q.operations) == 1 {
		q.root.members = slices.Clone(q.operations[0].members)
	} else {
		for _, op := range q.operations {
			q.root.merge(op)
		}
	}
	for _, name := range []string{"errors", "extensions"} {
		m := q.root.member(name)
		m.addName(name)
		m.leaf, m.fixed = true, true
	}
}

// maxPaths bounds the segments of all paths that a translation adds, and so
// what a query can make a plan cost.
const maxPaths = 16384

// translation is a spec on its way to that for the answer.
type translation struct {
	query *Query
	left  int // of maxPaths
}

// path makes a path of segments, of which the ones behind are the rest of a
// path of the policy.
func (t *translation) path(at, rest []redact.Segment) (string, error) {
	n := len(at) + len(rest)
	if n > redact.MaxSegments {
		return "", refused("the query is nested too deeply")
	}
	if t.left -= n; t.left < 0 {
		return "", refused("the query gives too many names to what the policy is about")
	}
	return string(redact.AppendPath(redact.AppendPath([]byte{'$'}, at...), rest...)), nil
}

// Translate gives the spec for the answer to the query, of a spec whose paths
// are about the schema: "$.data", and then fields. Rule i of it comes from rule
// origin[i] of the spec. The error is an [*Error] of [ErrRefused] where the
// query asks for nothing that the row filters are about or for more than can be
// translated, and another one where the spec cannot be carried out.
func (q *Query) Translate(spec redact.Spec) (out redact.Spec, origin []int, err error) {
	t := &translation{query: q, left: maxPaths}
	out = spec
	if out.Rules, origin, err = t.rules(spec.Rules); err != nil {
		return redact.Spec{}, nil, err
	}
	if out.Expose, err = t.exposed(spec.Expose); err != nil {
		return redact.Spec{}, nil, err
	}
	// Which paths are known is no grant, but what is not known is looked at.
	if out.Known, err = t.wholes(spec.Known, loosely); err != nil {
		return redact.Spec{}, nil, err
	}
	if out.Rows, err = t.rows(spec.Rows); err != nil {
		return redact.Spec{}, nil, err
	}
	// What is only counted is no reason to refuse a query: where there are too many
	// places, none is counted.
	if out.Sensitive, err = (&translation{query: q, left: maxPaths}).wholes(spec.Sensitive, loosely); err != nil {
		out.Sensitive = nil
	}
	return out, origin, nil
}

// rules translates masks and shows.
func (t *translation) rules(rules []redact.Rule) (out []redact.Rule, origin []int, err error) {
	w := &masker{translation: t}
	var shows []*pattern
	show := -1
	for i, r := range rules {
		p, err := newPattern(r.Path)
		if err != nil {
			return nil, nil, err
		}
		if r.Action == redact.Show {
			shows, show = append(shows, p), i
			continue
		}
		w.add(i, r, p)
	}
	if err := w.run(); err != nil {
		return nil, nil, err
	}
	shown, err := t.grants(shows, false, exactly)
	for _, path := range shown {
		// Which show it was is of no use to anyone.
		w.out, w.origin = append(w.out, redact.Rule{Path: path, Action: redact.Show}), append(w.origin, show)
	}
	return w.out, w.origin, err
}

// nothing is a path that no answer holds: a name in GraphQL is a word.
const nothing = "$.data['-']"

// exposed translates the list of paths that are the only ones to pass. It stays
// a list, for an empty one would let everything pass.
func (t *translation) exposed(paths []string) ([]string, error) {
	out, err := t.wholes(paths, exactly)
	if err == nil && len(paths) > 0 && len(out) == 0 {
		out = []string{nothing}
	}
	return out, err
}

// wholes translates paths that grant everything inside of what they select.
func (t *translation) wholes(paths []string, names naming) ([]string, error) {
	patterns := make([]*pattern, len(paths))
	for i, path := range paths {
		p, err := newPattern(path)
		if err != nil {
			return nil, err
		}
		// Behind what is granted whole, [*] says nothing.
		for n := len(p.segs); n > 0 && isTail(p.segs[n-1:]); n-- {
			p.segs = p.segs[:n-1]
		}
		patterns[i] = p
	}
	return t.grants(patterns, true, names)
}
