package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"

	"github.com/gatehouse-dev/gatehouse/config"
	"github.com/gatehouse-dev/gatehouse/gateway"
	"github.com/gatehouse-dev/gatehouse/gateway/admin"
	"github.com/gatehouse-dev/gatehouse/gateway/telemetry"
)

// configFlag reads the flags of a verb that takes a configuration file and no
// other flag.
func configFlag(e *env, verb string, args []string) (file string, rest []string, code int) {
	flags := flags(e, verb, "-c FILE")
	flags.StringVar(&file, "c", "", "configuration `file`")
	if err := flags.Parse(args); err != nil {
		return "", nil, exitUsage
	}
	if file == "" {
		flags.Usage()
		return "", nil, exitUsage
	}
	return file, flags.Args(), exitOK
}

// flags makes the flag set of a verb, which reports its own misuse.
func flags(e *env, verb, args string) *flag.FlagSet {
	f := flag.NewFlagSet(verb, flag.ContinueOnError)
	f.SetOutput(e.stderr)
	f.Usage = func() {
		fmt.Fprintf(e.stderr, "usage: gatehouse %s %s\n", verb, args)
		f.PrintDefaults()
	}
	return f
}

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
		warnings = c.Warnings()
	}
	if *asJSON {
		printJSON(e, err, warnings)
	} else {
		printMistakes(e, *file, c, err, warnings)
	}
	if err != nil || *strict && len(warnings) > 0 {
		return exitWrong
	}
	return exitOK
}

// compile loads and compiles a configuration without serving it.
func compile(ctx context.Context, file string) (*config.Config, *gateway.Plan, error) {
	c, err := config.Load(file)
	if err != nil {
		return nil, nil, err
	}
	plan, err := gateway.Compile(ctx, c, &gateway.Deps{Metrics: telemetry.New()})
	var list config.Mistakes
	if !errors.As(err, &list) && err != nil {
		return nil, nil, err
	}
	list = append(list, admin.Check(c)...)
	if len(list) > 0 {
		if plan != nil {
			plan.Close()
		}
		return nil, nil, list
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

// printJSON prints one object for machines.
func printJSON(e *env, err error, warnings []config.Mistake) {
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
	enc := json.NewEncoder(e.stdout)
	enc.SetIndent("", "  ")
	enc.SetEscapeHTML(false)
	_ = enc.Encode(map[string]any{"ok": err == nil, "mistakes": places(list), "warnings": places(warnings)})
}
