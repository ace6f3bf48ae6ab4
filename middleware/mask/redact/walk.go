package redact

import "math/bits"

// phase is what the engine reads next.
type phase uint8

const (
	atValue  phase = iota
	inString       // the rest of a string that is a value
	inNumber       // the rest of a number
	atFirst        // a value or a name, or the end of a container
	atName
	inName
	atColon
	atNext // a comma, or the end of a container or of the text
	inDead // the rest of a dead container
	atLine // a line, perhaps an empty one
	atStart
	atEnd
)

// walk reads the document on, to its end or to that of the window.
//
// It is one function so that what is needed for every token stays in
// registers, and one of gotos because it is an automaton: after every token it
// is known what may come.
func (e *engine) walk() error {
	var (
		b    = e.buf
		p    = e.p
		f    = &e.frames[len(e.frames)-1]
		cur  = e.cur
		ph   phase
		j    *judged
		c    byte
		i    int
		from int // of the scalar at hand, while it is known to stand in the window
		ok   bool
		why  stop
		keep bool
		err  error
		m    uint64
		k    *knownName
		// shift turns an offset in the window into a place in the output; it
		// changes only where the output does.
		shift = e.shift()
	)
	switch e.phase {
	case inString:
		goto inString
	case inNumber:
		goto inNumber
	case atFirst:
		goto first
	case atName:
		goto name
	case inName:
		goto inName
	case atColon:
		goto colon
	case atNext:
		goto next
	case inDead:
		goto dead
	}

value:
	if c = b[p]; c <= ' ' {
		p = skipSpace(b, p)
		c = b[p]
	}
	if c == '{' || c == '[' {
		goto container
	}
	from = p
	switch {
	case c == '"':
		// Most strings are short and end where something special first stands in
		// them; a call would cost as much as they do.
		for p++; ; p += 8 {
			if m = special(load8(b, p)); m != 0 {
				break
			}
		}
		if p += bits.TrailingZeros64(m) >> 3; b[p] == '"' {
			p++
			goto scalar
		}
		if p, why = scanString(b, p); why == stopEnd {
			goto scalar
		}
		e.begin(&cur.scalar, from, c)
		ph, err = inString, e.broken(p, why)
		goto leave
	case c-'0' <= 9 || c == '-':
		if i, ok = scanNumber(b, p); i < e.end || e.last {
			if !ok {
				return e.fail(ErrSyntax, i, 0)
			}
			p = i
			goto scalar
		}
		e.begin(&cur.scalar, from, c)
		e.number = numStart
		goto inNumber
	}
	if i = scanLiteral(b, p); i == 0 {
		ph, err = atValue, e.fail(ErrSyntax, p, 5)
		goto leave
	}
	p = i

scalar:
	if cur.scalar.plain {
		f.emitted = true
		goto next
	}
	if e.scalar(&cur.scalar, from, p) {
		f.emitted = true
	}
	shift = e.shift()
	goto next

inString:
	if p, why = scanString(b, p); why != stopEnd {
		ph, err = inString, e.broken(p, why)
		goto leave
	}
	goto finish

inNumber:
	if p, ok = e.scanOn(p); !ok {
		ph, err = inNumber, e.fail(ErrSyntax, p, 0)
		goto leave
	}

finish:
	if cur.scalar.plain || e.finish(&cur.scalar, p) {
		f.emitted = true
	}
	shift = e.shift()

next:
	if c = b[p]; c <= ' ' {
		p = skipSpace(b, p)
		c = b[p]
	}
	if c == ',' && f.closing != 0 {
		if f.emitted {
			f.hold = p + shift
		} else {
			e.rollback(f.hold, p+1)
			shift = e.shift()
		}
		p++
		if f.closing == ']' {
			f.index++
			cur = f.state
			goto value
		}
		goto name
	}
	if c == 0 && f.closing == 0 && p >= e.end && e.last {
		e.p = p
		return nil
	}
	if c != f.closing || c == 0 {
		ph, err = atNext, e.fail(ErrSyntax, p, 0)
		goto leave
	}
	if !f.emitted {
		e.rollback(f.hold, p)
		shift = e.shift()
	}

pop:
	p++
	keep = f.tried
	e.frames = e.frames[:len(e.frames)-1]
	f = &e.frames[len(e.frames)-1]
	if !keep {
		f.emitted = true
		goto next
	}
	if e.close(p) {
		f.emitted = true
	}
	shift = e.shift()
	goto next

container:
	if len(e.frames) > e.limits.Depth {
		return &Error{ErrDepth, e.base + p}
	}
	j = &cur.array
	if c == '{' {
		j = &cur.object
	}
	if j.dead {
		e.enterDead(j, p)
		goto dead
	}
	keep = !j.plain && e.open(j, p)
	shift = e.shift()
	p++
	e.frames = append(e.frames, frame{
		state: cur, hold: p + shift, closing: c + 2, // in ASCII
		emitted: j.muted, tried: keep, awaits: j.awaits,
	})
	f = &e.frames[len(e.frames)-1]
	if c == '[' {
		f.state = e.m.elem(cur)
	}

first:
	if c = b[p]; c <= ' ' {
		p = skipSpace(b, p)
		c = b[p]
	}
	switch {
	case c == f.closing:
		e.found = e.found || f.awaits
		goto pop
	case c == 0:
		ph, err = atFirst, e.fail(ErrSyntax, p, 0)
		goto leave
	case f.closing == ']':
		cur = f.state
		goto value
	}

name:
	if c = b[p]; c <= ' ' {
		p = skipSpace(b, p)
		c = b[p]
	}
	if k = e.names.expected(); k.from == f.state && k.stands(b, p) {
		e.names.last = e.names.next()
		f.saved, f.name = false, span{e.base + p, e.base + p + int(k.n) - 1}
		p += int(k.n)
		if cur = k.to; cur.fields {
			e.meet(cur)
		}
		goto value
	}
	if c != '"' {
		ph, err = atName, e.fail(ErrSyntax, p, 0)
		goto leave
	}
	e.token = p
	e.name = e.base + p
	p++

inName:
	if p, why = scanString(b, p); why != stopEnd {
		ph, err = inName, e.broken(p, why)
		goto leave
	}
	if e.base+p-e.name-2 > e.limits.Key {
		return &Error{ErrTooLarge, e.name}
	}
	f.saved, f.name = false, span{e.name, e.base + p}
	cur = e.enter(f.state, b, e.token, p)
	e.token = -1
	if cur.fields {
		e.meet(cur)
	}

colon:
	if c = b[p]; c != ':' {
		p = skipSpace(b, p)
		if b[p] != ':' {
			ph, err = atColon, e.fail(ErrSyntax, p, 0)
			goto leave
		}
	}
	p++
	goto value

dead:
	if p, err = e.skip(p); err != nil {
		ph = inDead
		goto leave
	}
	if e.leaveDead(p) {
		f.emitted = true
	}
	shift = e.shift()
	goto next

leave:
	e.p, e.cur, e.phase = p, cur, ph
	return err
}
