package opa

import (
	"errors"
	"strings"

	"github.com/open-policy-agent/opa/v1/ast"
	"github.com/open-policy-agent/opa/v1/topdown"
)

// mishap is an error of evaluation. What the engine says of one holds the values
// that led to it (to_number shows what is no number, a conflict both values),
// and those are somebody's; errors of requests go to the log. So a mishap tells
// where it happened and what failed. The engine's own words are unwrapped.
type mishap struct{ err error }

func (m mishap) Unwrap() error { return m.err }

func (m mishap) Error() string {
	var e *topdown.Error
	if !errors.As(m.err, &e) {
		return "policy: evaluation failed"
	}
	text := "policy: "
	if e.Location != nil {
		text += e.Location.String() + ": "
	}
	text += e.Code
	if name, _, _ := strings.Cut(e.Message, ":"); ast.BuiltinMap[name] != nil {
		text += ": " + name
	}
	return text
}

// Details gives an error of [Engine.Decide] in the engine's own words, which may
// hold values of the question: it is for whoever has asked it.
func Details(err error) error {
	var m mishap
	if errors.As(err, &m) {
		return m.err
	}
	return err
}
