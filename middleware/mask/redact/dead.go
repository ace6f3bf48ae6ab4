package redact

import "math/bits"

// nest is how a dead container is nested: a bit for every container that is
// open, on for objects.
type nest struct {
	bits  []uint64
	depth int
	phase phase
}

func (n *nest) push(object bool) {
	w := n.depth >> 6
	if w == len(n.bits) {
		n.bits = append(n.bits, 0)
	}
	bit := uint64(1) << (n.depth & 63)
	n.bits[w] &^= bit
	if object {
		n.bits[w] |= bit
	}
	n.depth++
}

// pop reports whether the container outside is an object.
func (n *nest) pop() (object bool) {
	n.depth--
	i := n.depth - 1
	return i >= 0 && n.bits[i>>6]>>(i&63)&1 != 0
}

// enterDead begins the dead container at p.
func (e *engine) enterDead(j *judged, p int) {
	e.dead, e.closes = j, false
	switch {
	case j.plain:
	case j.simple:
		e.begin(j, p, e.buf[p])
	default:
		e.closes = e.open(j, p)
	}
}

// leaveDead ends the dead container, which ends in front of end, and reports
// whether it stays.
func (e *engine) leaveDead(end int) bool {
	switch {
	case e.closes:
		return e.close(end)
	case e.dead.simple:
		return e.carryOut(e.dead, nil, end)
	}
	return true
}

// skip goes on in a dead container at p and gives the offset behind it. The
// text is checked as everywhere, and nothing else. On an error the engine
// stands where it has to go on.
func (e *engine) skip(p int) (int, error) {
	var (
		b      = e.buf
		n      = &e.nest
		object bool
		ok     bool
		c      byte
		i      int
		why    stop
		m      uint64
		k      *knownName
		known  = &e.names
		start  = -1 // of the name at hand, if it stands in the window
		room   = e.limits.Depth - len(e.frames) + 1
	)
	if n.depth > 0 {
		i = n.depth - 1
		object = n.bits[i>>6]>>(i&63)&1 != 0
	}
	switch n.phase {
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
	case inString:
		goto inString
	case inNumber:
		goto inNumber
	}

value:
	if c = b[p]; c <= ' ' {
		p = skipSpace(b, p)
		c = b[p]
	}
	switch {
	case c == '"':
		for p++; ; p += 8 { // as in walk
			if m = special(load8(b, p)); m != 0 {
				break
			}
		}
		if p += bits.TrailingZeros64(m) >> 3; b[p] != '"' {
			goto inString
		}
		p++
		goto next
	case c-'0' <= 9 || c == '-':
		if i, ok = scanNumber(b, p); i < e.end || e.last {
			if !ok {
				return p, e.fail(ErrSyntax, i, 0)
			}
			p = i
			goto next
		}
		e.number = numStart
		goto inNumber
	case c == '{' || c == '[':
		if n.depth >= room {
			return p, &Error{ErrDepth, e.base + p}
		}
		object = c == '{'
		n.push(object)
		p++
		goto first
	}
	if i = scanLiteral(b, p); i == 0 {
		return e.rest(p, atValue, e.fail(ErrSyntax, p, 5))
	}
	p = i
	goto next

inString:
	if p, why = scanString(b, p); why != stopEnd {
		return e.rest(p, inString, e.broken(p, why))
	}
	goto next

inNumber:
	if p, ok = e.scanOn(p); !ok {
		return e.rest(p, inNumber, e.fail(ErrSyntax, p, 0))
	}

next:
	if c = b[p]; c <= ' ' {
		p = skipSpace(b, p)
		c = b[p]
	}
	if c == ',' {
		p++
		if object {
			goto name
		}
		goto value
	}
	if object && c != '}' || !object && c != ']' {
		return e.rest(p, atNext, e.fail(ErrSyntax, p, 0))
	}

pop:
	p++
	if object = n.pop(); n.depth > 0 {
		goto next
	}
	n.phase = atValue
	return p, nil

first:
	if c = b[p]; c <= ' ' {
		p = skipSpace(b, p)
		c = b[p]
	}
	switch {
	case object && c == '}' || !object && c == ']':
		goto pop
	case c == 0:
		return e.rest(p, atFirst, e.fail(ErrSyntax, p, 0))
	case !object:
		goto value
	}

name:
	if c = b[p]; c <= ' ' {
		p = skipSpace(b, p)
		c = b[p]
	}
	if k = known.expected(); k.from == e.m.idle && k.stands(b, p) {
		known.last = known.next()
		p += int(k.n)
		goto value
	}
	if c != '"' {
		return e.rest(p, atName, e.fail(ErrSyntax, p, 0))
	}
	e.name, start = e.base+p, p
	p++

inName:
	if p, why = scanString(b, p); why != stopEnd {
		return e.rest(p, inName, e.broken(p, why))
	}
	if e.base+p-e.name-2 > e.limits.Key {
		return p, &Error{ErrTooLarge, e.name}
	}
	if start >= 0 && known.patience > 0 {
		known.patience--
		e.enter(e.m.idle, b, start, p)
	}
	start = -1

colon:
	if c = b[p]; c != ':' {
		p = skipSpace(b, p)
		if b[p] != ':' {
			return e.rest(p, atColon, e.fail(ErrSyntax, p, 0))
		}
	}
	p++
	goto value
}

// rest notes where a dead container goes on.
func (e *engine) rest(p int, ph phase, err error) (int, error) {
	e.nest.phase = ph
	return p, err
}
