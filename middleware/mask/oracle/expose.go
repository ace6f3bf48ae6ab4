package oracle

import (
	"strings"

	"github.com/gatehouse-dev/gatehouse/middleware/mask/redact"
)

// unexposedName reports whether the name of a parameter asks about a field that
// is not exposed: that of an oracle parameter in its brackets, any other if an
// operator shows that it is about a field.
func (g *Guard) unexposedName(name string, oracle bool, hidden *Fields) bool {
	if g.oracles[joined(name)] {
		return false // order.by
	}
	var operator, field, hides, unclear bool
	first := true
	for word := range words(name) {
		for part := range parts(word) {
			folded := redact.Fold(part)
			switch {
			case g.oracles[folded]:
				if folded == "fields" && first {
					return false // fields[people]=name (JSON:API): a type
				}
			case hidden.exposed[folded]:
				field = true
			case g.operators[folded]:
				operator = true
				unclear = unclear || !g.syntax[folded]
			case !isNumber(folded):
				base, stripped := g.base(part)
				operator, field = operator || stripped, true
				hides = hides || base != "" && !hidden.exposed[base]
			}
			first = false
		}
	}
	// filter[year] has nothing that year could be an operator on.
	return hides && (operator || oracle) || oracle && unclear && !field
}

// unexposedWord reports whether a word in the value of an oracle parameter can
// be a field that is not exposed.
func (g *Guard) unexposedWord(word string, hidden *Fields) bool {
	if hidden.exposed[redact.Fold(word)] {
		return false
	}
	for part := range parts(word) {
		folded := redact.Fold(part)
		if folded == "" || isNumber(folded) || hidden.exposed[folded] || g.syntax[folded] {
			continue
		}
		if base, _ := g.base(part); base == "" || !hidden.exposed[base] {
			// An operator behind a field, as in hired__year, is none itself.
			if !(len(part) < len(word) && g.operators[folded]) {
				return true
			}
		}
	}
	return false
}

// base takes operators off both ends of a part where '_', '-' or a capital sets
// them apart, folds what is left and tells whether there were any. Here it
// matters that admin and phone do not end in one: with expose, every other name
// is hidden.
func (g *Guard) base(part string) (base string, stripped bool) {
	pieces := humps(part)
	n := len(pieces)
	for len(pieces) > 0 && g.operators[redact.Fold(pieces[0])] {
		pieces = pieces[1:]
	}
	for len(pieces) > 0 && g.operators[redact.Fold(pieces[len(pieces)-1])] {
		pieces = pieces[:len(pieces)-1]
	}
	return redact.Fold(strings.Join(pieces, "")), len(pieces) < n
}

// isNumber is true of the empty text too.
func isNumber(s string) bool {
	for i := range len(s) {
		if s[i] < '0' || s[i] > '9' {
			return false
		}
	}
	return true
}
