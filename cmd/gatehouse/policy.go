package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"

	"github.com/gatehouse-dev/gatehouse/config"
	"github.com/gatehouse-dev/gatehouse/gateway"
	"github.com/gatehouse-dev/gatehouse/policies/opa"
	"github.com/gatehouse-dev/gatehouse/policies/opa/bundle"
)

const policyUsage = "usage: gatehouse policy test|check [-c FILE] [--data DIR] [--json] [DIR…]"

// policyVerb is what the security team works with: `test` runs the policies'
// own tests, `check` is the gate that serve applies when it loads them, `cases`
// asks an auditor's questions, `fmt` lays them out, `eval` asks one question,
// `replay` those that were asked before, `matrix` tells who sees what, `bundle`
// packs and signs them, `key` makes what
// to sign with.
func policyVerb(ctx context.Context, e *env, args []string) int {
	if len(args) > 0 {
		switch args[0] {
		case "test":
			return policyCall(ctx, e, args[1:], policyTest)
		case "check":
			return policyCall(ctx, e, args[1:], policyCheck)
		case "cases":
			return policyCases(ctx, e, args[1:])
		case "fmt":
			return policyFmt(e, args[1:])
		case "eval":
			return policyEval(ctx, e, args[1:])
		case "matrix":
			return policyMatrix(ctx, e, args[1:])
		case "replay":
			return policyReplay(ctx, e, args[1:])
		case "bundle":
			return policyBundle(ctx, e, args[1:])
		case "key":
			return policyKey(e, args[1:])
		}
		if !isHelp(args[0]) {
			fmt.Fprintf(e.stderr, "gatehouse policy: there is no verb %q\n", args[0])
		}
	}
	fmt.Fprintln(e.stderr, policyUsage)
	fmt.Fprintln(e.stderr, casesUsage)
	fmt.Fprintln(e.stderr, fmtUsage)
	fmt.Fprintln(e.stderr, evalUsage)
	fmt.Fprintln(e.stderr, matrixUsage)
	fmt.Fprintln(e.stderr, replayUsage)
	fmt.Fprintln(e.stderr, bundleUsage)
	fmt.Fprintln(e.stderr, keyUsage)
	return exitUsage
}

// policyOptions are the policies of a configuration as serve loads them, with
// other data where that is given.
func policyOptions(ctx context.Context, c *config.Config, data string) (opa.Options, error) {
	o := gateway.PolicyOptions(c)
	if data != "" {
		o.Data = data
	}
	if c.Policies.Bundle == nil {
		return o, nil
	}
	look := gateway.BundleOptions(c)
	look.Rehearsal = true
	source, err := bundle.Open(look)
	if err != nil {
		return o, err
	}
	defer source.Close()
	b, err := source.Fetch(ctx)
	if err == nil {
		o.Files, o.Size = b.Files, look.Size
	}
	return o, err
}

// policyCall reads the command line that all policy verbs share.
func policyCall(ctx context.Context, e *env, args []string, run func(context.Context, *env, opa.Options, bool) int) int {
	flags := flag.NewFlagSet("policy", flag.ContinueOnError)
	flags.SetOutput(io.Discard)
	file := flags.String("c", "", "")
	data := flags.String("data", "", "")
	asJSON := flags.Bool("json", false, "")
	dirs, err := parseMixed(flags, args)
	switch {
	case errors.Is(err, flag.ErrHelp):
		fmt.Fprintln(e.stderr, policyUsage)
		return exitUsage
	case err != nil:
	case *file == "" && len(dirs) == 0:
		err = errors.New("name a folder of policies, or a configuration with -c")
	case *file != "" && len(dirs) > 0:
		err = errors.New("name folders or a configuration, not both")
	}
	if err != nil {
		fmt.Fprintf(e.stderr, "gatehouse policy: %v\n%s\n", err, policyUsage)
		return exitUsage
	}
	var o opa.Options
	if *file != "" {
		cfg, err := config.Load(*file)
		if err != nil {
			fmt.Fprintln(e.stderr, err)
			return exitWrong
		}
		if cfg.Policies.Path == "" && cfg.Policies.Bundle == nil {
			fmt.Fprintf(e.stderr, "%s: the configuration names no policies\n", *file)
			return exitWrong
		}
		if o, err = policyOptions(ctx, cfg, *data); err != nil {
			return policyMistakes(e, err, *asJSON)
		}
	} else {
		o = opa.Options{Path: dirs[0], More: dirs[1:], Data: *data, Tests: true}
	}
	return run(ctx, e, o, *asJSON)
}

// policyTest runs the policies' tests.
func policyTest(ctx context.Context, e *env, o opa.Options, asJSON bool) int {
	out := e.stdout
	if asJSON {
		out = io.Discard
	}
	rep, err := opa.Test(ctx, o, out)
	if err != nil {
		return policyMistakes(e, err, asJSON)
	}
	code := exitOK
	if rep.Failed > 0 {
		code = exitWrong
	}
	switch {
	case asJSON:
		return printJSON(e, map[string]any{
			"ok": rep.Failed == 0, "passed": rep.Passed, "failed": rep.Failed, "skipped": rep.Skipped, "coverage": rep.Coverage,
		}, code)
	case rep.Passed+rep.Failed+rep.Skipped == 0:
		fmt.Fprintln(e.stdout, "ok: no tests (they are rules named test_… in files named …_test.rego)")
	default:
		verdict := "ok"
		if rep.Failed > 0 {
			verdict = "FAIL"
		}
		fmt.Fprintf(e.stdout, "%s: %d passed, %d failed, %d skipped, coverage %.1f%%\n",
			verdict, rep.Passed, rep.Failed, rep.Skipped, rep.Coverage)
	}
	return code
}

// policyMistakes prints what is wrong with the policies.
func policyMistakes(e *env, err error, asJSON bool) int {
	if !asJSON {
		fmt.Fprintln(e.stderr, err)
		return exitWrong
	}
	var m opa.Mistakes
	if !errors.As(err, &m) {
		m = opa.Mistakes{{Message: err.Error()}}
	}
	return printJSON(e, map[string]any{"ok": false, "mistakes": m}, exitWrong)
}

func plural(n int, what string) string {
	if n != 1 {
		what += "s"
	}
	return fmt.Sprintf("%d %s", n, what)
}
