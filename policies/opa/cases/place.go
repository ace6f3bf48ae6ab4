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

// ActionAt gives what the masks of a decision do to the value at the place that
// the names lead to, "" for nothing. An allow list is another matter: see
// [ExposedAt].
func ActionAt(d *policies.Decision, names []string) string {
	strength := policies.MaskActions() // strictest first
	least := len(strength)
	for _, m := range d.Mask {
		path := Parse(m.Path)
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

// ExposedAt reports whether the value at the place passes the allow list of a
// decision, or there is none. What does not pass is dropped.
func ExposedAt(d *policies.Decision, names []string) bool {
	return len(d.Expose) == 0 || slices.ContainsFunc(d.Expose, func(path string) bool {
		return covers(Parse(path), names, exact)
	})
}

// actionAt gives what is done to the value at a place of a case, "" for nothing.
func actionAt(d *policies.Decision, place string) string {
	names := split(place)
	if !ExposedAt(d, names) {
		return policies.ActionDrop
	}
	return ActionAt(d, names)
}

// protectedAt reports whether the request may not write the value at the place.
func protectedAt(d *policies.Decision, place string) bool {
	return slices.ContainsFunc(d.Protect, func(p policies.Protect) bool {
		return covers(Parse(p.Path), split(place), loose)
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

// Step is one segment of a path.
type Step struct {
	Name string
	Any  bool // any name
	Deep bool // at any depth below
}

// Parse reads a path that the policies gave, which is therefore well formed.
func Parse(path string) []Step {
	var out []Step
	rest := strings.TrimPrefix(path, "$")
	for rest != "" {
		var s Step
		if rest, s.Deep = strings.CutPrefix(rest, ".."); !s.Deep {
			rest = strings.TrimPrefix(rest, ".")
		}
		switch {
		case strings.HasPrefix(rest, "[*]"):
			rest = rest[len("[*]"):]
			continue // elements have no names
		case strings.HasPrefix(rest, "["):
			s.Name, rest, _ = strings.Cut(rest[1:], "]")
			s.Name = strings.Trim(s.Name, `'"`)
		default:
			end := strings.IndexAny(rest, ".[")
			if end < 0 {
				end = len(rest)
			}
			s.Name, rest = rest[:end], rest[end:]
			s.Any = s.Name == "*"
		}
		out = append(out, s)
	}
	return out
}

// covers reports whether the path matches the place or a container of it.
func covers(path []Step, names []string, equal func(a, b string) bool) bool {
	for n := range len(names) + 1 {
		if matches(path, names[:n], equal) {
			return true
		}
	}
	return false
}

// matches reports whether the path matches exactly the place.
func matches(path []Step, names []string, equal func(a, b string) bool) bool {
	if len(path) == 0 {
		return len(names) == 0
	}
	for i, name := range names {
		if i > 0 && !path[0].Deep {
			return false
		}
		if (path[0].Any || equal(path[0].Name, name)) && matches(path[1:], names[i+1:], equal) {
			return true
		}
	}
	return false
}

func exact(a, b string) bool { return a == b }

// loose is how the names of masks match: without regard to case, hyphens and
// underscores, and to the two letters that fold to ASCII ones.
func loose(a, b string) bool { return Fold(a) == Fold(b) }

// Fold gives equal texts for names that masks take for the same.
func Fold(name string) string {
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
