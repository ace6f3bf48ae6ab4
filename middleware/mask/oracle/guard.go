package oracle

import (
	"net/url"
	"strings"
	"unicode/utf8"

	"github.com/gatehouse-dev/gatehouse/middleware/mask/redact"
)

// maxParameters is how many parameters are judged.
const maxParameters = 1000

// maxReported is how much of the name of a parameter is reported, in bytes.
const maxReported = 64

// Guard finds parameters that ask about hidden names. It is immutable and safe
// for any number of goroutines.
type Guard struct {
	oracles   map[string]bool // folded
	operators map[string]bool
	longest   int // operator
	syntax    map[string]bool
}

// New makes a guard. parameters are the names of those whose values name
// fields; '$', '_', '-' and case do not count in them.
func New(parameters []string) *Guard {
	g := &Guard{oracles: map[string]bool{}, operators: setOf(operators), syntax: setOf(syntax)}
	for _, p := range parameters {
		if name := joined(p); name != "" {
			g.oracles[name] = true
		}
	}
	for op := range g.operators {
		g.longest = max(g.longest, len(op))
	}
	return g
}

func setOf(list string) map[string]bool {
	set := map[string]bool{}
	for w := range strings.FieldsSeq(list) {
		set[w] = true
	}
	return set
}

// Check reports whether a request with rawQuery, as it is sent to the backend
// and without the '?', may pass. Where it may not, parameter is the name of the
// parameter that is the reason, or "" where the query as a whole is.
func (g *Guard) Check(rawQuery string, hidden Fields) (parameter string, ok bool) {
	if rawQuery == "" || hidden.none() {
		return "", true
	}
	return g.check(rawQuery, &hidden)
}

func (g *Guard) check(rawQuery string, hidden *Fields) (parameter string, ok bool) {
	if strings.Contains(rawQuery, ";") || strings.Count(rawQuery, "&") >= maxParameters {
		return "", false
	}
	for pair := range strings.SplitSeq(rawQuery, "&") {
		rawName, rawValue, _ := strings.Cut(pair, "=")
		name, err := url.QueryUnescape(rawName)
		if err != nil {
			return "", false
		}
		value, err := url.QueryUnescape(rawValue)
		if err != nil {
			return "", false
		}
		if name != "" && g.refuses(name, value, hidden) {
			return reported(name), false
		}
	}
	return "", true
}

// refuses judges a parameter in every way it can be read.
func (g *Guard) refuses(name, value string, hidden *Fields) bool {
	isOracle := false
	refused := readings(name, func(s string) bool {
		oracle := g.isOracle(s)
		isOracle = isOracle || oracle
		return g.name(s, oracle, hidden)
	})
	return refused || isOracle && readings(value, func(s string) bool { return g.value(s, hidden) })
}

// reported is the start of a name, as text.
func reported(name string) string {
	if len(name) > maxReported {
		name = name[:maxReported]
	}
	return strings.ToValidUTF8(name, "\ufffd")
}

// isOracle reports whether a part of name is that of an oracle parameter:
// sort, $orderby, order_by, fields[people], sort[0], q[sort].
func (g *Guard) isOracle(name string) bool {
	if isWord(name) && !strings.Contains(name, "__") && !strings.Contains(name, "--") &&
		!strings.Contains(name, "_-") && !strings.Contains(name, "-_") { // it has one part
		return g.oracles[redact.Fold(name)]
	}
	for word := range words(name) {
		for part := range parts(word) {
			if g.oracles[redact.Fold(part)] {
				return true
			}
		}
	}
	return g.oracles[joined(name)]
}

// name judges the name of a parameter.
func (g *Guard) name(name string, oracle bool, hidden *Fields) bool {
	if !utf8.ValidString(name) || hidden.odds(name) {
		return true
	}
	if isWord(name) { // which is all that its words are joined
		return g.masked(name, hidden) || hidden.exposed != nil && g.unexposedName(name, oracle, hidden)
	}
	for word := range words(name) {
		if g.masked(word, hidden) {
			return true
		}
	}
	// Some backends read what stands between words as '_': bank.account.
	return g.names(joined(name), hidden) || hidden.exposed != nil && g.unexposedName(name, oracle, hidden)
}

// value judges the value of an oracle parameter.
func (g *Guard) value(value string, hidden *Fields) bool {
	if !utf8.ValidString(value) || hidden.odds(value) {
		return true
	}
	for word := range words(value) {
		if g.masked(word, hidden) || hidden.exposed != nil && g.unexposedWord(word, hidden) {
			return true
		}
	}
	return false
}

// odds reports whether text has a masked name in it that words do not have.
func (f *Fields) odds(text string) bool {
	if len(f.odd) == 0 {
		return false
	}
	text = redact.Fold(text)
	for _, name := range f.odd {
		if strings.Contains(text, name) {
			return true
		}
	}
	return false
}

// masked reports whether a word, or what stands between "__" in it, names a
// masked field, with operators joined to it or not.
func (g *Guard) masked(word string, hidden *Fields) bool {
	folded := redact.Fold(word)
	if g.names(folded, hidden) {
		return true
	}
	for part := range parts(word) {
		if len(part) < len(word) && g.names(redact.Fold(part), hidden) {
			return true
		}
	}
	return false
}
