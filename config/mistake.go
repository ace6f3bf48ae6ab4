package config

import (
	"fmt"
	"strings"
)

// Mistake is one thing that is wrong with a configuration, and where.
type Mistake struct {
	File         string
	Line, Column int    // from 1; 0 where unknown
	Message      string // says the wrong word and, where there is one, the right one
}

func (m Mistake) Error() string {
	if m.Line == 0 {
		return fmt.Sprintf("%s: %s", m.File, m.Message)
	}
	return fmt.Sprintf("%s:%d:%d: %s", m.File, m.Line, m.Column, m.Message)
}

// Mistakes are all things that are wrong, in the order of the file. It is the
// error of [Load] and of gateway.Compile.
type Mistakes []Mistake

func (m Mistakes) Error() string {
	lines := make([]string, len(m))
	for i, x := range m {
		lines[i] = x.Error()
	}
	return strings.Join(lines, "\n")
}
