package oracle

import "slices"

// operators are the words that backends join to the name of a field, folded.
const operators = `
	eq ne neq gt gte ge lt lte le in nin not from to range between
	min max sum avg over under above below greater less than or equal equals
	contains icontains startswith istartswith endswith iendswith
	exact iexact regex iregex like ilike isnull null nullsfirst nullslast
	year month day before after since until asc desc ascending descending`

// syntax are the words of values that are not taken for names where only
// exposed names pass. Operators that could as well be fields, such as year, are
// not among them.
const syntax = `
	eq ne neq gt gte ge lt lte le in nin and or not like ilike is
	asc desc ascending descending nulls nullsfirst nullslast true false null`

// maxOperators is how many operators are taken off each end of a name: enough
// for salaryGreaterThanOrEqual.
const maxOperators = 4

// names reports whether a folded name is a masked one with operators in front
// and behind, or none. All ways to take them off are tried: "min" ends in "in".
func (g *Guard) names(folded string, hidden *Fields) bool {
	switch {
	case hidden.isMasked(folded):
		return folded != "" || hidden.masked[""]
	case !hidden.within(folded):
		return false
	}
	var room, more [16]int
	ends := g.behind(folded, more[:0])
	for _, start := range g.front(folded, room[:0]) {
		for _, end := range ends {
			if start < end && hidden.masked[folded[start:end]] {
				return true
			}
		}
	}
	return false
}

// front appends where s can start with operators taken off.
func (g *Guard) front(s string, at []int) []int {
	at = append(at, 0)
	level := at
	for range maxOperators {
		done := len(at)
		for _, i := range level {
			for n := 1; n <= g.longest && i+n <= len(s); n++ {
				if g.operators[s[i:i+n]] && !slices.Contains(at, i+n) {
					at = append(at, i+n)
				}
			}
		}
		level = at[done:]
	}
	return at
}

// behind appends where s can end with operators taken off.
func (g *Guard) behind(s string, at []int) []int {
	at = append(at, len(s))
	level := at
	for range maxOperators {
		done := len(at)
		for _, i := range level {
			for n := 1; n <= g.longest && n <= i; n++ {
				if g.operators[s[i-n:i]] && !slices.Contains(at, i-n) {
					at = append(at, i-n)
				}
			}
		}
		level = at[done:]
	}
	return at
}
