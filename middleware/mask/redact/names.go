package redact

import "math/bits"

// names remembers what state names lead to, for as many names as records
// usually have. Each has eight slots, so that those that share one do not drive
// each other out.
//
// Records are alike: the name that follows a name is mostly the one that
// followed it last time. So each remembers its follower, and a name that is
// expected is compared instead of being read.
type names struct {
	cache *[nameSlots]knownName
	used  bool
	// patience is how many more names that mean nothing are remembered in what
	// is read at a time. Where they are not alike it does not pay.
	patience int
	last     uint8 // slot of the name that was found last
	turn     uint8 // which of the slots of a name is taken next
	text     []byte
	fold     []byte
}

// nameSlots is how many names are remembered, ways how many slots each has.
const (
	patience  = 64
	nameSlots = 256
	ways      = 8
)

// knownName is a name of up to 21 bytes with its quotes and a colon behind it,
// as three words that overlap: the first eight bytes, the last eight, and those
// from the ninth on. Of a shorter name the first two are the same, and mask says
// what of them counts.
type knownName struct {
	from, to *state
	a, b, c  uint64
	mask     uint64
	n        uint8 // length of all that
	second   uint8 // offset of the second word
	next     uint8 // slot of the name that followed
}

const longestKnown = 24

// next gives the slot of the name that is expected.
func (n *names) next() uint8 { return n.cache[n.last].next }

// expected gives the name that is expected.
func (n *names) expected() *knownName { return &n.cache[n.next()] }

// stands reports whether the name stands in b at i, with a colon behind it.
func (k *knownName) stands(b []byte, i int) bool {
	return ((load8(b, i)^k.a)|(load8(b, i+int(k.second))^k.b))&k.mask == 0 && (k.n <= 16 || load8(b, i+8) == k.c)
}

// enter gives the state of the member of an object whose name, in quotes, is
// b[i:end].
func (e *engine) enter(s *state, b []byte, i, end int) *state {
	n := end - i + 1
	if n > longestKnown {
		return e.lookUp(s, b[i:end])
	}
	mask, second := uint64(1)<<(8*min(n, 8))-1, max(n-8, 0) // a shift by 64 gives 0, and that all ones
	colon := 8 * (n - 1 - second)                           // where space may stand
	x, y, z := load8(b, i), load8(b, i+second)&mask&^(0xff<<colon)|':'<<colon, uint64(0)
	if n <= 8 {
		x = y
	}
	if n > 16 {
		z = load8(b, i+8)
	}
	hi, lo := bits.Mul64(x^s.salt, y^bits.RotateLeft64(z, 32)^0x9e3779b97f4a7c15)
	first, cache := uint8((hi^lo)>>56), e.names.cache
	for way := range uint8(ways) {
		k := &cache[first^way]
		if k.a == x && k.b == y && k.from == s && k.c == z && int(k.n) == n {
			e.names.follow(first ^ way)
			return k.to
		}
	}
	to := e.lookUp(s, b[i:end])
	if !s.kept || to != nil && !to.kept {
		return to // what the plan does not keep is not kept here
	}
	slot := e.names.room(first)
	cache[slot] = knownName{from: s, to: to, a: x, b: y, c: z, mask: mask, n: uint8(n), second: uint8(second)}
	e.names.used = true
	e.names.follow(slot)
	return to
}

// follow notes that the name in the slot is the one that was found last.
func (n *names) follow(slot uint8) {
	n.cache[n.last].next = slot
	n.last = slot
}

// room gives a slot for a new name, one that is empty if there is one.
func (n *names) room(first uint8) uint8 {
	for way := range uint8(ways) {
		if n.cache[first^way].from == nil {
			return first ^ way
		}
	}
	n.turn++
	return first ^ n.turn%ways
}

// lookUp finds the state by the spelling of the name, which counts if a path
// asks for it, and otherwise by its loose form.
func (e *engine) lookUp(s *state, quoted []byte) *state {
	ok, m := true, e.m
	if s == m.idle {
		return nil // there, a name is known only so that it can be expected
	}
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
