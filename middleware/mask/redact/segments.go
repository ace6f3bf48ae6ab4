package redact

import (
	"slices"
	"strconv"
)

// Bounds of a spec: how many segments a path may have, and how many comparisons
// there may be in the conditions of all row filters together.
const (
	MaxSegments    = maxSegments
	MaxComparisons = maxLeaves
)

// Segment is one step of a path, for those who have to follow paths elsewhere
// than in a text. One that is made by hand is good for [AppendPath].
type Segment struct {
	// Any is .* and Elements is [*]; otherwise it is Name.
	Any, Elements bool
	// Deep says that it is written behind "..".
	Deep bool
	Name string

	fold string // Name, folded; empty in what [ParsePath] has not given
}

// ParsePath gives the segments of a path as the package comment describes it.
func ParsePath(path string) ([]Segment, error) {
	segs, err := parsePath(path)
	return exported(segs), err
}

// ParseField gives the segments, which are names, of [Cond].Field.
func ParseField(field string) ([]Segment, error) {
	segs, err := parseField(field)
	return exported(segs), err
}

func exported(segs []segment) []Segment {
	out := make([]Segment, len(segs))
	for i, s := range segs {
		out[i] = Segment{Any: s.kind == segAny, Elements: s.kind == segElems, Deep: s.deep, Name: s.name, fold: s.fold}
	}
	return out
}

// Plain reports whether the segment is a name that is not behind "..".
func (s *Segment) Plain() bool { return !s.Any && !s.Elements && !s.Deep }

// Names reports whether the segment is that name, as names of show, expose and
// of row fields are compared.
func (s *Segment) Names(name string) bool { return !s.Any && !s.Elements && s.Name == name }

// NamesLoosely is [Segment.Names] as names of masks and row paths are
// compared. It wants the name as [Fold] gives it.
func (s *Segment) NamesLoosely(folded string) bool {
	return !s.Any && !s.Elements && s.fold == folded
}

// AppendPath appends the segments as they are written in a path. A path has $
// in front of them, a field of a condition @.
func AppendPath(dst []byte, segs ...Segment) []byte {
	for _, s := range segs {
		bare := isShorthand(s.Name)
		switch {
		case s.Deep && (s.Elements || !s.Any && !bare):
			dst = append(dst, ".."...)
		case s.Deep:
			dst = append(dst, '.')
		}
		switch {
		case s.Elements:
			dst = append(dst, "[*]"...)
		case s.Any:
			dst = append(dst, ".*"...)
		case bare:
			dst = append(append(dst, '.'), s.Name...)
		default:
			dst = append(appendLiteral(append(dst, '['), s.Name), ']')
		}
	}
	return dst
}

func isShorthand(name string) bool {
	for i := range len(name) {
		if !nameByte(name[i], i > 0) {
			return false
		}
	}
	return name != ""
}

// appendLiteral writes a string literal of RFC 9535, 2.3.1.1.
func appendLiteral(dst []byte, name string) []byte {
	dst = append(dst, '\'')
	for i := range len(name) {
		switch c := name[i]; {
		case c == '\'' || c == '\\':
			dst = append(dst, '\\', c)
		case c < 0x20:
			dst = append(dst, `\u00`...)
			if c < 0x10 {
				dst = append(dst, '0')
			}
			dst = strconv.AppendUint(dst, uint64(c), 16)
		default:
			dst = append(dst, c)
		}
	}
	return append(dst, '\'')
}

// Domain is what hash and tokenize call a field whose mask has that path, where
// [Rule].Domain does not say: its last name.
func Domain(segs []Segment) string {
	for _, s := range slices.Backward(segs) {
		if !s.Any && !s.Elements {
			return foldString(s.Name)
		}
	}
	return "*"
}
