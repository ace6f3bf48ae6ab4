package memo

import (
	"slices"
	"strconv"
	"strings"

	"github.com/open-policy-agent/opa/v1/ast"
)

// Step is one step into a value: a member by name, or an element by index.
type Step struct {
	Name    string
	Index   int
	IsIndex bool
}

// Path leads into input. The empty path is input itself.
type Path []Step

// ParsePath reads "resource.segments[2]" without input in front. Names with
// other characters than letters, digits and _ are beyond it.
func ParsePath(s string) Path {
	var p Path
	for part := range strings.SplitSeq(s, ".") {
		name, rest, _ := strings.Cut(part, "[")
		if name != "" {
			p = append(p, Step{Name: name})
		}
		for i := range strings.SplitSeq(rest, "[") {
			if n, err := strconv.Atoi(strings.TrimSuffix(i, "]")); err == nil {
				p = append(p, Step{Index: n, IsIndex: true})
			}
		}
	}
	return p
}

// String writes the path as Rego does: input.resource.segments[2].
func (p Path) String() string {
	var b strings.Builder
	b.WriteString("input")
	for _, s := range p {
		switch {
		case s.IsIndex:
			b.WriteString("[" + strconv.Itoa(s.Index) + "]")
		case plain(s.Name):
			b.WriteString("." + s.Name)
		default:
			b.WriteString("[" + strconv.Quote(s.Name) + "]")
		}
	}
	return b.String()
}

func plain(s string) bool {
	for i := range len(s) {
		c := s[i]
		if c != '_' && !('a' <= c && c <= 'z') && !('A' <= c && c <= 'Z') && (i == 0 || c < '0' || c > '9') {
			return false
		}
	}
	return s != ""
}

// within reports whether p is at or below top.
func (p Path) within(top Path) bool { return len(p) >= len(top) && slices.Equal(p[:len(top)], top) }

// join makes a new path; neither part is changed.
func (p Path) join(rest Path) Path { return slices.Concat(p, rest) }

// stepOf gives the step that a constant of a reference takes. Anything but a
// string or a small whole number, plainly spelled, is none: what it would reach
// is left to the reference's constant beginning.
func stepOf(t *ast.Term) (Step, bool) {
	switch v := t.Value.(type) {
	case ast.String:
		return Step{Name: string(v)}, true
	case ast.Number:
		i, err := strconv.Atoi(string(v))
		if err == nil && i >= 0 && strconv.Itoa(i) == string(v) {
			return Step{Index: i, IsIndex: true}, true
		}
	}
	return Step{}, false
}

// steps gives the constant beginning of the rest of a reference, and whether
// that is all of it.
func steps(ref []*ast.Term) (p Path, whole bool) {
	for _, t := range ref {
		s, ok := stepOf(t)
		if !ok {
			return p, false
		}
		p = append(p, s)
	}
	return p, true
}
