package main

import (
	"context"
	"errors"
	"fmt"

	"github.com/gatehouse-dev/gatehouse/config"
	"github.com/gatehouse-dev/gatehouse/gateway"
	"github.com/gatehouse-dev/gatehouse/gateway/telemetry"
)

// checkVerb compiles everything as serve does, and serves nothing.
func checkVerb(ctx context.Context, e *env, args []string) int {
	f := flags(e, "check", "-c FILE [--strict] [--json]")
	file := f.String("c", "", "configuration `file`")
	strict := f.Bool("strict", false, "take warnings for errors")
	asJSON := f.Bool("json", false, "print mistakes and warnings as JSON")
	if err := f.Parse(args); err != nil || *file == "" || f.NArg() > 0 {
		f.Usage()
		return exitUsage
	}
	c, plan, err := compile(ctx, *file)
	var warnings []config.Mistake
	if err == nil {
		defer plan.Close()
		warnings = append(c.Warnings(), plan.Warnings()...)
	}
	code := exitOK
	if err != nil || *strict && len(warnings) > 0 {
		code = exitWrong
	}
	if *asJSON {
		return printReport(e, err, warnings, code)
	}
	printMistakes(e, *file, c, err, warnings)
	return code
}

// compile loads and compiles a configuration without serving it.
func compile(ctx context.Context, file string) (*config.Config, *gateway.Plan, error) {
	c, err := config.Load(file)
	if err != nil {
		return nil, nil, err
	}
	plan, err := gateway.Compile(ctx, c, &gateway.Deps{Metrics: telemetry.New(), Rehearsal: true})
	if err != nil {
		return nil, nil, err
	}
	return c, plan, nil
}

func printMistakes(e *env, file string, c *config.Config, err error, warnings []config.Mistake) {
	if err != nil {
		fmt.Fprintln(e.stderr, err)
		return
	}
	for _, w := range warnings {
		fmt.Fprintln(e.stderr, "warning:", w)
	}
	fmt.Fprintf(e.stdout, "%s: ok: %d listeners, %d routes, %d upstreams, %d issuers\n",
		file, len(c.Listeners), len(c.Routes), len(c.Upstreams), len(c.Issuers))
}

// printReport prints one object for machines.
func printReport(e *env, err error, warnings []config.Mistake, code int) int {
	type place struct {
		File    string `json:"file"`
		Line    int    `json:"line,omitempty"`
		Column  int    `json:"column,omitempty"`
		Message string `json:"message"`
	}
	places := func(list []config.Mistake) []place {
		out := []place{}
		for _, m := range list {
			out = append(out, place(m))
		}
		return out
	}
	var list config.Mistakes
	if err != nil && !errors.As(err, &list) {
		list = config.Mistakes{{Message: err.Error()}}
	}
	return printJSON(e, map[string]any{"ok": err == nil, "mistakes": places(list), "warnings": places(warnings)}, code)
}
