package opa

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/open-policy-agent/opa/v1/ast"
)

// Mistake is one thing that is wrong with the policies, and where.
type Mistake struct {
	File    string `json:"file"`
	Line    int    `json:"line,omitempty"` // from 1; 0 where unknown
	Column  int    `json:"column,omitempty"`
	Message string `json:"message"` // says the wrong word and, where there is one, the right one
}

func (m Mistake) Error() string {
	if m.Line == 0 {
		return m.File + ": " + m.Message
	}
	return fmt.Sprintf("%s:%d:%d: %s", m.File, m.Line, m.Column, m.Message)
}

// Mistakes are all things that are wrong, by file and line, one per line of
// the text. It is the error of [Load].
type Mistakes []Mistake

func (m Mistakes) Error() string {
	lines := make([]string, len(m))
	for i, x := range m {
		lines[i] = x.Error()
	}
	return strings.Join(lines, "\n")
}

func (m *Mistakes) add(file, format string, args ...any) {
	*m = append(*m, Mistake{File: file, Message: fmt.Sprintf(format, args...)})
}

func (m *Mistakes) at(loc *ast.Location, format string, args ...any) {
	x := Mistake{Message: fmt.Sprintf(format, args...)}
	if loc != nil {
		// The end of a file has no column.
		x.File, x.Line, x.Column = loc.File, loc.Row, max(loc.Col, 1)
	}
	*m = append(*m, x)
}

// addErrors takes over what parser and compiler found.
func (m *Mistakes) addErrors(errs ast.Errors) {
	for _, e := range errs {
		m.at(e.Location, "%s", explainError(e))
	}
}

// sorted gives the mistakes in the order of the files, each once. Of two at one
// place where one only says less, as the parser likes to, the longer stays.
func (m Mistakes) sorted() Mistakes {
	slices.SortStableFunc(m, byPlace)
	return slices.CompactFunc(m, func(b, a Mistake) bool {
		return a.File == b.File && a.Line == b.Line && a.Column == b.Column && strings.HasPrefix(a.Message, b.Message)
	})
}

func byPlace(a, b Mistake) int {
	return cmp.Or(
		cmp.Compare(a.File, b.File), cmp.Compare(a.Line, b.Line),
		cmp.Compare(a.Column, b.Column), cmp.Compare(b.Message, a.Message),
	)
}

// explainError says in one line what the compiler says in several, and adds
// the word that was probably meant.
func explainError(e *ast.Error) string {
	if d, ok := e.Details.(*ast.RefErrInvalidDetail); ok && len(d.OneOf) > 0 && d.Pos < len(d.Ref) {
		if wrong, ok := d.Ref[d.Pos].Value.(ast.String); ok {
			var valid []string
			for _, v := range d.OneOf {
				if s, ok := v.(ast.String); ok {
					valid = append(valid, string(s))
				}
			}
			return fmt.Sprintf("%v has no member %s", d.Ref[:d.Pos], instead(string(wrong), valid))
		}
	}
	if name, ok := strings.CutPrefix(e.Message, "undefined function "); ok && withheld(name) {
		return fmt.Sprintf("%s is not available: a decision may depend on nothing but input and data, "+
			"and must be quick (the time stands in input.context.time)", name)
	}
	text := e.Message
	// The details of a syntax error are the source line, which the reader has.
	if e.Details != nil && e.Code != ast.ParseErr {
		for _, l := range e.Details.Lines() {
			text += "; " + strings.TrimSpace(l)
		}
	}
	return strings.Join(strings.Fields(text), " ")
}

// instead quotes a wrong word and names the right ones, the nearest first
// where one is near.
func instead(wrong string, valid []string) string {
	all := strings.Join(valid, ", ")
	if n := nearest(wrong, valid); n != "" {
		return fmt.Sprintf("%q: did you mean %q? (one of %s)", wrong, n, all)
	}
	return fmt.Sprintf("%q (one of %s)", wrong, all)
}

// nearest is the valid word that differs least from a wrong one, or "" where
// none is near.
func nearest(wrong string, valid []string) string {
	best, least := "", max(2, len(wrong)/3)+1
	for _, v := range valid {
		if d := distance(strings.ToLower(wrong), v); d < least {
			best, least = v, d
		}
	}
	return best
}

// distance counts the letters to insert, delete or replace (Levenshtein).
func distance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			change := diagonal
			if a[i] != b[j] {
				change++
			}
			diagonal = row[j+1]
			row[j+1] = min(change, row[j]+1, diagonal+1)
		}
	}
	return row[len(b)]
}
