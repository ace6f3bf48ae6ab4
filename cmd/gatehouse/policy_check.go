package main

import (
	"context"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/gatehouse-dev/gatehouse/policies/opa"
	"github.com/gatehouse-dev/gatehouse/policies/opa/memo"
)

// policyCheck loads the policies as serve does, and says what a decision
// depends on.
func policyCheck(ctx context.Context, e *env, o opa.Options, asJSON bool) int {
	engine, err := opa.Load(ctx, o)
	if err != nil {
		return policyMistakes(e, err, asJSON)
	}
	rules, files := engine.Size()
	report := engine.Memo()
	if asJSON {
		return printJSON(e, map[string]any{
			"ok": true, "rules": rules, "files": files, "revision": engine.Revision(), "memo": report,
		}, exitOK)
	}
	fmt.Fprintf(e.stdout, "ok: %s in %s, revision %s\n", plural(rules, "rule"), plural(files, "file"), engine.Revision())
	printMemo(e.stdout, report)
	return exitOK
}

// printMemo says what decisions depend on: on each route where a configuration
// names them, of all routes otherwise.
func printMemo(w io.Writer, r memo.Report) {
	if len(r.Refused) > 0 {
		fmt.Fprintln(w, "\nno decision is remembered:")
		for _, x := range r.Refused {
			fmt.Fprintf(w, "  %v: %s\n", x.Place, x.Reason)
		}
		return
	}
	if len(r.Routes) == 0 {
		fmt.Fprintln(w, "\na decision depends on")
		printReads(w, r.Reads)
	}
	for _, route := range r.Routes {
		fmt.Fprintf(w, "\non route %s, %s, a decision depends on\n", route.Route, fetched(route))
		printReads(w, route.Reads)
	}
	if len(r.Advice) > 0 {
		fmt.Fprintln(w, "\nmore decisions would be remembered without this:")
		for _, a := range r.Advice {
			fmt.Fprintf(w, "  %v: %s\n", a.Place, a.Message)
		}
	}
}

// fetched says what must be taken from a request before it can be decided.
func fetched(r memo.RouteReport) string {
	what := "without the body"
	if r.Body {
		what = "with the body"
	}
	switch {
	case slices.Contains(r.Headers, "*"):
		return what + " and with all headers"
	case len(r.Headers) > 0:
		return what + " and with the headers " + strings.Join(r.Headers, ", ")
	}
	return what + " and without headers"
}

func printReads(w io.Writer, reads []memo.Read) {
	if len(reads) == 0 {
		fmt.Fprintln(w, "  nothing: it is always the same")
	}
	for _, x := range reads {
		at := make([]string, len(x.At))
		for i, p := range x.At {
			at[i] = p.String()
		}
		fmt.Fprintf(w, "  %s\n      %s\n", x.What, strings.Join(at, ", "))
	}
}
