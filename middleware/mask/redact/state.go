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
	at   set     // positions in all paths
	firm set     // those that an exposed path leads to by name, not by ".." or ".*"
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
	member []atomic.Pointer[state] // by symbol
	salt   uint64                  // tells states apart in hashes
	kept   bool                    // it may be referred to
}

// fieldAt is a place on the way to a field of a condition: behind names of its
// path are behind.
type fieldAt struct{ field, behind int }

// Bounds of the states that a plan keeps: how many, and, of large ones that many
// paths make, how many bytes of them. Those beyond are made anew each time they
// are needed.
const (
	maxStates      = 4096
	minStates      = 64
	maxStateMemory = 1 << 20
)

// machine is the automaton of a plan with the states that were needed so far.
type machine struct {
	automaton
	plan  *Plan
	start *state
	idle  *state // stands for all that is dead, where names mean nothing
	mu    sync.Mutex
	known map[string]*state
	most  int // how many of them may be
	salt  uint64
}

func newMachine(p *Plan) *machine {
	m := &machine{plan: p, idle: &state{kept: true}, known: map[string]*state{}}
	m.build(p)
	// A state has eight sets, its key is two, and a place for each symbol.
	size := 1<<10 + 8*(10*m.words+len(m.match))
	m.most = max(minStates, min(maxStates, maxStateMemory/size))
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
	if next := s.member[sym].Load(); next != nil {
		return next
	}
	next := m.intern(m.step(&s.object, sym))
	if next.kept {
		s.member[sym].Store(next)
	}
	return next
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
	if len(m.known) < m.most {
		s.kept = true
		m.known[string(key)] = s
	}
	return s
}

// key is what makes two states equal.
func (s *state) key() []byte {
	b := make([]byte, 0, 16*len(s.at)+6)
	for w := range s.at {
		b = binary.LittleEndian.AppendUint64(b, s.at[w])
		b = binary.LittleEndian.AppendUint64(b, s.firm[w])
	}
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
