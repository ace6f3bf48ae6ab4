package redact

import (
	"math"
	"math/bits"
)

// names remembers what state names lead to, for as many names as records
// usually have. Each has four slots, so that those that share one do not drive
// each other out.
//
// Records are alike: the name that follows a name is mostly the one that
// followed it last time. So each remembers its follower, and a name that is
// expected is compared instead of being read.
type names struct {
	cache *[nameSlots]knownName
	used  bool
	last  uint8 // slot of the name that was found last
	turn  uint8 // which of the slots of a name is taken next
	text  []byte
	fold  []byte
}

// nameSlots is how many names are remembered.
const (
	nameSlots = 256
	ways      = 4
)

// knownName is a name of up to 23 bytes with the quote behind it, as three
// words that overlap: the first eight bytes, the last eight, and those from the
// ninth on. Of a shorter name the first two are the same, and mask says what of
// them counts.
type knownName struct {
	from, to *state
	a, b, c  uint64
	mask     uint64
	n        uint8 // length with the quote
	second   uint8 // offset of the second word
	next     uint8 // slot of the name that followed
}

const longestKnown = 24

// next gives the slot of the name that is expected.
func (n *names) next() uint8 { return n.cache[n.last].next }

// expected gives the name that is expected.
func (n *names) expected() *knownName { return &n.cache[n.next()] }

// stands reports whether the name stands in b at i.
func (k *knownName) stands(b []byte, i int) bool {
	return ((load8(b, i)^k.a)|(load8(b, i+int(k.second))^k.b))&k.mask == 0 && (k.n <= 16 || load8(b, i+8) == k.c)
}

// enter gives the state of the member of an object whose name, in quotes, is
// b[i:end].
func (e *engine) enter(s *state, b []byte, i, end int) *state {
	k := knownName{from: s, n: uint8(end - 1 - i), mask: math.MaxUint64}
	switch n := end - 1 - i; {
	case n > longestKnown:
		if s == e.m.idle {
			return nil
		}
		return e.lookUp(s, b[i:end])
	case n < 8:
		k.mask = 1<<(8*n) - 1
	default:
		k.second = uint8(n - 8)
	}
	k.a = load8(b, i+1) & k.mask
	k.b = load8(b, i+1+int(k.second)) & k.mask
	if k.n > 16 {
		k.c = load8(b, i+9)
	}
	h := (k.a ^ bits.RotateLeft64(k.b, 23) ^ bits.RotateLeft64(k.c, 41) ^ s.salt) * 0x9e3779b97f4a7c15
	h = (h ^ h>>32) * 0x9e3779b97f4a7c15
	slot := e.slot(uint8(h>>56), &k)
	known := &e.names.cache[slot]
	if !known.is(&k) {
		if s != e.m.idle { // there, a name is known only so that it can be expected
			k.to = e.lookUp(s, b[i:end])
		}
		*known = k
		e.names.used = true
	}
	e.names.cache[e.names.last].next = slot
	e.names.last = slot
	return known.to
}

// slot gives the slot of the name k, or one for it.
func (e *engine) slot(first uint8, k *knownName) uint8 {
	for way := range uint8(ways) {
		known := &e.names.cache[first^way]
		if known.from == nil || known.is(k) {
			return first ^ way
		}
	}
	e.names.turn++
	return first ^ e.names.turn%ways
}

// is reports whether k is the name of l in the same state.
func (k *knownName) is(l *knownName) bool {
	return k.from == l.from && k.a == l.a && k.b == l.b && k.c == l.c && k.n == l.n
}

// lookUp finds the state by the spelling of the name, which counts if a path
// asks for it, and otherwise by its loose form.
func (e *engine) lookUp(s *state, quoted []byte) *state {
	ok := true
	m := e.m
	e.names.text, ok = unquote(e.names.text[:0], quoted)
	sym := symOther
	if ok {
		var found bool
		if sym, found = m.exact[string(e.names.text)]; !found {
			e.names.fold = appendFold(e.names.fold[:0], e.names.text)
			sym = m.loose[string(e.names.fold)] // or symOther
		}
	}
	return m.member(s, sym)
}
