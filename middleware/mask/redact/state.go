package redact

import (
	"encoding/binary"
	"sync"
	"sync/atomic"
)

// state is everything that the way to a value says about it: a state of the
// deterministic automaton, made when a text first leads there. States are
// shared by all texts under a plan.
type state struct {
	// Until it is judged; what is inside the value goes on from there.
	at   set // positions in all paths
	firm set // those that an exposed path leads to by name, not by ".." or ".*"

	mask verdict // strictest mask of the containers
	open bool    // a container is exposed, or there is nothing to expose
	mute bool    // a container is not sent
	// known says that nothing need be detected at the value or inside, named that
	// it is, or is an element of, what a member holds that an exposed path names.
	known, named bool
	sensitive    bool // a container is

	// seen are the fields whose path the name before the value continues,
	// blurred those whose path it would continue in another spelling.
	seen, blurred []fieldAt

	fields bool // there are any of these

	// What becomes of the value, by what it is.
	scalar, object, array judged

	elem   atomic.Pointer[state]
	member []atomic.Pointer[shelf] // by symbol, a shelf for each few
	salt   uint64                  // tells states apart in hashes
	kept   bool                    // it may be referred to
}

// shelf is where a state has those of its members whose symbols follow each other.
// Most states have members of few symbols, whatever many the plan has.
type shelf [shelfSize]atomic.Pointer[state]

const shelfSize = 64

// fieldAt is a place on the way to a field of a condition: behind names of its
// path are behind.
type fieldAt struct{ field, behind int }

// Bounds of the states that a plan keeps: how many, and how many bytes of them, of
// which every path has as much as the one where it ends takes. Those beyond are
// made anew each time they are needed.
const (
	maxStates      = 4096
	minStates      = 64 // are kept, however large
	maxStateMemory = 1 << 20
	pathMemory     = 1 << 10
)

// stateMemory is about what a state takes beside its sets, its members and its
// key, in bytes: for itself and its place among the known.
const stateMemory = 768

// machine is the automaton of a plan with the states that were needed so far.
type machine struct {
	automaton
	plan  *Plan
	start *state
	idle  *state // stands for all that is dead, where names mean nothing
	mu    sync.Mutex
	known map[string]*state
	free  int // bytes that more of them may take
	salt  uint64
}

func newMachine(p *Plan) *machine {
	m := &machine{plan: p, idle: &state{kept: true}, known: map[string]*state{}}
	m.build(p)
	m.free = maxStateMemory + pathMemory*len(p.patterns)
	v := m.allot(2)
	for _, i := range m.first[:len(p.patterns)] {
		v[0].add(i)
	}
	for i := v[0].next(m.expose.from, m.expose.to); i >= 0; i = v[0].next(i+1, m.expose.to) {
		v[1].add(i)
	}
	s := &state{at: v[0], firm: v[1], open: p.expose == 0}
	m.close(s)
	m.start = m.intern(s)
	return m
}

// member gives the state of a member by that symbol in an object of state s.
func (m *machine) member(s *state, sym symbol) *state {
	at := s.member[sym/shelfSize].Load()
	if at != nil {
		if next := at[sym%shelfSize].Load(); next != nil {
			return next
		}
	}
	next := m.intern(m.step(&s.object, sym))
	if !next.kept || !s.kept {
		return next
	}
	if at == nil {
		at = m.shelf(s, sym)
	}
	if at != nil {
		at[sym%shelfSize].Store(next)
	}
	return next
}

// shelf gives the place of a state for members by that symbol and those next to
// it. It is nil where there is no more room.
func (m *machine) shelf(s *state, sym symbol) *shelf {
	m.mu.Lock()
	defer m.mu.Unlock()
	at := s.member[sym/shelfSize].Load()
	if at == nil && (m.free > 0 || len(m.known) <= minStates) {
		at = new(shelf)
		m.free -= 8 * shelfSize
		s.member[sym/shelfSize].Store(at)
	}
	return at
}

// elem gives the state of the elements of an array of state s.
func (m *machine) elem(s *state) *state {
	if next := s.elem.Load(); next != nil {
		return next
	}
	next := m.intern(m.step(&s.array, symElem))
	if next.kept {
		s.elem.Store(next)
	}
	return next
}

// step makes the state behind a container.
func (m *machine) step(j *judged, sym symbol) *state {
	v := m.allot(2)
	s := &state{at: v[0], firm: v[1], mask: j.mask, open: j.open, mute: j.muted, known: j.known, named: j.called && sym == symElem, sensitive: j.sensitive}
	match := m.match[sym]
	var carry, firmCarry uint64
	for w := range s.at {
		at, firm := j.at[w], j.firm[w]
		hit := at & match[w]
		firmHit := hit&m.byName[w] | firm&match[w]&m.plain[w]
		s.at[w] = hit<<1 | carry | at&m.deep[w]
		s.firm[w] = firmHit<<1 | firmCarry
		carry, firmCarry = hit>>63, firmHit>>63
		if sym == symElem {
			s.at[w] |= at & m.through[w]
			s.firm[w] |= firm & m.through[w]
		}
	}
	for _, i := range m.near[sym] {
		if j.at.has(int(i)) {
			s.at.add(int(i) + 1 + len(m.fieldOf(int(i)).path))
		}
	}
	m.close(s)
	return s
}

// close adds the positions behind [*] where it is decoration: in the middle of
// a path that looks through arrays anyway.
func (a *automaton) close(s *state) {
	for again := true; again; {
		again = false
		var carry, firmCarry uint64
		for w := range s.at {
			hit, firmHit := s.at[w]&a.skip[w], s.firm[w]&a.skip[w]
			more, moreFirm := hit<<1|carry, firmHit<<1|firmCarry
			again = again || more&^s.at[w] != 0 || moreFirm&^s.firm[w] != 0
			s.at[w] |= more
			s.firm[w] |= moreFirm
			carry, firmCarry = hit>>63, firmHit>>63
		}
	}
}

// fieldOf gives the field that a position belongs to.
func (a *automaton) fieldOf(i int) *fieldPath {
	for f := range a.fields {
		if i <= a.fields[f].last() {
			return &a.fields[f]
		}
	}
	return nil
}

// intern gives the one state that is equal to s. Positions that cannot matter
// any more are removed beforehand, so that few states are.
func (m *machine) intern(s *state) *state {
	if s.mute {
		s.at.clear(span{m.masks.from, m.expose.to})
		s.at.clear(span{m.each, m.each + len(m.plan.filters)})
		s.mask, s.open, s.known = verdict{}, true, m.plan.detect != nil
		s.sensitive = m.plan.sensitive > 0
	}
	if s.sensitive {
		s.at.clear(m.sensitiveAt)
	}
	if s.known {
		s.at.clear(span{m.knownAt.from, m.namedAt.to})
		s.named = false
	}
	if s.open {
		s.at.clear(m.expose)
		clear(s.firm)
	}
	key := s.key()
	m.mu.Lock()
	defer m.mu.Unlock()
	if old := m.known[string(key)]; old != nil {
		return old
	}
	m.judge(s)
	m.salt += 0x6a09e667f3bcc909
	s.salt = m.salt
	size := stateMemory + len(key) + s.shed()
	if len(m.known) < minStates || len(m.known) < maxStates && size <= m.free {
		m.free -= size
		s.kept = true
		m.known[string(key)] = s
	}
	return s
}

// shed forgets the sets that a judged state has no use for, and gives how many
// bytes what is left of its sets and its members takes. Most states of a plan with
// many paths are those where one of them ends, and nothing inside matters.
func (s *state) shed() int {
	words := 0
	s.at, s.firm, s.scalar.at, s.scalar.firm = nil, nil, nil, nil
	for _, j := range []*judged{&s.object, &s.array} {
		if j.dead {
			j.at, j.firm = nil, nil
		}
		words += len(j.at) + len(j.firm)
	}
	return 8 * (words + len(s.member))
}

// key is what makes two states equal: the words of its sets that are not 0, each
// behind its place, and what else it says.
func (s *state) key() []byte {
	b := make([]byte, 0, 64)
	for w := range s.at {
		if s.at[w]|s.firm[w] != 0 {
			b = binary.LittleEndian.AppendUint32(b, uint32(w)+1)
			b = binary.LittleEndian.AppendUint64(b, s.at[w])
			b = binary.LittleEndian.AppendUint64(b, s.firm[w])
		}
	}
	b = binary.LittleEndian.AppendUint32(b, 0)
	b = binary.LittleEndian.AppendUint32(append(b, byte(s.mask.action)), uint32(s.mask.rule))
	flags := byte(0)
	if s.open {
		flags |= 1
	}
	if s.mute {
		flags |= 2
	}
	if s.known {
		flags |= 4
	}
	if s.named {
		flags |= 8
	}
	if s.sensitive {
		flags |= 16
	}
	return append(b, flags)
}
