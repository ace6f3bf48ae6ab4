package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/gatehouse-dev/gatehouse/gateway"
	"github.com/gatehouse-dev/gatehouse/middleware/authn"
	"github.com/gatehouse-dev/gatehouse/policies"
	"github.com/gatehouse-dev/gatehouse/policies/opa"
)

// explainVerb tells what the gateway would do with a request, from the same
// plan that would serve it.
func explainVerb(ctx context.Context, e *env, args []string) int {
	f := flags(e, "explain", "-c FILE METHOD URL [--claims JSON] [--json]")
	file := f.String("c", "", "configuration `file`")
	text := f.String("claims", "", "claims of the caller's token, as a `JSON` object")
	asJSON := f.Bool("json", false, "print JSON")
	positional, err := parseMixed(f, args)
	if err != nil || *file == "" || len(positional) != 2 {
		f.Usage()
		return exitUsage
	}
	var claims map[string]any
	if *text != "" {
		var err error
		if claims, err = authn.Claims([]byte(*text)); err != nil {
			fmt.Fprintf(e.stderr, "gatehouse explain: --claims: %v\n", err)
			return exitUsage
		}
	}
	_, plan, err := compile(ctx, *file)
	if err != nil {
		fmt.Fprintln(e.stderr, err)
		return exitWrong
	}
	defer plan.Close()
	x, err := plan.Explain(strings.ToUpper(positional[0]), positional[1], claims, time.Now())
	if err != nil {
		fmt.Fprintln(e.stderr, err)
		return exitUsage
	}
	if *asJSON {
		return printJSON(e, x, exitOK)
	}
	printExplanation(e.stdout, x)
	return exitOK
}

func printExplanation(w io.Writer, x *gateway.Explanation) {
	if x.Route != "" {
		fmt.Fprintf(w, "route     %s -> %s%s\n", x.Route, x.Upstream, x.Forward)
		fmt.Fprintln(w, "stages")
		t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
		for _, s := range x.Stages {
			fmt.Fprintf(t, "  %s\t%s\n", s.Name, s.Settings)
		}
		_ = t.Flush()
	}
	if s := x.Subject; s != nil {
		fmt.Fprintf(w, "subject   %s role=%s tenant=%s branches=%s\n", s.ID, s.Role, s.Tenant, strings.Join(s.Branches, ","))
	}
	if d := x.Decision; d != nil {
		printDecision(w, d)
		printRules(w, x.Rules)
	}
	if r := x.Refused; r != nil {
		fmt.Fprintf(w, "refused   %d %s by %s: %s\n", r.Status, r.Code, r.Stage, r.Detail)
		if r.Cause != "" {
			fmt.Fprintf(w, "cause     %s\n", r.Cause)
		}
		return
	}
	fmt.Fprintln(w, "passes")
}

func printDecision(w io.Writer, d *policies.Decision) {
	word := "deny"
	if d.Allowed() {
		word = "allow"
	}
	fmt.Fprintf(w, "decision  %s (policy %s)\n", word, d.Revision)
	for _, m := range d.Deny {
		fmt.Fprintf(w, "  deny    %s: %s\n", m.Code, m.Message)
	}
	for _, m := range d.Mask {
		fmt.Fprintf(w, "  mask    %-10s %s\n", m.Action, m.Path)
	}
	for _, p := range d.Expose {
		fmt.Fprintf(w, "  expose  %s\n", p)
	}
	for _, r := range d.Rows {
		for _, c := range r.Where {
			fmt.Fprintf(w, "  rows    %s where %s\n", r.Path, c.Text(operand))
		}
	}
	for _, p := range d.Protect {
		fmt.Fprintf(w, "  protect %-10s %s\n", p.Action, p.Path)
	}
	for _, q := range d.Require {
		fmt.Fprintf(w, "  require %s\n", q)
	}
	for _, n := range slices.Sorted(maps.Keys(d.Headers)) {
		v := d.Headers[n]
		if v.Input != "" {
			fmt.Fprintf(w, "  header  %s: <%s>\n", n, v.Input)
			continue
		}
		fmt.Fprintf(w, "  header  %s: %s\n", n, v.Text)
	}
	if d.Region != "" {
		fmt.Fprintf(w, "  region  %s\n", d.Region)
	}
	if d.Audit != "" {
		fmt.Fprintf(w, "  audit   %s\n", d.Audit)
	}
	if d.AllFields {
		fmt.Fprintln(w, "  all_fields")
	}
	if d.AllRows {
		fmt.Fprintln(w, "  all_rows")
	}
}

// printRules tells where the rules stand that made the decision. One that held
// for several values is told once.
func printRules(w io.Writer, rules []opa.FiredRule) {
	told := map[string]bool{}
	for _, r := range rules {
		line := fmt.Sprintf("%-23s %s:%d", r.Name, r.File, r.Line)
		if id := r.Labels["id"]; id != "" {
			line += " " + id
		}
		if r.Title != "" {
			line += " " + r.Title
		}
		if !told[line] {
			told[line] = true
			fmt.Fprintf(w, "  by      %s\n", line)
		}
	}
}

func operand(c policies.Condition) string {
	if c.Input != "" {
		return "<" + c.Input + ">"
	}
	b, err := json.Marshal(c.Value)
	if err != nil {
		return fmt.Sprint(c.Value)
	}
	return string(b)
}
