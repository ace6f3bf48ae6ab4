package oracle

import (
	"strings"
	"unicode"
)

// Bounds of the texts of arguments, in bytes: what may be the name of a field,
// and what is judged at all.
const (
	maxWord = 256
	maxText = 64 << 10
)

// Argument judges an argument of a query language that has been parsed, or a
// part of one: a member of an input object, or, without a name, an element of a
// list. text is its value where that is a string or, with enum, a word of the
// language. within says that it is part of an argument that sorts, selects or
// filters, and oracle says that of its own parts.
//
// A name is judged like that of a parameter. A text is judged like the value of
// a parameter: as that of one that sorts, selects or filters if it is, and
// otherwise only if it is one word, as in {field: "salary", op: "gt"}.
func (g *Guard) Argument(name, text string, enum, within bool, hidden Fields) (oracle, ok bool) {
	if hidden.none() {
		return within, true
	}
	oracle = within
	refused := name != "" && readings(name, func(s string) bool {
		oracle = oracle || g.isOracle(s)
		return g.name(s, oracle, &hidden)
	})
	switch {
	case refused:
		return oracle, false
	case text == "":
		return oracle, true
	case oracle:
		return oracle, len(text) <= maxText && !readings(text, func(s string) bool { return g.value(s, &hidden) })
	case !enum && (len(text) > maxWord || strings.ContainsFunc(text, unicode.IsSpace)):
		return oracle, true
	}
	// What is not exposed cannot be told from other words here.
	hidden.exposed = nil
	return oracle, !readings(text, func(s string) bool { return g.value(s, &hidden) })
}

// Reported is the start of a name that is refused, as text.
func Reported(name string) string { return reported(name) }
