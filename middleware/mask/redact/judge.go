package redact

import (
	"math/bits"
	"slices"
	"sync/atomic"
)

// fate is what becomes of a value.
type fate uint8

const (
	kept    fate = iota // it stays, perhaps replaced
	dropped             // a mask removed it
	hidden              // it is not exposed
	denied              // a row filter removed it
)

// deed is what is done to a scalar, or to a dead container.
type deed uint8

const (
	copyIt deed = iota
	maskIt
	nullIt // it is not exposed, and stands where a container was expected
	dropIt // by a mask
	hideIt // because it is not exposed
	denyIt // by a row filter, whatever it is
)

func (d deed) removes() bool { return d >= dropIt }

// judged is what a state means for a value of one type.
type judged struct {
	// For what is inside: positions, mask, whether it is exposed, and whether
	// it is not sent.
	at, firm set
	mask     verdict
	open     bool
	muted    bool

	plain  bool // a scalar is copied, a container entered, and that is all
	dead   bool // nothing inside a container can be of interest
	simple bool // the deed is all there is to do

	deed deed // what is done to a scalar, or to a container that is dead and simple
	raw  bool // its text is needed for that, for a condition, or to be looked at

	detects bool // a scalar is looked at
	counted bool // a scalar counts as sensitive
	known   bool // nothing need be detected, here or inside
	// sensitive says that the value is, and all inside.
	sensitive bool

	called bool // an exposed path names the member whose value it is, or is an element of

	lifted  bool // a show matches
	shows   bool // and what it matches is exposed
	exposes bool // an exposed path matches
	hides   bool // nothing exposed can be inside
	denies  bool // a row filter removes it, whatever it is
	named   bool // if something were to be exposed, this is named on the way to it
	whole   bool // a container is replaced, unless something inside is shown
	tried   bool // what becomes of a container turns out at its end
	removes bool // then it may have to be taken back

	found   bool // a row filter selects the value, or elements of it
	awaits  bool // a row filter selects elements that may not be there
	filters []int
	landed  []int     // fields that the value is
	blurred []fieldAt // fields that are somewhere behind this array
}

// judge works out what a state means.
func (m *machine) judge(s *state) {
	for i := range m.fields {
		f := &m.fields[i]
		for at := s.at.next(f.at+1, f.last()+1); at >= 0; at = s.at.next(at+1, f.last()+1) {
			if at <= f.end() {
				s.seen = append(s.seen, fieldAt{i, at - f.at})
			} else {
				s.blurred = append(s.blurred, fieldAt{i, at - f.end()})
				s.at.remove(at)
			}
		}
	}
	s.fields = len(s.seen)+len(s.blurred) > 0
	s.scalar = m.judgeKind(s, '"')
	s.object = m.judgeKind(s, '{')
	s.array = m.judgeKind(s, '[')
	m.judgeScalar(s)
	m.judgeContainer(&s.object, true)
	m.judgeContainer(&s.array, false)
	if !s.object.dead {
		s.member = make([]atomic.Pointer[shelf], (len(m.match)+shelfSize-1)/shelfSize)
	}
}

// judgeKind judges a value that starts with c.
func (m *machine) judgeKind(s *state, c byte) judged {
	v := m.allot(2)
	j := judged{at: v[0], firm: v[1], mask: s.mask, open: s.open, muted: s.mute, named: true}
	copy(j.at, s.at)
	copy(j.firm, s.firm)
	array := c == '['
	if !s.mute {
		m.judgeMasks(s, &j, array)
		if !j.open && m.accepts(s.at, m.expose, array) >= 0 {
			j.open, j.exposes = true, true
		}
		if j.shows = j.lifted && j.open; !j.open {
			m.judgeWay(s, &j)
		}
		if m.plan.detect != nil {
			j.known = s.known || j.lifted || m.accepts(s.at, m.knownAt, array) >= 0
			j.called = s.named || m.accepts(s.at, m.namedAt, array) >= 0
		}
		if m.plan.sensitive > 0 {
			j.sensitive = s.sensitive || m.accepts(s.at, m.sensitiveAt, array) >= 0
		}
	}
	m.judgeRows(s, &j, c)
	return j
}

// accepts gives the position at which a path of the range matches the value,
// the first if there are several, or -1.
func (a *automaton) accepts(at set, r span, array bool) int {
	if r.from >= r.to {
		return -1
	}
	// A word at a time: where paths begin with "..", all of them are on their way.
	for w := r.from >> 6; w <= (r.to-1)>>6; w++ {
		ends := a.final[w]
		if !array {
			ends |= a.ends[w]
		}
		x := at[w] & ends
		if w == r.from>>6 {
			x &= ^uint64(0) << (r.from & 63)
		}
		if x == 0 {
			continue
		}
		if i := w<<6 + bits.TrailingZeros64(x); i < r.to {
			return i
		}
		return -1
	}
	return -1
}

// judgeMasks adds the masks of the value to those of its containers, unless a
// show lifts them all. The rules are sorted, so the first is the strictest.
func (m *machine) judgeMasks(s *state, j *judged, array bool) {
	if i := m.accepts(s.at, m.masks, array); i >= 0 {
		rule := int(m.owner[i])
		j.mask = j.mask.stricter(verdict{m.plan.rules[rule].action, rule})
	}
	if m.accepts(s.at, m.shows, array) >= 0 {
		j.mask, j.lifted = verdict{}, true
	}
}

// judgeWay finds out whether a value that is not exposed is on the way to one
// that is.
func (m *machine) judgeWay(s *state, j *judged) {
	j.hides, j.named = true, false
	for i := s.at.next(m.expose.from, m.expose.to); i >= 0; i = s.at.next(i+1, m.expose.to) {
		if m.final.has(i) {
			continue
		}
		j.hides = false
		path := m.owner[i]
		if s.firm.next(m.first[path], m.first[path+1]) >= 0 {
			j.named = true
			return
		}
	}
}

func (m *machine) judgeScalar(s *state) {
	j := &s.scalar
	switch {
	case j.muted:
	case j.denies:
		j.deed = denyIt
	case j.hides:
		j.deed = hideIt
	case j.mask.action == Drop:
		j.deed = dropIt
	case !j.named:
		j.deed = hideIt
	case !j.open && j.mask.action == noAction:
		j.deed = nullIt
	case !j.open: // the weaker actions would let a part of it through
		j.deed, j.mask = maskIt, m.plan.atLeastRedact(j.mask)
	case j.mask.action != noAction:
		j.deed = maskIt
	}
	j.detects = m.plan.detect != nil && !j.muted && j.deed == copyIt && !j.known && !j.called
	j.counted = !j.muted && j.deed == copyIt && j.sensitive
	j.raw = j.detects || len(j.landed) > 0 || j.deed == maskIt && j.mask.action < Redact
	j.plain = j.deed == copyIt && !j.raw && !j.counted && !j.shows && !j.exposes && !j.found && len(j.filters) == 0
	j.simple = j.deed != copyIt && j.alone()
}

// alone reports whether nothing has to be done beside the deed.
func (j *judged) alone() bool {
	return !j.shows && !j.exposes && len(j.filters) == 0 && len(j.landed) == 0 && len(j.blurred) == 0
}

func (m *machine) judgeContainer(j *judged, object bool) {
	if object {
		j.mask = m.plan.atLeastRedact(j.mask)
	}
	sent := !j.muted
	if sent {
		j.whole = j.mask.action >= Redact
		j.muted = j.hides || j.denies || j.whole && !m.showsInside(j)
		j.removes = len(j.filters) > 0 || j.whole || j.hides || j.denies || !j.named
		j.tried = j.removes || !j.open && j.lifted
	}
	j.plain = !j.tried && !j.shows && !j.exposes && !j.found && !j.awaits && len(j.landed) == 0 && len(j.blurred) == 0
	j.dead = m.dies(j, object)
	if j.dead && sent && j.muted && j.alone() {
		j.simple, j.deed = true, j.end()
	}
}

// end gives what becomes of a container of whose inside nothing is sent.
func (j *judged) end() deed {
	switch {
	case j.denies:
		return denyIt
	case j.hides:
		return hideIt
	case j.mask.action == Drop:
		return dropIt
	case !j.named:
		return hideIt
	}
	return maskIt
}

// showsInside reports whether a show could match inside.
func (m *machine) showsInside(j *judged) bool {
	for i := j.at.next(m.shows.from, m.shows.to); i >= 0; i = j.at.next(i+1, m.shows.to) {
		if !m.final.has(i) {
			return true
		}
	}
	return false
}

// dies reports whether nothing inside can be changed, found, looked at or
// compared. Where
// no mask holds, nothing depends on a show.
func (m *machine) dies(j *judged, object bool) bool {
	if !j.muted && (!j.open || j.mask.action != noAction || m.plan.detect != nil && !j.known || j.sensitive) {
		return false
	}
	live := slices.Clone(j.at)
	live.clear(m.shows)
	live.clear(span{m.knownAt.from, m.namedAt.to})
	if j.muted {
		live.clear(m.masks)
		live.clear(m.expose)
		live.clear(m.sensitiveAt)
		live.clear(span{m.each, m.each + len(m.plan.filters)})
	}
	if object {
		return !live.meets(m.deep) && !live.meets(m.members)
	}
	return !live.meets(m.deep) && !live.meets(m.through) && !live.meets(m.match[symElem])
}
