package memo

import (
	"encoding/binary"

	"github.com/gatehouse-dev/gatehouse/policies"
)

// table holds what base data have wherever the values of some members of input
// may lead. Equal values have one number, so that everybody of whom the data
// say the same shares a key.
type table struct {
	root *place
}

// place is a point on the way through base data.
type place struct {
	next map[string]*place // by the value of the next member of input
	// odd is a place whose members are not an object's: where a reference
	// leads from there is left to the engine.
	odd   bool
	end   bool
	value uint64 // the number of the value found, at the end
}

// table builds or reuses the table of a slot.
func (b *binder) table(s *Slot) *table {
	id := s.id()
	if t := b.tables[id]; t != nil {
		return t
	}
	numbers := map[string]uint64{}
	t := &table{root: build(b.data, s.Steps, numbers)}
	b.tables[id] = t
	return t
}

// build gives nil where there is nothing.
func build(at any, steps []DataStep, numbers map[string]uint64) *place {
	for i, s := range steps {
		if s.Dynamic {
			return branch(at, steps[i+1:], numbers)
		}
		// An index into an object, a name into an array: the engine's store
		// has ideas of its own about those.
		if _, isArray := at.([]any); isArray != s.IsIndex {
			return &place{odd: true}
		}
		v := look(at).step(s.Step)
		if v.shape == absent {
			return nil
		}
		if at = inside(at, s.Step); at == nil && v.shape != null {
			return &place{odd: true}
		}
	}
	key, ok := appendView(nil, look(at), 0)
	if !ok {
		return &place{odd: true}
	}
	n, known := numbers[string(key)]
	if !known {
		n = uint64(len(numbers))
		numbers[string(key)] = n
	}
	return &place{end: true, value: n}
}

func branch(at any, rest []DataStep, numbers map[string]uint64) *place {
	m, ok := at.(map[string]any)
	if !ok {
		return &place{odd: true}
	}
	p := &place{next: make(map[string]*place, len(m))}
	for name, e := range m {
		if next := build(e, rest, numbers); next != nil {
			p.next[name] = next
		}
	}
	return p
}

// inside takes a step that is known to lead somewhere.
func inside(at any, s Step) any {
	switch v := at.(type) {
	case map[string]any:
		return v[s.Name]
	case []any:
		if s.IsIndex {
			return v[s.Index]
		}
	}
	return nil
}

// lookup appends what base data hold: the number of the value, or that there
// is none. Where the way is not one of names through objects the values of
// input stand in the key instead.
func (p *probe) lookup(dst []byte, in *policies.Input) ([]byte, bool) {
	at := p.table.root
	var v view
	for i := range p.inputs {
		p.inputs[i].show(in, &v)
		switch {
		case v.shape == absent:
			return append(dst, tagAbsent), true
		case at == nil:
			return append(dst, tagNowhere), true
		case at.odd || v.shape != text:
			return p.raw(dst, in)
		}
		at = at.next[v.text]
	}
	switch {
	case at == nil:
		return append(dst, tagNowhere), true
	case at.odd:
		return p.raw(dst, in)
	}
	return binary.AppendUvarint(append(dst, tagKnown), at.value), true
}

func (p *probe) raw(dst []byte, in *policies.Input) ([]byte, bool) {
	dst, ok := append(dst, tagRaw), true
	for i := range p.inputs {
		if dst, ok = appendView(dst, p.inputs[i].view(in), 0); !ok {
			return dst, false
		}
	}
	return dst, true
}
