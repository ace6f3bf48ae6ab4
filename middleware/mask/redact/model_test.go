package redact

import (
	"slices"
	"strings"
	"testing"
)

// The model says what a plan means in the most direct way there is: the whole
// text as a tree, every path matched against every place by trying. It shares
// no code with the engine.

type modelSpec struct {
	masks  []modelPath
	acts   []Action
	shows  []modelPath
	expose []modelPath
	rows   []modelPath
	conds  [][]modelCond // by row filter
	known  []modelPath

	sensitive []modelPath

	detect, redactFound bool
}

// modelDetect finds e-mail addresses and one number.
func modelDetect(text []byte, isString bool) string {
	switch {
	case isString && strings.Contains(string(text), "@"):
		return "email"
	case !isString && string(text) == "123456789012":
		return "number"
	}
	return ""
}

func (m *modelSpec) compile(t testing.TB) *Plan {
	t.Helper()
	opts := Options{RedactFound: m.redactFound}
	if m.detect {
		opts.Detect = modelDetect
	}
	p, err := Compile(m.spec(), opts)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func (m *modelSpec) spec() Spec {
	var s Spec
	for i, p := range m.masks {
		s.Rules = append(s.Rules, Rule{Path: p.String(), Action: m.acts[i]})
	}
	for _, p := range m.shows {
		s.Rules = append(s.Rules, Rule{Path: p.String(), Action: Show})
	}
	for _, p := range m.expose {
		s.Expose = append(s.Expose, p.String())
	}
	for _, p := range m.known {
		s.Known = append(s.Known, p.String())
	}
	for _, p := range m.sensitive {
		s.Sensitive = append(s.Sensitive, p.String())
	}
	for i, p := range m.rows {
		f := RowFilter{Path: p.String()}
		for _, c := range m.conds[i] {
			f.Where = append(f.Where, c.cond())
		}
		s.Rows = append(s.Rows, f)
	}
	return s
}

func (m *modelSpec) endsInElements() bool {
	return slices.ContainsFunc(slices.Concat(m.masks, m.shows, m.expose), func(p modelPath) bool {
		return len(p) > 0 && p[len(p)-1].what == "[*]"
	})
}

func anyMatch(paths []modelPath, way []place, array bool) bool {
	return slices.ContainsFunc(paths, func(p modelPath) bool { return p.matches(way, array, readGrant) })
}

func (m *modelSpec) rowFails(n *node, way []place, parentIsArray bool) bool {
	for i, p := range m.rows {
		elems := len(p) > 0 && p[len(p)-1].what == "[*]"
		here := p.matches(way, false, readRows) && (elems || n.kind != '[')
		each := parentIsArray && !elems && p.matches(way[:len(way)-1], true, readRows)
		if !here && !each {
			continue
		}
		for _, c := range m.conds[i] {
			if _, no := c.could(n); no {
				return true
			}
		}
	}
	return false
}

// modelPlace is the way to a node and what is known from it.
type modelPlace struct {
	way     []place
	element bool   // its container is an array
	act     Action // of its containers
	open    bool   // one of them is exposed
	known   bool   // one of them is shown or known
	counted bool   // one of them is sensitive
	named   bool   // it is in an array that an exposed path names
}

func (at modelPlace) step(n *node, i int) modelPlace {
	step := place{elem: true}
	if n.kind == '{' {
		step, at.named = place{name: n.names[i]}, false
	}
	at.way, at.element = append(slices.Clone(at.way), step), step.elem
	return at
}

// path is the place as it is reported.
func (at modelPlace) path() string {
	out := "$"
	for _, s := range at.way {
		switch {
		case s.elem:
			out += "[*]"
		case strings.Contains(s.name, "@"):
			out += ".*"
		default:
			out += naiveSegment(s.name)
		}
	}
	return out
}

// names reports whether the path ends in a name, but for [*].
func (p modelPath) names() bool {
	for len(p) > 0 && p[len(p)-1].what == "[*]" && !p[len(p)-1].deep {
		p = p[:len(p)-1]
	}
	return len(p) > 0 && p[len(p)-1].what != "*" && p[len(p)-1].what != "[*]"
}

// look finds personal data in a scalar that no one has spoken of.
func (m *modelSpec) look(n *node, at modelPlace) *node {
	if !m.detect || at.act != noAction || at.known || at.named || n.kind != '"' && n.kind != '-' {
		return n
	}
	class := modelDetect([]byte(n.text), n.kind == '"')
	if class == "" {
		return n
	}
	left := *n
	if m.redactFound {
		left = node{kind: '"', text: "***"}
	}
	left.looks = &Finding{at.path(), class, 1}
	return &left
}

// out gives what is left of the node, or nil, and whether something shown or
// exposed is left.
func (m *modelSpec) out(n *node, at modelPlace) (left *node, shown, exposed bool) {
	if m.rowFails(n, at.way, at.element) {
		return nil, false, false
	}
	array := n.kind == '['
	for i, p := range m.masks {
		if p.matches(at.way, array, readMask) {
			at.act = max(at.act, m.acts[i])
		}
	}
	lifted := anyMatch(m.shows, at.way, array)
	if lifted {
		at.act = noAction
	}
	at.known = at.known || lifted || slices.ContainsFunc(m.known, func(p modelPath) bool { return p.matches(at.way, array, readMask) })
	at.counted = at.counted || slices.ContainsFunc(m.sensitive, func(p modelPath) bool { return p.matches(at.way, array, readMask) })
	at.named = at.named || slices.ContainsFunc(m.expose, func(p modelPath) bool { return p.names() && p.matches(at.way, array, readGrant) })
	exposed = !at.open && anyMatch(m.expose, at.way, array)
	at.open = at.open || exposed
	named := at.open || slices.ContainsFunc(m.expose, func(p modelPath) bool { return p.leads(at.way, true) })
	if n.kind != '{' && n.kind != '[' {
		switch {
		case at.act == Drop, !named:
			return nil, false, false
		case !at.open && at.act == noAction:
			return &node{kind: 'n'}, false, false
		case !at.open:
			return modelScalar(n, max(at.act, Redact)), false, false
		}
		seen := m.look(n, at)
		if at.counted && at.act == noAction && n.kind != 'n' && seen.text == n.text {
			told := *seen
			told.counts = 1
			seen = &told
		}
		return modelScalar(seen, at.act), lifted && at.open, exposed
	}
	if n.kind == '{' && at.act != noAction && at.act < Redact {
		at.act = Redact
	}
	left = &node{kind: n.kind}
	var inShown, inExposed bool
	for i, kid := range n.kids {
		l, s, e := m.out(kid, at.step(n, i))
		if l == nil {
			continue
		}
		left.kids = append(left.kids, l)
		if !array {
			left.names = append(left.names, n.names[i])
		}
		inShown, inExposed = inShown || s, inExposed || e
	}
	replaced := at.act >= Redact && !inShown
	switch {
	case replaced && at.act == Drop, !named && (replaced || !inExposed):
		return nil, false, false
	case replaced:
		return modelScalar(&node{kind: '"'}, at.act), false, exposed
	}
	return left, inShown || lifted && (at.open || inExposed), exposed || inExposed
}

func modelScalar(n *node, act Action) *node {
	stars := &node{kind: '"', text: "***"}
	switch act {
	case noAction:
		return n
	case Null:
		return &node{kind: 'n'}
	case Partial: // the generator makes no addresses
		r := []rune(n.text)
		switch {
		case n.kind == 'n':
			return n
		case n.kind == 't', len(r) < 8, n.kind == '-' && strings.ContainsAny(n.text, "-.eE+"):
			return stars
		}
		return &node{kind: '"', text: "****" + string(r[len(r)-4:])}
	}
	return stars
}
