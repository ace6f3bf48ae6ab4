package redact

import (
	"encoding/json"
	"fmt"
	"io"
	"math/big"
	"math/rand/v2"
	"slices"
	"strings"
)

// The model says what a plan means in the most direct way there is: the whole
// text as a tree, every path matched against every place by trying. It shares
// no code with the engine.

type node struct {
	kind  byte // { [ " - t n
	text  string
	names []string
	kids  []*node
}

func parseTree(text []byte) (*node, error) {
	dec := json.NewDecoder(strings.NewReader(string(text)))
	dec.UseNumber()
	n, err := readTree(dec)
	if err != nil {
		return nil, err
	}
	if _, err := dec.Token(); err != io.EOF {
		return nil, fmt.Errorf("trailing: %v", err)
	}
	return n, nil
}

func readTree(dec *json.Decoder) (*node, error) {
	tok, err := dec.Token()
	if err != nil {
		return nil, err
	}
	switch tok := tok.(type) {
	case string:
		return &node{kind: '"', text: tok}, nil
	case json.Number:
		return &node{kind: '-', text: tok.String()}, nil
	case bool:
		return &node{kind: 't', text: fmt.Sprint(tok)}, nil
	case json.Delim:
		n := &node{kind: byte(tok)}
		for dec.More() {
			if tok == '{' {
				name, err := dec.Token()
				if err != nil {
					return nil, err
				}
				n.names = append(n.names, name.(string))
			}
			kid, err := readTree(dec)
			if err != nil {
				return nil, err
			}
			n.kids = append(n.kids, kid)
		}
		_, err := dec.Token()
		return n, err
	}
	return &node{kind: 'n'}, nil
}

func (n *node) String() string {
	var parts []string
	for i, k := range n.kids {
		if n.kind == '{' {
			parts = append(parts, fmt.Sprintf("%q:%v", n.names[i], k))
		} else {
			parts = append(parts, k.String())
		}
	}
	switch n.kind {
	case '{':
		return "{" + strings.Join(parts, ",") + "}"
	case '[':
		return "[" + strings.Join(parts, ",") + "]"
	}
	return fmt.Sprintf("%c%q", n.kind, n.text)
}

// place is the way to a node: names, or "" with elem for an element.
type place struct {
	name string
	elem bool
}

type modelPath []struct {
	deep bool
	what string // a name, "*" for .*, "[*]"
}

func (p modelPath) String() string {
	out := "$"
	for _, s := range p {
		dots := "."
		if s.deep {
			dots = ".."
		}
		if s.what == "[*]" && !s.deep {
			dots = ""
		}
		out += dots + s.what
	}
	return out
}

func loose(a, b string) bool {
	strip := func(s string) string { return strings.NewReplacer("_", "", "-", "").Replace(s) }
	return strings.EqualFold(strip(a), strip(b))
}

// matches tries every way to lay the path over the places.
func (p modelPath) matches(way []place, array bool, read reading) bool {
	if len(p) == 0 {
		return len(way) == 0
	}
	seg := p[0]
	decoration := seg.what == "[*]" && !seg.deep && read != readRows
	if decoration && len(p) > 1 && p[1:].matches(way, array, read) {
		return true
	}
	if len(way) == 0 {
		return decoration && len(p) == 1 && !array
	}
	if one(seg.what, way[0], read) && p[1:].matches(way[1:], array, read) {
		return true
	}
	through := way[0].elem && seg.what != "[*]" && read != readRows
	return (seg.deep || through) && p.matches(way[1:], array, read)
}

func one(what string, at place, read reading) bool {
	switch {
	case what == "*":
		return true
	case what == "[*]":
		return at.elem || read == readMask
	case at.elem:
		return false
	case read == readGrant:
		return what == at.name
	}
	return loose(what, at.name)
}

// leads reports whether the path names the place as a container on its way.
func (p modelPath) leads(way []place, named bool) bool {
	if len(way) == 0 {
		return named && len(p) > 0
	}
	if len(p) == 0 {
		return false
	}
	seg, at := p[0], way[0]
	if seg.what == "[*]" && !seg.deep && len(p) > 1 && p[1:].leads(way, named) {
		return true
	}
	if one(seg.what, at, readGrant) {
		still := seg.what != "*" && (seg.what != "[*]" || named && !seg.deep)
		if p[1:].leads(way[1:], still) {
			return true
		}
	}
	if seg.deep {
		return p.leads(way[1:], false)
	}
	return at.elem && seg.what != "[*]" && p.leads(way[1:], named)
}

// modelCond is a comparison, or parts joined by "any", "all" or "not".
type modelCond struct {
	field []string
	op    string
	value any // string, json.Number or a list
	parts []modelCond
}

func (c modelCond) cond() Cond {
	var parts []Cond
	for _, p := range c.parts {
		parts = append(parts, p.cond())
	}
	switch c.op {
	case "any":
		return Cond{Any: parts}
	case "all":
		return Cond{All: parts}
	case "not":
		return Cond{Not: &parts[0]}
	}
	return Cond{Field: strings.Join(c.field, "."), Op: c.op, Value: c.value, Missing: c.op != "exists" && c.value == nil}
}

type modelSpec struct {
	masks  []modelPath
	acts   []Action
	shows  []modelPath
	expose []modelPath
	rows   []modelPath
	conds  [][]modelCond // by row filter
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

// find gives the field, and whether there is more than one way to read it.
func (n *node) find(field []string) (found *node, ambiguous bool) {
	if len(field) == 0 {
		return n, false
	}
	if n.kind == '[' {
		return nil, true
	}
	var hit *node
	hits := 0
	for i, name := range n.names {
		if loose(name, field[0]) {
			hit = n.kids[i]
			if hits++; name != field[0] {
				return nil, true
			}
		}
	}
	switch hits {
	case 0:
		return nil, false
	case 1:
		return hit.find(field[1:])
	}
	return nil, true
}

// could says what a condition may come to if every comparison that is undefined
// may come to anything: both is undefined, and the row stays if it cannot be
// false. It is another way to say Kleene's logic.
func (c modelCond) could(n *node) (yes, no bool) {
	switch c.op {
	case "any", "all":
		each := c.op == "all"
		yes, no = each, !each
		for _, p := range c.parts {
			y, f := p.could(n)
			if each {
				yes, no = yes && y, no || f
			} else {
				yes, no = yes || y, no && f
			}
		}
		return yes, no
	case "not":
		yes, no = c.parts[0].could(n)
		return no, yes
	}
	is, ok := c.compare(n)
	return is || !ok, !is || !ok
}

// compare gives what a comparison comes to; ok is false where it is undefined.
func (c modelCond) compare(n *node) (is, ok bool) {
	f, ambiguous := n.find(c.field)
	switch {
	case ambiguous:
		return false, false
	case c.op == "exists":
		return f != nil, true
	case f == nil || c.value == nil:
		return false, false
	}
	equal := func(v any) (same, ok bool) {
		switch v := v.(type) {
		case string:
			return f.text == v, f.kind == '"'
		case json.Number:
			if f.kind != '-' {
				return false, false
			}
			a, _ := new(big.Rat).SetString(f.text)
			b, _ := new(big.Rat).SetString(v.String())
			return a.Cmp(b) == 0, true
		}
		panic("no such value")
	}
	within := map[string]func(text, part string) bool{
		"startswith": strings.HasPrefix, "endswith": strings.HasSuffix, "contains": strings.Contains,
	}
	if test := within[c.op]; test != nil {
		part, isText := c.value.(string)
		return test(f.text, part), isText && f.kind == '"'
	}
	list, isList := c.value.([]any)
	if !isList {
		list = []any{c.value}
	}
	ok = true
	for _, v := range list {
		same, comparable := equal(v)
		if same && comparable {
			return c.op == "eq" || c.op == "in", true
		}
		ok = ok && comparable
	}
	return c.op == "ne" || c.op == "not_in", ok
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

// out gives what is left of the node, or nil, and whether something shown or
// exposed is left.
func (m *modelSpec) out(n *node, way []place, parentIsArray bool, act Action, open bool) (left *node, shown, exposed bool) {
	if m.rowFails(n, way, parentIsArray) {
		return nil, false, false
	}
	array := n.kind == '['
	for i, p := range m.masks {
		if p.matches(way, array, readMask) {
			act = max(act, m.acts[i])
		}
	}
	lifted := anyMatch(m.shows, way, array)
	if lifted {
		act = noAction
	}
	exposed = !open && anyMatch(m.expose, way, array)
	open = open || exposed
	named := open || slices.ContainsFunc(m.expose, func(p modelPath) bool { return p.leads(way, true) })
	if n.kind != '{' && n.kind != '[' {
		switch {
		case act == Drop, !named:
			return nil, false, false
		case !open && act == noAction:
			return &node{kind: 'n'}, false, false
		case !open:
			return modelScalar(n, max(act, Redact)), false, false
		}
		return modelScalar(n, act), lifted && open, exposed
	}
	if n.kind == '{' && act != noAction && act < Redact {
		act = Redact
	}
	left = &node{kind: n.kind}
	var inShown, inExposed bool
	for i, kid := range n.kids {
		step := place{elem: true}
		if !array {
			step = place{name: n.names[i]}
		}
		l, s, e := m.out(kid, append(slices.Clone(way), step), array, act, open)
		if l == nil {
			continue
		}
		left.kids = append(left.kids, l)
		if !array {
			left.names = append(left.names, n.names[i])
		}
		inShown, inExposed = inShown || s, inExposed || e
	}
	replaced := act >= Redact && !inShown
	switch {
	case replaced && act == Drop, !named && (replaced || !inExposed):
		return nil, false, false
	case replaced:
		return modelScalar(&node{kind: '"'}, act), false, exposed
	}
	return left, inShown || lifted && (open || inExposed), exposed || inExposed
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

// Random documents and specs.

func pick[T any](r *rand.Rand, list ...T) T { return list[r.IntN(len(list))] }

func space(r *rand.Rand) string { return pick(r, "", "", "", " ", "\n\t", "\r\n  ") }

func genName(r *rand.Rand) string {
	return pick(r, `"a"`, `"a"`, `"b"`, `"b"`, `"c"`, `"A"`, `"_a"`, `"\u0062"`, `"B-"`, `"k"`, `"k"`, `"K"`, "\"\u212a\"", `""`, `"名前😀"`, `"a long name of 24 bytes!"`)
}

func genDoc(r *rand.Rand, b *strings.Builder, depth int) {
	b.WriteString(space(r))
	defer func() { b.WriteString(space(r)) }()
	if n := r.IntN(10); depth > 0 && n < 7 {
		object := n < 4
		b.WriteByte(map[bool]byte{true: '{', false: '['}[object])
		b.WriteString(space(r))
		for i := range r.IntN(4) {
			if i > 0 {
				b.WriteByte(',')
			}
			if object {
				b.WriteString(space(r) + genName(r) + space(r) + ":")
			}
			genDoc(r, b, depth-1)
		}
		b.WriteByte(map[bool]byte{true: '}', false: ']'}[object])
		return
	}
	b.WriteString(pick(r, "1", "1.0", "2", "-0.5e1", "123456789012", "true", "null", `"x"`, `"\u0078"`, `"y"`, `""`, `"😀 \"#]"`,
		fmt.Sprintf(`"planted%06x"`, r.IntN(1<<24)), fmt.Sprintf(`"planted%06x"`, r.IntN(1<<24))))
}

func genPath(r *rand.Rand) modelPath {
	p := make(modelPath, r.IntN(4))
	for i := range p {
		p[i].what = pick(r, "a", "a", "b", "b", "c", "*", "[*]", "[*]")
		p[i].deep = r.IntN(5) == 0
	}
	return p
}

func genPaths(r *rand.Rand, most int) []modelPath {
	out := make([]modelPath, r.IntN(most+1))
	for i := range out {
		out[i] = genPath(r)
	}
	return out
}

func genSpec(r *rand.Rand) *modelSpec {
	m := &modelSpec{masks: genPaths(r, 3)}
	for range m.masks {
		m.acts = append(m.acts, pick(r, Drop, Null, Redact, Partial))
	}
	if r.IntN(2) == 0 {
		m.shows = genPaths(r, 2)
	}
	if r.IntN(3) == 0 {
		m.expose = genPaths(r, 2)
	}
	if r.IntN(2) == 0 {
		m.rows = genPaths(r, 2)
	}
	for range m.rows {
		list := []modelCond{genCond(r, 3)}
		if r.IntN(4) == 0 {
			list = append(list, genCond(r, 1))
		}
		m.conds = append(m.conds, list)
	}
	return m
}

func genCond(r *rand.Rand, depth int) modelCond {
	if depth > 1 && r.IntN(2) == 0 {
		c := modelCond{op: pick(r, "any", "all", "not"), parts: []modelCond{genCond(r, depth-1)}}
		for c.op != "not" && len(c.parts) < 3 && r.IntN(3) > 0 {
			c.parts = append(c.parts, genCond(r, depth-1))
		}
		return c
	}
	c := modelCond{
		field: pick(r, []string{"k"}, []string{"a"}, []string{"b"}, []string{"a", "b"}),
		op:    pick(r, "eq", "ne", "in", "not_in", "exists", "startswith", "endswith", "contains"),
	}
	scalar := pick[any](r, "x", "y", "", json.Number("1"), json.Number("-5"), nil)
	switch c.op {
	case "in", "not_in":
		if scalar != nil {
			c.value = []any{scalar, pick[any](r, "x", json.Number("2"))}
		}
	case "exists":
	default:
		c.value = scalar
	}
	return c
}
