package memo

import (
	"encoding/binary"
	"slices"

	"github.com/open-policy-agent/opa/v1/ast"

	"github.com/gatehouse-dev/gatehouse/policies"
)

// accessor gives the view of one path.
type accessor struct {
	get   func(*policies.Input) view // nil: nothing can be there
	steps []Step
}

func (a *accessor) view(in *policies.Input) view {
	if a.get == nil {
		return view{}
	}
	v := a.get(in)
	for _, s := range a.steps {
		v = v.step(s)
	}
	return v
}

// probe is a slot, ready to be written.
type probe struct {
	kind   Kind
	op     string
	one    accessor
	two    accessor
	pair   bool
	consts []ast.Value
	table  *table
	inputs []accessor // of a Lookup
}

// keyer writes the keys of one plan.
type keyer struct {
	number uint64 // of the plan: plans share one table
	fixed  []fixedText
	probes []probe
}

// fixedText is a constant that the plan relies on.
type fixedText struct {
	at   accessor
	text string
}

// binder turns plans into keyers. Tables of base data are shared.
type binder struct {
	leaves []leaf
	data   map[string]any
	tables map[string]*table
}

func (b *binder) bind(p *Plan, number uint64) *keyer {
	k := &keyer{number: number}
	for path, text := range p.Fixed {
		at, _ := b.access(ParsePath(path))
		k.fixed = append(k.fixed, fixedText{at, text})
	}
	for i := range p.Slots {
		k.probes = append(k.probes, b.probes(&p.Slots[i])...)
	}
	return k
}

// access finds the member that a path leads to. Where it leads to a group of
// members, those are given instead.
func (b *binder) access(p Path) (accessor, []leaf) {
	var group []leaf
	for _, l := range b.leaves {
		if p.within(l.path) {
			return accessor{get: l.get, steps: p[len(l.path):]}, nil
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
		}
	}
	if len(groups) == 0 {
		return []probe{one}
	}
	var all []probe
	for _, p := range s.paths() {
		a, group := b.access(p)
		for _, l := range group {
			all = append(all, probe{kind: Value, one: accessor{get: l.get}})
		}
		if len(group) == 0 {
			all = append(all, probe{kind: Value, one: a})
		}
	}
	return all
}

// exists: of the groups only the subject may be missing, and then its id is.
func (b *binder) exists(p Path) []probe {
	a, group := b.access(p)
	if len(group) == 0 {
		return []probe{{kind: Exists, one: a}}
	}
	i := slices.IndexFunc(group, func(l leaf) bool { return l.path[0].Name != "subject" })
	if i >= 0 {
		return nil
	}
	return []probe{{kind: Exists, one: accessor{get: group[0].get}}}
}

// holds reports whether the plan's constants are those of the question.
func (k *keyer) holds(in *policies.Input) bool {
	for i := range k.fixed {
		if v := k.fixed[i].at.view(in); v.shape != text || v.text != k.fixed[i].text {
			return false
		}
	}
	return true
}

// key appends the key of a question. It reports false where a value cannot be
// written.
func (k *keyer) key(dst []byte, in *policies.Input) ([]byte, bool) {
	dst = binary.AppendUvarint(dst, k.number)
	ok := true
	for i := range k.probes {
		p := &k.probes[i]
		switch p.kind {
		case Value:
			dst, ok = appendView(dst, p.one.view(in), 0)
		case Exists:
			if p.one.view(in).shape == absent {
				dst = append(dst, tagAbsent)
			} else {
				dst = append(dst, tagPresent)
			}
		case Keys:
			dst = appendKeys(dst, p.one.view(in))
		case Test:
			dst, ok = p.test(dst, in)
		case Lookup:
			dst, ok = p.lookup(dst, in)
		}
		if !ok {
			return dst, false
		}
	}
	return dst, true
}
