package redact

import (
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"
)

// heading is the name of a column as masks see it.
type heading struct {
	fold  string // as names are compared loosely
	words string // that, with nothing but letters and digits
	cuts  []int  // offsets into words at which words begin or end
}

// newHeading takes a name apart: at everything that is neither a letter nor a
// digit, but for a single '_' or '-', which loose names leave out.
func newHeading(name string) *heading {
	h := &heading{fold: foldString(name), cuts: []int{0}}
	var words []byte
	joins := 0 // how many of '_' and '-' come before
	for i, c := range name {
		switch {
		case c == '_' || c == '-':
			if joins++; joins < 2 {
				continue
			}
		case unicode.IsLetter(c) || unicode.IsDigit(c):
			words = appendFold(words, []byte(name[i:i+utf8.RuneLen(c)]))
			joins = 0
			continue
		default:
			joins = 0
		}
		h.cuts = append(h.cuts, len(words))
	}
	h.words = string(words)
	h.cuts = append(h.cuts, len(words))
	return h
}

// is reports whether two names are spellings of the same.
func (h *heading) is(o *heading) bool {
	return h.fold == o.fold || h.words != "" && h.words == o.words
}

// holds reports whether a name is one of the words, or several that stand
// together, or all.
func (h *heading) holds(name *heading) bool {
	if name.words == "" {
		return strings.Contains(h.fold, name.fold)
	}
	for i := 0; ; i++ {
		n := strings.Index(h.words[i:], name.words)
		if n < 0 {
			return false
		}
		i += n
		if h.cutAt(i) && h.cutAt(i+len(name.words)) {
			return true
		}
	}
}

func (h *heading) cutAt(i int) bool {
	_, ok := slices.BinarySearch(h.cuts, i)
	return ok
}

// endsIn reports whether a name is the last of the words, or several at the
// end, or all.
func (h *heading) endsIn(name *heading) bool {
	return h.is(name) || name.words != "" && strings.HasSuffix(h.words, name.words) && h.cutAt(len(h.words)-len(name.words))
}

// lastNames gives the last name of each path, nil for those that name nothing.
func lastNames(patterns []pattern) []*heading {
	out := make([]*heading, len(patterns))
	for i, p := range patterns {
		for _, s := range slices.Backward(p.segs) {
			if s.kind == segName {
				out[i] = newHeading(s.name)
				break
			}
		}
	}
	return out
}

// columnOf gives the column that a field is, or -1 where there is none, or more
// than one way to read it.
func columnOf(field []segment, names []string, headings []*heading) int {
	var parts []string
	for _, s := range field {
		parts = append(parts, s.name)
	}
	if len(parts) == 0 {
		return -1
	}
	name := strings.Join(parts, ".")
	like, out := newHeading(name), -1
	for i, h := range headings {
		switch {
		case names[i] == name && out < 0:
			out = i
		case h.is(like):
			return -1
		}
	}
	return out
}
