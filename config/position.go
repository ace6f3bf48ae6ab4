package config

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v4"
)

// mark is a place in the file, from 1.
type mark struct{ line, column int }

func markOf(n *yaml.Node) mark { return mark{n.Line, n.Column} }

// source remembers where the values of a configuration were written. A value
// is named by its path, such as routes[2].upstream. A scalar stands where it
// was written, a mapping or list at the key that names it.
type source struct {
	file  string   // as given to Load
	files []string // absolute, in the order of their first mention
	at    map[string]mark
	// hidden are values that came from outside of the file, longest first.
	hidden []hidden
}

// hidden is a value and the ${…} that it came in by.
type hidden struct{ value, reference string }

// shortest is how long a value from outside must be to be hidden: shorter ones
// are no secrets, and stand in other words by chance.
const shortest = 6

// hide remembers a value that messages must not quote: whoever reads the file
// may see the name of a variable, but not what is in it. Any field can be given
// a secret by mistake.
func (s *source) hide(value, reference string) {
	if len(value) < shortest {
		return
	}
	quoted := strconv.Quote(value) // as %q writes it
	s.hidden = append(s.hidden, hidden{value, reference}, hidden{quoted[1 : len(quoted)-1], reference})
	slices.SortStableFunc(s.hidden, func(a, b hidden) int { return len(b.value) - len(a.value) })
}

// say words a message without hidden values.
func (s *source) say(format string, args ...any) string {
	text := fmt.Sprintf(format, args...)
	for _, h := range s.hidden {
		text = strings.ReplaceAll(text, h.value, h.reference)
	}
	return text
}

// closest gives the place of path or of the innermost thing around it.
func (s *source) closest(path string) mark {
	for path != "" {
		if m, ok := s.at[path]; ok {
			return m
		}
		path = parent(path)
	}
	return s.at[""]
}

// written tells whether the file says anything at path.
func (s *source) written(path string) bool {
	_, ok := s.at[path]
	return ok
}

func parent(path string) string {
	return path[:max(strings.LastIndexAny(path, ".["), 0)]
}

func join(path, key string) string {
	if path == "" {
		return key
	}
	return path + "." + key
}

func index(path string, i int) string { return fmt.Sprintf("%s[%d]", path, i) }

// Mistake says what is wrong with the value at path, such as
// `routes[2].upstream` or `issuers.auth-service.jwks_file`, at the position
// where it (or the closest thing around it) was written.
func (c *Config) Mistake(path, format string, args ...any) Mistake {
	at := c.source.closest(path)
	return Mistake{
		File: c.source.file, Line: at.line, Column: at.column,
		Message: c.source.say(format, args...),
	}
}

// Files lists every file the configuration was made from or refers to by a
// fixed name (the file itself, ${file:…}, certificates, key sets), as absolute
// paths; folders of policies are not among them.
func (c *Config) Files() []string { return c.source.files }
