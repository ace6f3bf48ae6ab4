package detect

import (
	"errors"
	"math"
	"regexp"
	"regexp/syntax"
	"unicode/utf8"
)

// national is a configured identifier.
type national struct {
	class string
	re    *regexp.Regexp
	bound bound
}

// bound is what every match of an expression has, so that most values need not
// be matched: its least and greatest length in bytes, and how many ASCII digits
// are in it at the least.
type bound struct{ min, max, digits int }

func newNational(name, expr string) (national, error) {
	// It must be an expression by itself: "a)|(b" would step out of the group.
	plain, err := syntax.Parse(expr, syntax.Perl)
	if err != nil {
		return national{}, err
	}
	re, err := regexp.Compile(`\A(?:` + expr + `)\z`)
	switch {
	case err != nil:
		return national{}, err
	case re.MatchString(""):
		return national{}, errors.New("it matches the empty text")
	}
	return national{class: nationalID + name, re: re, bound: boundOf(plain)}, nil
}

// nationalID gives the class of the first identifier that text is.
func (d *Detector) nationalID(text []byte, digits int) string {
	for i := range d.national {
		n := &d.national[i]
		if n.bound.takes(len(text)) && digits >= n.bound.digits && n.re.Match(text) {
			return n.class
		}
	}
	return ""
}

// anyTakes reports whether an identifier can be n bytes long.
func (d *Detector) anyTakes(n int) bool {
	for i := range d.national {
		if d.national[i].bound.takes(n) {
			return true
		}
	}
	return false
}

func (b bound) takes(n int) bool { return b.min <= n && n <= b.max }

func boundOf(re *syntax.Regexp) bound {
	switch re.Op {
	case syntax.OpLiteral:
		b := bound{min: len(re.Rune)} // a byte that is not UTF-8 is read as U+FFFD
		for _, r := range re.Rune {
			if b.max += len(string(r)); re.Flags&syntax.FoldCase != 0 {
				b.max = utf8.UTFMax * b.min
			}
			if '0' <= r && r <= '9' {
				b.digits++
			}
		}
		return b
	case syntax.OpCharClass:
		b := bound{min: 1, digits: 1}
		for i := 0; i < len(re.Rune); i += 2 {
			b.max = len(string(re.Rune[i+1])) // the last range has the longest
			if re.Rune[i] < '0' || re.Rune[i+1] > '9' {
				b.digits = 0
			}
		}
		return b
	case syntax.OpAnyChar, syntax.OpAnyCharNotNL:
		return bound{min: 1, max: utf8.UTFMax}
	case syntax.OpCapture:
		return boundOf(re.Sub[0])
	case syntax.OpStar:
		return boundOf(re.Sub[0]).times(0, -1)
	case syntax.OpPlus:
		return boundOf(re.Sub[0]).times(1, -1)
	case syntax.OpQuest:
		return boundOf(re.Sub[0]).times(0, 1)
	case syntax.OpRepeat:
		return boundOf(re.Sub[0]).times(re.Min, re.Max)
	case syntax.OpConcat:
		var b bound
		for _, sub := range re.Sub {
			s := boundOf(sub)
			b = bound{b.min + s.min, min(b.max+s.max, math.MaxInt32), b.digits + s.digits}
		}
		return b
	case syntax.OpAlternate:
		b := boundOf(re.Sub[0])
		for _, sub := range re.Sub[1:] {
			s := boundOf(sub)
			b = bound{min(b.min, s.min), max(b.max, s.max), min(b.digits, s.digits)}
		}
		return b
	}
	return bound{} // what is empty, and what nothing matches
}

// times is b repeated; a negative limit is none.
func (b bound) times(least, limit int) bound {
	out := bound{min: b.min * least, max: math.MaxInt32, digits: b.digits * least}
	if limit >= 0 {
		out.max = min(b.max*limit, math.MaxInt32)
	}
	return out
}
