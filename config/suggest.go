package config

import (
	"fmt"
	"strings"
)

// instead ends a message about an unknown word: with the nearest known one, or
// with all of them where none is near.
func instead(word string, known []string) string {
	if near := nearest(word, known); near != "" {
		return fmt.Sprintf("; did you mean %q?", near)
	}
	if len(known) == 0 {
		return "; there are none"
	}
	return "; known here: " + strings.Join(known, ", ")
}

// nearest gives the known word that was most probably meant, or "".
func nearest(word string, known []string) string {
	best, least := "", 1+(len(word)+2)/3
	for _, k := range known {
		if n := distance(fold(word), fold(k)); n < least {
			best, least = k, n
		}
	}
	return best
}

// fold takes out differences that are never meant.
func fold(s string) []rune {
	return []rune(strings.ReplaceAll(strings.ToLower(s), "-", "_"))
}

// distance counts the insertions, deletions, substitutions and swaps of
// neighbours between two words (Damerau-Levenshtein, optimal string
// alignment).
func distance(a, b []rune) int {
	before, above, row := make([]int, len(b)+1), make([]int, len(b)+1), make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := 1; i <= len(a); i++ {
		before, above, row = above, row, before
		row[0] = i
		for j := 1; j <= len(b); j++ {
			change := 1
			if a[i-1] == b[j-1] {
				change = 0
			}
			row[j] = min(above[j]+1, row[j-1]+1, above[j-1]+change)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				row[j] = min(row[j], before[j-2]+1)
			}
		}
	}
	return row[len(b)]
}

// refused says why a value that somebody may well try is not accepted, or "".
func refused(key, value string) string {
	switch {
	case key == "min_version" && (value == "1.0" || value == "1.1" || strings.HasPrefix(strings.ToLower(value), "ssl")):
		return "is too weak; TLS 1.2 is the least"
	case key == "algorithm" && strings.EqualFold(value, "none"):
		return "means no signature at all and is never accepted"
	case key == "method" && value == "*":
		return "is not a method; leave methods out to match any"
	}
	return ""
}

// Instead ends a message about an unknown word as the messages of [Load] end:
// with the nearest known one, or with all of them where none is near.
func Instead(word string, known []string) string { return instead(word, known) }
