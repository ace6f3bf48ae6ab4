package memo

import (
	"cmp"
	"encoding/binary"
	"slices"

	"github.com/open-policy-agent/opa/v1/ast"

	"github.com/gatehouse-dev/gatehouse/policies"
)

// accessor gives the view of one path.
type accessor struct {
	member
	steps []Step
}

// show makes v the view of what is at the path.
func (a *accessor) show(in *policies.Input, v *view) {
	a.member.show(in, v)
	for i := range a.steps {
		if a.steps[i].IsIndex && v.shape == list { // of every segment of a path
			if v.shape = absent; a.steps[i].Index < len(v.list) {
				v.shape, v.text = text, v.list[a.steps[i].Index]
			}
			continue
		}
		*v = v.step(a.steps[i])
	}
}

func (a *accessor) view(in *policies.Input) (v view) {
	a.show(in, &v)
	return v
}

// probe is a slot, ready to be written.
type probe struct {
	kind   Kind
	op     string
	one    accessor
	two    accessor
	pair   bool
	again  bool // one is that of the probe before
	consts []ast.Value
	texts  []string // the constants of == and in, where all are text
	table  *table
	inputs []accessor // of a Lookup
}

// keyer writes the keys of one plan.
type keyer struct {
	number uint64 // of the plan: plans share one table
	fixed  []fixedValue
	probes []probe
}

// fixedValue is a constant that the plan relies on.
type fixedValue struct {
	at   accessor
	want view
}

// binder turns plans into keyers. Tables of base data are shared.
type binder struct {
	leaves []leaf
	data   map[string]any
	tables map[string]*table
}

func (b *binder) bind(p *Plan, number uint64) *keyer {
	k := &keyer{number: number}
	for path, v := range p.Fixed {
		at, group := b.access(ParsePath(path))
		want := view{}
		if text, ok := v.(string); ok {
			want = textView(text)
		}
		if len(group) > 0 {
			at = accessor{member: witness(group)}
		}
		k.fixed = append(k.fixed, fixedValue{at, want})
	}
	for i := range p.Slots {
		k.probes = append(k.probes, b.probes(&p.Slots[i])...)
	}
	// What is asked of one path stands together: it is looked at once.
	slices.SortStableFunc(k.probes, func(a, b probe) int {
		return cmp.Or(cmp.Compare(a.one.member, b.one.member), cmp.Compare(Path(a.one.steps).String(), Path(b.one.steps).String()))
	})
	for i := 1; i < len(k.probes); i++ {
		a, b := &k.probes[i-1].one, &k.probes[i].one
		k.probes[i].again = a.member == b.member && slices.Equal(a.steps, b.steps)
	}
	return k
}

// access finds the member that a path leads to. Where it leads to a group of
// members, those are given instead.
func (b *binder) access(p Path) (accessor, []leaf) {
	var group []leaf
	for _, l := range b.leaves {
		if p.within(l.path) {
			return accessor{member: l.member, steps: p[len(l.path):]}, nil
		}
		if l.path.within(p) {
			group = append(group, l)
		}
	}
	return accessor{}, group
}

// probes are the parts of the key that hold a slot. A group of members is held
// member by member, whatever is asked of it.
func (b *binder) probes(s *Slot) []probe {
	var groups []leaf
	single := func(p Path) accessor {
		a, group := b.access(p)
		groups = append(groups, group...)
		return a
	}
	var one probe
	switch {
	case s.Kind == Exists:
		return b.exists(s.Path)
	case s.Kind == Lookup:
		one = probe{kind: Lookup, table: b.table(s)}
		for _, p := range s.paths() {
			one.inputs = append(one.inputs, single(p))
		}
	default:
		one = probe{kind: s.Kind, op: s.Op, one: single(s.Path), consts: s.Consts, pair: s.two}
		if s.two {
			one.two = single(s.Other)
		} else if s.Op == opEqual || s.Op == opIn {
			one.texts = textsOf(s.Consts)
		}
	}
	if len(groups) == 0 {
		return []probe{one}
	}
	var all []probe
	for _, p := range s.paths() {
		a, group := b.access(p)
		for _, l := range group {
			all = append(all, probe{kind: Value, one: accessor{member: l.member}})
		}
		if len(group) == 0 {
			all = append(all, probe{kind: Value, one: a})
		}
	}
	return all
}

// textsOf gives the constants as texts, or nil where not all are.
func textsOf(consts []ast.Value) []string {
	var all []string
	for _, c := range consts {
		t, ok := c.(ast.String)
		if !ok {
			return nil
		}
		all = append(all, string(t))
	}
	return all
}

// witness is the member of a group that is there whenever the group is. Only
// the subject may be missing, and with it its id is.
func witness(group []leaf) member {
	for _, l := range group {
		if l.path[0].Name != "subject" && l.member != body {
			return l.member
		}
	}
	return group[0].member
}

// exists gives nothing for what is always there: all but the subject, the body,
// and what is inside of others.
func (b *binder) exists(p Path) []probe {
	a, group := b.access(p)
	if len(group) > 0 {
		a = accessor{member: witness(group)}
	}
	always := a.member >= actionMethod && a.member != body && len(a.steps) == 0
	if always {
		return nil
	}
	return []probe{{kind: Exists, one: a}}
}

// trim takes out of a plan that there is what always is.
func (b *binder) trim(p *Plan) {
	p.Slots = slices.DeleteFunc(p.Slots, func(s Slot) bool { return s.Kind == Exists && len(b.exists(s.Path)) == 0 })
}

// holds reports whether the plan's constants are those of the question.
func (k *keyer) holds(in *policies.Input) bool {
	for i := range k.fixed {
		f := &k.fixed[i]
		var v view
		if f.at.show(in, &v); v.shape != f.want.shape || v.text != f.want.text {
			return false
		}
	}
	return true
}

// key appends the key of a question. It reports false where a value cannot be
// written.
func (k *keyer) key(dst []byte, in *policies.Input) ([]byte, bool) {
	dst = binary.AppendUvarint(dst, k.number)
	var v view
	ok := true
	for i := range k.probes {
		p := &k.probes[i]
		if !p.again {
			p.one.show(in, &v)
		}
		switch p.kind {
		case Value:
			if v.shape == text {
				dst = appendText(append(dst, tagText), v.text)
				continue
			}
			dst, ok = appendView(dst, v, 0)
		case Exists:
			tag := tagPresent
			if v.shape == absent {
				tag = tagAbsent
			}
			dst = append(dst, tag)
		case Keys:
			dst = appendKeys(dst, v)
		case Test:
			if p.texts != nil && v.shape == text {
				dst = append(dst, truth(slices.Contains(p.texts, v.text)))
				continue
			}
			dst, ok = p.test(dst, &v, in)
		case Lookup:
			dst, ok = p.lookup(dst, in)
		}
		if !ok {
			return dst, false
		}
	}
	return dst, true
}
