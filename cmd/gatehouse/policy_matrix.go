package main

import (
	"cmp"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"slices"

	"github.com/gatehouse-dev/gatehouse/config"
	"github.com/gatehouse-dev/gatehouse/policies/opa"
	"github.com/gatehouse-dev/gatehouse/policies/opa/cases"
	"github.com/gatehouse-dev/gatehouse/policies/opa/matrix"
)

const matrixUsage = "usage: gatehouse policy matrix -c FILE|--cases CASES [--data DIR] [DIR…] [--against DIR]\n" +
	"           [--format text|csv|html|json] [--route NAME] [--role NAME] [--subject JSON]"

// matrixCall is the command line of matrix.
type matrixCall struct {
	file, cases, data, against, format, route, role, subject string
	dirs                                                     []string
}

// policyMatrix tells who sees what, or with --against what has changed about
// that since other policies.
func policyMatrix(ctx context.Context, e *env, args []string) int {
	var m matrixCall
	f := flag.NewFlagSet("policy matrix", flag.ContinueOnError)
	f.SetOutput(io.Discard)
	for name, into := range map[string]*string{
		"c": &m.file, "cases": &m.cases, "data": &m.data, "against": &m.against, "format": &m.format,
		"route": &m.route, "role": &m.role, "subject": &m.subject,
	} {
		f.StringVar(into, name, "", "")
	}
	asJSON := f.Bool("json", false, "")
	var err error
	m.dirs, err = parseMixed(f, args)
	if *asJSON && m.format == "" {
		m.format = "json"
	}
	m.format = cmp.Or(m.format, "text")
	formats := []string{"text", "csv", "html", "json"}
	if err != nil || m.file == "" && (m.cases == "" || len(m.dirs) == 0) || !slices.Contains(formats, m.format) ||
		m.against != "" && (m.format == "csv" || m.format == "html") {
		fmt.Fprintln(e.stderr, matrixUsage)
		return exitUsage
	}
	code, err := m.run(ctx, e)
	if err != nil {
		return policyMistakes(e, err, m.format == "json")
	}
	return code
}

func (m *matrixCall) run(ctx context.Context, e *env) (int, error) {
	c, engine, _, err := openPolicies(ctx, m.file, m.data, m.dirs)
	if err != nil {
		return exitWrong, err
	}
	o, err := m.options(c)
	if err != nil {
		return exitWrong, err
	}
	var before *opa.Engine
	words := []opa.Vocabulary{engine.Vocabulary()}
	if m.against != "" {
		if _, before, _, err = openPolicies(ctx, "", m.data, []string{m.against}); err != nil {
			return exitWrong, err
		}
		words = append(words, before.Vocabulary())
	}
	o = o.Vocabularies(words...)
	survey, err := matrix.Ask(ctx, engine, o)
	if err != nil {
		return exitWrong, err
	}
	if before == nil {
		return m.print(e, slices.DeleteFunc(survey.Matrix(), m.leaves), engine.Revision())
	}
	old, err := matrix.Ask(ctx, before, o)
	if err != nil {
		return exitWrong, err
	}
	return m.compare(e, matrix.Compare(old, survey))
}

// options say which routes to ask, as whom.
func (m *matrixCall) options(c *config.Config) (matrix.Options, error) {
	o := matrix.Options{}
	if c != nil {
		for _, r := range c.Routes {
			if !r.Policy.Off {
				o.Routes = append(o.Routes, probeOf(r))
			}
		}
	}
	if m.cases != "" {
		asked, err := cases.Questions(os.DirFS(m.cases))
		if err != nil {
			return o, err
		}
		for _, p := range matrix.Routes(asked) {
			if !slices.ContainsFunc(o.Routes, func(q opa.Probe) bool { return q.Route == p.Route }) {
				o.Routes = append(o.Routes, p)
			}
		}
	}
	if len(o.Routes) == 0 {
		return o, errors.New("no route asks the policies")
	}
	if m.subject == "" {
		return o, nil
	}
	in, err := opa.ParseInput("--subject", []byte(`{"subject": `+m.subject+`}`))
	if err == nil {
		o.Subject = in.Subject
	}
	return o, err
}

// leaves reports a cell of another route or role than what is asked for.
func (m *matrixCall) leaves(c matrix.Cell) bool {
	return m.route != "" && c.Route != m.route || m.role != "" && c.Role != m.role
}

func (m *matrixCall) print(e *env, cells []matrix.Cell, revision string) (int, error) {
	if len(cells) == 0 {
		return exitWrong, errors.New("there is no such route or role, or the policies speak of no field")
	}
	switch m.format {
	case "csv":
		return exitOK, matrix.CSV(e.stdout, cells)
	case "html":
		return exitOK, matrix.HTML(e.stdout, cells, revision)
	case "json":
		return printJSON(e, map[string]any{"ok": true, "revision": revision, "cells": cells}, exitOK), nil
	}
	return exitOK, matrix.Text(e.stdout, cells)
}

// compare prints changes. Where somebody sees more than before, the exit code
// says so.
func (m *matrixCall) compare(e *env, changes []matrix.Change) (int, error) {
	changes = slices.DeleteFunc(changes, func(c matrix.Change) bool { return m.leaves(c.Cell) })
	code, more := exitOK, 0
	for _, c := range changes {
		if c.Shows() {
			more++
			code = exitWrong
		}
	}
	if m.format == "json" {
		if changes == nil {
			changes = []matrix.Change{}
		}
		return printJSON(e, map[string]any{"ok": more == 0, "changes": changes}, code), nil
	}
	if err := matrix.Changes(e.stdout, changes); err != nil {
		return exitWrong, err
	}
	fmt.Fprintf(e.stdout, "%s, %d of them to show somebody more\n", plural(len(changes), "change"), more)
	return code, nil
}

// probeOf is how the policies are asked about a route.
func probeOf(r *config.Route) opa.Probe {
	p := opa.Probe{
		Route: r.Name, Path: r.Match.Path, Methods: r.Match.Methods,
		Masks: r.Policy.Masks == "required", Rows: r.Policy.Rows == "required",
	}
	if len(r.Match.Hosts) > 0 {
		p.Host = r.Match.Hosts[0]
	}
	return p
}
