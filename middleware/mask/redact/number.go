package redact

// numberState is how far a number that does not end in the window has been
// read.
type numberState uint8

const (
	numStart    numberState = iota
	numMinus                // behind the sign
	numZero                 // behind a leading zero: no digit may follow
	numInt                  // in the digits of the integer
	numPoint                // behind the point
	numFraction             // in the digits of the fraction
	numE                    // behind the e
	numSign                 // behind the sign of the exponent
	numExponent             // in the digits of the exponent
)

// complete reports whether a number may end here.
func (s numberState) complete() bool {
	return s == numZero || s == numInt || s == numFraction || s == numExponent
}

// next gives the state behind c. It reports false if c is not part of the
// number.
func (s numberState) next(c byte) (numberState, bool) {
	digit := c-'0' <= 9
	switch s {
	case numStart, numMinus:
		switch {
		case c == '-' && s == numStart:
			return numMinus, true
		case c == '0':
			return numZero, true
		}
		return numInt, digit
	case numZero, numInt:
		switch {
		case c == '.':
			return numPoint, true
		case c == 'e' || c == 'E':
			return numE, true
		}
		return numInt, digit && s == numInt
	case numPoint:
		return numFraction, digit
	case numFraction:
		if c == 'e' || c == 'E' {
			return numE, true
		}
		return numFraction, digit
	case numE:
		if c == '+' || c == '-' {
			return numSign, true
		}
	}
	return numExponent, digit
}

// scanOn reads a number on that may not end in the window, and gives the offset
// behind it, or reports false and where it is none.
func (e *engine) scanOn(p int) (int, bool) {
	for ; p < e.end; p++ {
		next, ok := e.number.next(e.buf[p])
		if !ok {
			if e.number == numZero && e.buf[p]-'0' <= 9 {
				return p - 1, false // the zero is wrong
			}
			return p, e.number.complete()
		}
		e.number = next
	}
	return p, e.last && e.number.complete()
}
