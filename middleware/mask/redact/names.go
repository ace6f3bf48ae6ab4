package redact

import "math/bits"

// names remembers what state names lead to, for as many names as records
// usually have. Names of up to 24 bytes are compared whole, as three words.
// Each has two places, so that two that share one do not drive each other out.
type names struct {
	cache *[256]knownName
	used  bool
	text  []byte
	fold  []byte
}

type knownName struct {
	from, to *state
	a, b, c  uint64
	n        int
}

// enter gives the state of the member of an object whose name, in quotes, is
// b[i:end].
func (e *engine) enter(s *state, b []byte, i, end int) *state {
	i++
	n := end - 1 - i
	if n > 24 {
		return e.lookUp(s, b[i-1:end])
	}
	var x, y, z uint64
	switch {
	case n <= 8:
		x = load8(b, i) & (1<<(8*n) - 1) // a shift by 64 gives 0, and that all ones
	case n <= 16:
		x, y = load8(b, i), load8(b, end-9)
	default:
		x, y, z = load8(b, i), load8(b, end-9), load8(b, i+8)
	}
	h := (x ^ bits.RotateLeft64(y, 23) ^ bits.RotateLeft64(z, 41) ^ s.salt) * 0x9e3779b97f4a7c15
	first := &e.names.cache[h>>56]
	if first.is(s, x, y, z, n) {
		return first.to
	}
	second := &e.names.cache[h>>56^1]
	if second.is(s, x, y, z, n) {
		return second.to
	}
	next := e.lookUp(s, b[i-1:end])
	*second = *first
	*first = knownName{s, next, x, y, z, n}
	e.names.used = true
	return next
}

func (k *knownName) is(s *state, x, y, z uint64, n int) bool {
	return k.from == s && k.a == x && k.b == y && k.c == z && k.n == n
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
