package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"reflect"
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
	}
	if x.Logout != "" {
		fmt.Fprintf(w, "logout    tokens of the issuer %s are posted here, whatever the routes say\n", x.Logout)
	}
	if len(x.Stages) > 0 {
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
		printDecision(w, d, x.Rules, x.Unmet)
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

// printDecision prints a decision, and behind each entry the rules that it comes
// from.
func printDecision(w io.Writer, d *policies.Decision, rules []opa.FiredRule, unmet []opa.UnmetRule) {
	word := "deny"
	if d.Allowed() {
		word = "allow"
	}
	fmt.Fprintf(w, "decision  %s (policy %s)\n", word, d.Revision)
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	line := func(origin, format string, args ...any) {
		text := fmt.Sprintf(format, args...)
		if origin != "" {
			text += "\tby " + origin
		}
		fmt.Fprintf(t, "  %s\n", text)
	}
	by := reasons(rules)
	for _, m := range d.Deny {
		line(by.of(&policies.Decision{Deny: []policies.Denial{m}}), "deny    %s: %s", m.Code, m.Message)
	}
	_ = t.Flush()
	printUnmet(w, unmet)
	for _, m := range d.Mask {
		line(by.of(&policies.Decision{Mask: []policies.Mask{m}}), "mask    %-10s %s", m.Action, m.Path)
	}
	for _, p := range d.Expose {
		line(by.of(&policies.Decision{Expose: []string{p}}), "expose  %s", p)
	}
	for _, r := range d.Rows {
		origin := by.of(&policies.Decision{Rows: []policies.Row{r}})
		for _, c := range r.Where {
			line(origin, "rows    %s where %s", r.Path, c.Text(operand))
		}
	}
	printRequests(line, by, d)
	_ = t.Flush()
	printRules(w, rules)
}

// printRequests prints what a decision says about the request.
func printRequests(line func(origin, format string, args ...any), by reasons, d *policies.Decision) {
	for _, p := range d.Protect {
		line(by.of(&policies.Decision{Protect: []policies.Protect{p}}), "protect %-10s %s", p.Action, p.Path)
	}
	for _, q := range d.Require {
		line(by.of(&policies.Decision{Require: []policies.Require{q}}), "require %s", q)
	}
	for _, n := range slices.Sorted(maps.Keys(d.Headers)) {
		v := d.Headers[n]
		text := v.Text
		if v.Input != "" {
			text = "<" + v.Input + ">"
		}
		line(by.of(&policies.Decision{Headers: map[string]policies.Value{n: v}}), "header  %s: %s", n, text)
	}
	for _, n := range slices.Sorted(maps.Keys(d.RateLimits)) {
		part := &policies.Decision{RateLimits: map[string]policies.Rate{n: d.RateLimits[n]}}
		line(by.of(part), "rate    %s: %s", n, d.RateLimits[n])
	}
	if d.Region != "" {
		line(by.of(&policies.Decision{Region: d.Region}), "region  %s", d.Region)
	}
	if d.Audit != "" {
		line(by.of(&policies.Decision{Audit: d.Audit}), "audit   %s", d.Audit)
	}
	if d.AllFields {
		line(by.of(&policies.Decision{AllFields: true}), "all_fields")
	}
	if d.AllRows {
		line(by.of(&policies.Decision{AllRows: true}), "all_rows")
	}
}

// reasons are the rules that made a decision.
type reasons []opa.FiredRule

// of tells where the rules stand that said this part of the decision, as
// "masking/masking.rego:40 MASK-10".
func (rs reasons) of(part *policies.Decision) string {
	var out []string
	for _, r := range rs {
		if r.Part == nil || !reflect.DeepEqual(r.Part, part) {
			continue
		}
		for _, o := range r.Origins() {
			if at := ruleAt(o); !slices.Contains(out, at) {
				out = append(out, at)
			}
		}
	}
	return strings.Join(out, ", ")
}

func ruleAt(r opa.RulePlace) string {
	return strings.TrimSpace(fmt.Sprintf("%s:%d %s", r.File, r.Line, r.Labels["id"]))
}

// printRules tells where the rules of package gatehouse stand that made the
// decision. One that held for several values is told once.
func printRules(w io.Writer, rules []opa.FiredRule) {
	told := map[string]bool{}
	for _, r := range rules {
		line := fmt.Sprintf("%-23s %s", r.Name, ruleAt(r.RulePlace))
		if r.Title != "" {
			line += " " + r.Title
		}
		if !told[line] {
			told[line] = true
			fmt.Fprintf(w, "  by      %s\n", line)
		}
	}
}

// printUnmet tells what did not hold of the rules that would have granted.
func printUnmet(w io.Writer, unmet []opa.UnmetRule) {
	for _, u := range unmet {
		fmt.Fprintf(w, "  unmet   %-23s %s: %s\n", u.Name, ruleAt(u.RulePlace), u.Expression)
		for _, f := range u.Facts {
			fmt.Fprintf(w, "          %s\n", f)
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
