package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"os"

	"github.com/gatehouse-dev/gatehouse/config"
	"github.com/gatehouse-dev/gatehouse/policies/opa"
	"github.com/gatehouse-dev/gatehouse/policies/opa/cases"
)

const casesUsage = "usage: gatehouse policy cases -c FILE|--policies DIR [--data DIR] [--json] CASES"

// policyCases asks the policies the questions of a folder of cases, and says
// which are not answered as an auditor expects.
func policyCases(ctx context.Context, e *env, args []string) int {
	f := flag.NewFlagSet("policy cases", flag.ContinueOnError)
	f.SetOutput(io.Discard)
	file := f.String("c", "", "")
	dir := f.String("policies", "", "")
	data := f.String("data", "", "")
	asJSON := f.Bool("json", false, "")
	rest, err := parseMixed(f, args)
	if err != nil || len(rest) != 1 || (*file == "") == (*dir == "") {
		fmt.Fprintln(e.stderr, casesUsage)
		return exitUsage
	}
	o := opa.Options{Path: *dir, Data: *data}
	if *file != "" {
		c, err := config.Load(*file)
		if err != nil {
			fmt.Fprintln(e.stderr, err)
			return exitWrong
		}
		if o, err = policyOptions(ctx, c, *data); err != nil {
			return policyMistakes(e, err, *asJSON)
		}
		o.Tests, o.Probes = false, nil // check does that
	}
	engine, err := opa.Load(ctx, o)
	if err != nil {
		return policyMistakes(e, err, *asJSON)
	}
	results, err := cases.Run(ctx, engine, os.DirFS(rest[0]))
	if err != nil {
		fmt.Fprintln(e.stderr, err)
		return exitWrong
	}
	return printCases(e, results, *asJSON)
}

func printCases(e *env, results []cases.Result, asJSON bool) int {
	failed := 0
	for _, r := range results {
		if !r.Passed() {
			failed++
		}
		if !asJSON && !r.Passed() {
			fmt.Fprintln(e.stdout, r)
		}
	}
	code := exitOK
	if failed > 0 {
		code = exitWrong
	}
	if asJSON {
		return printJSON(e, map[string]any{"ok": failed == 0, "cases": results}, code)
	}
	fmt.Fprintf(e.stdout, "%s, %d not answered as expected\n", plural(len(results), "case"), failed)
	return code
}
