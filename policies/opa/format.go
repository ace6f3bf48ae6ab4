package opa

import (
	"errors"
	"fmt"

	"github.com/open-policy-agent/opa/v1/ast"
	"github.com/open-policy-agent/opa/v1/format"
)

// Format lays out a file of Rego the one way there is: tabs, sorted imports,
// one space where one belongs. It changes no meaning and keeps comments. What
// is not Rego v1 is an error of [Mistakes]; one that was written for Rego v0 says,
// rule by rule, how it is written today.
func Format(name string, text []byte) ([]byte, error) {
	var m Mistakes
	options := ast.ParserOptions{ProcessAnnotation: true, RegoVersion: ast.RegoV1}
	parsed, err := ast.ParseModuleWithOpts(name, string(text), options)
	if errs := ast.Errors(nil); errors.As(err, &errs) {
		m.addSyntax(file{name: name, rel: name, content: text}, errs)
	} else if err != nil {
		m.add(name, "%v", err)
	} else if parsed == nil {
		m.add(name, "there is no policy in this file")
	}
	if len(m) > 0 {
		return nil, m.sorted()
	}
	out, err := format.SourceWithOpts(name, text, format.Opts{RegoVersion: ast.RegoV1, ParserOptions: &options})
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	// A file that no longer loads must not replace one that does.
	if _, err := ast.ParseModuleWithOpts(name, string(out), options); err != nil {
		return nil, fmt.Errorf("%s: cannot be laid out: %w", name, err)
	}
	return out, nil
}
