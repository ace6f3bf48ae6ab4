package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"os"
	"strings"
	"text/tabwriter"

	"github.com/gatehouse-dev/gatehouse/config"
	"github.com/gatehouse-dev/gatehouse/policies"
	"github.com/gatehouse-dev/gatehouse/policies/compare"
	"github.com/gatehouse-dev/gatehouse/policies/opa"
	"github.com/gatehouse-dev/gatehouse/policies/replay"
)

const replayUsage = "usage: gatehouse policy replay --log FILE|- --bundle DIR|-c FILE [--data DIR] [--against DIR] [--json]"

// policyReplay asks a candidate what was asked before, and fails where somebody
// would get more than they got.
func policyReplay(ctx context.Context, e *env, args []string) int {
	f := flag.NewFlagSet("policy replay", flag.ContinueOnError)
	f.SetOutput(io.Discard)
	log := f.String("log", "", "")
	dir := f.String("bundle", "", "")
	file := f.String("c", "", "")
	data := f.String("data", "", "")
	against := f.String("against", "", "")
	asJSON := f.Bool("json", false, "")
	rest, err := parseMixed(f, args)
	if err != nil || len(rest) > 0 || *log == "" || (*file == "") == (*dir == "") {
		fmt.Fprintln(e.stderr, replayUsage)
		return exitUsage
	}
	candidate, err := replayed(ctx, *file, *dir, *data)
	var before policies.Decider
	if err == nil && *against != "" {
		before, err = replayed(ctx, "", *against, *data)
	}
	if err != nil {
		return policyMistakes(e, err, *asJSON)
	}
	lines := e.stdin
	if *log != "-" {
		opened, err := os.Open(*log)
		if err != nil {
			return policyMistakes(e, err, *asJSON)
		}
		defer opened.Close()
		lines = opened
	}
	report, err := replay.Run(ctx, lines, candidate, before)
	if err != nil {
		return policyMistakes(e, fmt.Errorf("%s: %w", *log, err), *asJSON)
	}
	return printReplay(e, report, *asJSON)
}

// replayed loads the policies of a configuration or of a folder. Their tests
// and probes are the business of `policy check`.
func replayed(ctx context.Context, file, dir, data string) (policies.Decider, error) {
	o := opa.Options{Path: dir, Data: data}
	if file != "" {
		c, err := config.Load(file)
		if err != nil {
			return nil, err
		}
		if o, err = policyOptions(ctx, c, data); err != nil {
			return nil, err
		}
		o.Tests, o.Probes = false, nil
	}
	return opa.Load(ctx, o)
}

func printReplay(e *env, r *replay.Report, asJSON bool) int {
	code := exitOK
	if r.Opened > 0 {
		code = exitWrong
	}
	if asJSON {
		return printJSON(e, struct {
			OK bool `json:"ok"`
			*replay.Report
		}{r.Opened == 0, r}, code)
	}
	table := tabwriter.NewWriter(e.stdout, 0, 0, 2, ' ', 0)
	var last compare.Kind
	for _, g := range r.Differences {
		if g.Kind != last {
			fmt.Fprintf(table, "%s\n", strings.ReplaceAll(string(g.Kind), "_", " "))
			last = g.Kind
		}
		role := g.Role
		if role == "" {
			role = "(no role)"
		}
		fmt.Fprintf(table, "  %s\t%s\t%s\t%s\trequest %s\n", g.Route, role, g.Detail(), plural(g.Count, "time"), g.First)
	}
	_ = table.Flush()
	fmt.Fprintf(e.stdout, "%s of revision %s, asked again of %s: %d would differ\n",
		plural(r.Records, "decision"), strings.Join(r.Before, ", "), r.After, r.Different)
	if r.Reduced > 0 {
		fmt.Fprintf(e.stdout, "note: of %s something was left out; they were judged by what is there\n", plural(r.Reduced, "question"))
	}
	if r.Opened > 0 {
		fmt.Fprintf(e.stdout, "FAIL: more would be open in %s\n", plural(r.Opened, "decision"))
	} else {
		fmt.Fprintln(e.stdout, "ok: nothing more would be open")
	}
	return code
}
