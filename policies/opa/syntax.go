package opa

import (
	"strings"

	"github.com/open-policy-agent/opa/v1/ast"
	"github.com/open-policy-agent/opa/v1/format"
)

// addSyntax takes over what the parser found in a file. One that is written in
// Rego v0 is told rule by rule how it is written today.
func (m *Mistakes) addSyntax(f file, errs ast.Errors) {
	old := rewritten(f)
	for _, e := range errs {
		if today := old.at(e.Location); today != "" {
			m.at(e.Location, "this is Rego v0; today one writes: %s", today)
		} else {
			m.at(e.Location, "%s", explainError(e))
		}
	}
}

// rewriting holds the first line of each rule of a file of Rego v0 as it is
// written in v1, by the line where the rule begins.
type rewriting map[int]string

// rewritten gives nil where the file is no Rego v0 either.
func rewritten(f file) rewriting {
	v0 := ast.ParserOptions{RegoVersion: ast.RegoV0}
	old, err := ast.ParseModuleWithOpts(f.name, string(f.content), v0)
	if err != nil || old == nil {
		return nil
	}
	text, err := format.SourceWithOpts(f.name, f.content, format.Opts{RegoVersion: ast.RegoV1, ParserOptions: &v0})
	if err != nil {
		return nil
	}
	// What the compiler of v1 would refuse beyond the syntax is told once the
	// syntax is right.
	today, err := ast.ParseModuleWithOpts(f.name, string(text), ast.ParserOptions{RegoVersion: ast.RegoV1})
	if err != nil || len(today.Rules) != len(old.Rules) {
		return nil
	}
	r := rewriting{}
	for i, rule := range today.Rules {
		line, _, _ := strings.Cut(string(rule.Location.Text), "\n")
		r[old.Rules[i].Location.Row] = line
	}
	return r
}

func (r rewriting) at(loc *ast.Location) string {
	if loc == nil {
		return ""
	}
	return r[loc.Row]
}
