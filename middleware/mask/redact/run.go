package redact

import (
	"bytes"
	"sync"
)

// newEngine gives an engine that is about to read its first byte.
func newEngine(plan *Plan, limits Limits, lines bool) *engine {
	e, _ := spare.Get().(*engine)
	if e == nil {
		e = &engine{names: names{cache: new([nameSlots]knownName)}}
	}
	limits = limits.withDefaults()
	// Names that are known are not measured again.
	if e.m != plan.machine || e.limits.Key != limits.Key {
		e.unlearn()
	}
	e.plan, e.m, e.limits = plan, plan.machine, limits
	e.window.reset(e.limits.Window)
	e.lines = lines
	e.phase = atStart
	e.frames = append(e.frames, frame{})
	e.first = never
	e.tally.reset(plan.asked)
	return e
}

// spare are engines that are kept for the memory they have.
var spare sync.Pool

// maxSpare bounds what an engine may hold while it is spare.
const maxSpare = 256 << 10

// unlearn removes what the engine knows of the automaton it has worked with.
func (e *engine) unlearn() {
	if e.names.used {
		*e.names.cache = [nameSlots]knownName{}
		e.names.used = false
	}
	clear(e.frames[:cap(e.frames)])
	clear(e.trials[:cap(e.trials)])
	clear(e.rows[:cap(e.rows)])
}

// release gives the engine back. It keeps nothing of the text but bytes in
// buffers that will be overwritten, and the names of members, and the automaton
// they belong to: the next text under the same plan probably has the same.
func (e *engine) release() {
	if cap(e.out)+cap(e.buf) > maxSpare {
		return
	}
	*e = engine{
		m: e.m, limits: e.limits,
		window: window{buf: e.buf}, out: e.out[:0], frames: e.frames[:0], nest: nest{bits: e.nest.bits},
		pointers: pointers{e.pointers.text[:0], e.pointers.ends[:0], e.pointers.saved[:0]},
		trials:   e.trials[:0], rows: e.rows[:0], captures: e.captures[:0], tally: e.tally.spare(),
		names: e.names, scratch: e.scratch,
	}
	spare.Put(e)
}

// advance reads on, and then what is in the window. It gives errMore until the
// text has ended.
func (e *engine) advance() error {
	keep := 0
	if e.crowded() {
		keep = e.needed()
		e.saveNames(keep)
	}
	e.names.patience = patience
	if err := e.fill(keep); err != nil {
		return err
	}
	if err := e.read(); err != errMore {
		return err
	}
	if e.token >= 0 && e.p-e.token > max(e.limits.Key, e.limits.Scalar)+2 {
		e.token = -1
	}
	e.flush(e.needed())
	if e.place(e.p)-e.safe() > e.limits.Element {
		return &Error{ErrTooLarge, e.base + e.p}
	}
	return errMore
}

// needed is how far back in the window the engine still looks.
func (e *engine) needed() int {
	if e.token >= 0 {
		return e.token
	}
	return e.p
}

// safe gives the place up to which nothing of the output will be taken back.
func (e *engine) safe() int {
	place, f := e.place(e.span), &e.frames[len(e.frames)-1]
	held := false
	switch e.phase {
	case inString, inNumber:
		j := &e.cur.scalar
		held = j.deed.removes() || len(j.filters) > 0
	case atNext:
		held = !f.emitted
	case inDead:
		held = e.dead.deed.removes()
	case atStart, atEnd:
	default:
		held = true
	}
	if held {
		place = min(place, f.hold)
	}
	return min(place, e.first)
}

// read reads documents to the end of the text or of the window.
func (e *engine) read() error {
	if e.phase == atStart {
		if !e.lines && e.filled < 3 && !e.over {
			return errMore
		}
		if !e.lines && bytes.HasPrefix(e.buf[:e.filled], []byte("\xef\xbb\xbf")) {
			e.p, e.span = 3, 3
		}
		e.start = e.p
		e.document()
	}
	for {
		if e.phase == atLine {
			if e.p = skipSpace(e.buf, e.p); e.p >= e.end {
				switch {
				case !e.last:
					return errMore
				case !e.cut:
					return e.finishText()
				}
				e.nextLine()
				e.document()
				continue
			}
			e.phase = atValue
		}
		if err := e.walk(); err != nil {
			return err
		}
		if err := e.finishDocument(); err != nil {
			return err
		}
		if !e.lines {
			return e.finishText()
		}
		e.nextLine()
		e.document()
	}
}

// document prepares for the next document.
func (e *engine) document() {
	e.cur, e.rootFate, e.token = e.m.start, kept, -1
	e.frames = append(e.frames[:0], frame{hold: e.place(e.p)})
	if e.phase = atValue; e.lines {
		e.phase = atLine
	}
}

// finishDocument settles what becomes of a document whose root is removed:
// there is nothing to leave it out of but the lines.
func (e *engine) finishDocument() error {
	e.documents++
	switch f := e.rootFate; {
	case f == kept:
		e.sent++
		return nil
	case f == denied && !e.lines:
		return &Error{ErrRowDenied, e.start}
	}
	e.rollback(e.frames[0].hold, e.p)
	if !e.lines {
		e.out = append(e.out, "null"...)
	}
	return nil
}

func (e *engine) finishText() error {
	e.phase = atEnd
	if e.documents > 0 && !e.found && len(e.plan.filters) > 0 && !e.plan.optionalRows {
		return &Error{ErrRowsAbsent, e.start}
	}
	e.flush(e.p)
	return nil
}

func (e *engine) report() Report {
	return Report{
		Masked: e.masked, Dropped: e.counts.dropped, Hidden: e.hidden,
		Sensitive: e.counts.sensitive, Rows: e.counts.rows, Documents: e.sent,
		Rules: append(e.limits.Rules[:0], e.tally.by[:e.plan.asked]...), Found: e.findings(), Pointers: e.list(),
	}
}
