package cases

import (
	"slices"
	"strings"

	"github.com/gatehouse-dev/gatehouse/policies"
)

// This file answers what a decision does to one place of a document, by the
// rules of the enforcing engine: a mask at a container is a mask of all in it,
// names see through arrays, masks and protections match names loosely, allow
// lists exactly, the strictest mask wins, and show lifts what was matched at
// the very place or above it.

// actionAt gives what is done to the value at the place, "" for nothing. A
// value that is not on the allow list is dropped.
func actionAt(d *policies.Decision, place string) string {
	names := split(place)
	if len(d.Expose) > 0 && !slices.ContainsFunc(d.Expose, func(path string) bool {
		return covers(parse(path), names, exact)
	}) {
		return policies.ActionDrop
	}
	strength := policies.MaskActions() // strictest first
	least := len(strength)
	for _, m := range d.Mask {
		path := parse(m.Path)
		if m.Action == policies.ActionShow {
			if matches(path, names, loose) {
				return ""
			}
			continue
		}
		if covers(path, names, loose) {
			least = min(least, slices.Index(strength, m.Action))
		}
	}
	if least == len(strength) {
		return ""
	}
	return strength[max(least, 0)]
}

// protectedAt reports whether the request may not write the value at the place.
func protectedAt(d *policies.Decision, place string) bool {
	return slices.ContainsFunc(d.Protect, func(p policies.Protect) bool {
		return covers(parse(p.Path), split(place), loose)
	})
}

// split gives the names of a place. Arrays are named and not counted, so [*]
// adds nothing.
func split(place string) []string {
	place = strings.TrimPrefix(strings.TrimPrefix(place, "$"), ".")
	if place = strings.ReplaceAll(place, "[*]", ""); place == "" {
		return nil // the whole document
	}
	return strings.Split(place, ".")
}

// step is one segment of a path.
type step struct {
	name string
	any  bool // any name
	deep bool // at any depth below
}

// parse reads a path that the policies gave, which is therefore well formed.
func parse(path string) []step {
	var out []step
	rest := strings.TrimPrefix(path, "$")
	for rest != "" {
		var s step
		if rest, s.deep = strings.CutPrefix(rest, ".."); !s.deep {
			rest = strings.TrimPrefix(rest, ".")
		}
		switch {
		case strings.HasPrefix(rest, "[*]"):
			rest = rest[len("[*]"):]
			continue // elements have no names
		case strings.HasPrefix(rest, "["):
			s.name, rest, _ = strings.Cut(rest[1:], "]")
			s.name = strings.Trim(s.name, `'"`)
		default:
			end := strings.IndexAny(rest, ".[")
			if end < 0 {
				end = len(rest)
			}
			s.name, rest = rest[:end], rest[end:]
			s.any = s.name == "*"
		}
		out = append(out, s)
	}
	return out
}

// covers reports whether the path matches the place or a container of it.
func covers(path []step, names []string, equal func(a, b string) bool) bool {
	for n := range len(names) + 1 {
		if matches(path, names[:n], equal) {
			return true
		}
	}
	return false
}

// matches reports whether the path matches exactly the place.
func matches(path []step, names []string, equal func(a, b string) bool) bool {
	if len(path) == 0 {
		return len(names) == 0
	}
	for i, name := range names {
		if i > 0 && !path[0].deep {
			return false
		}
		if (path[0].any || equal(path[0].name, name)) && matches(path[1:], names[i+1:], equal) {
			return true
		}
	}
	return false
}

func exact(a, b string) bool { return a == b }

// loose is how the names of masks match: without regard to case, hyphens and
// underscores, and to the two letters that fold to ASCII ones.
func loose(a, b string) bool { return fold(a) == fold(b) }

func fold(name string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case r == '_' || r == '-':
			return -1
		case r == '\u017f': // long s
			return 's'
		case r == '\u212a': // kelvin sign
			return 'k'
		case 'A' <= r && r <= 'Z':
			return r + 'a' - 'A'
		}
		return r
	}, name)
}
