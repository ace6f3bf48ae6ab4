package main

import (
	"cmp"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"

	"github.com/gatehouse-dev/gatehouse/config"
	"github.com/gatehouse-dev/gatehouse/policies"
	"github.com/gatehouse-dev/gatehouse/policies/opa"
)

const evalUsage = "usage: gatehouse policy eval [-c FILE] [--data DIR] [DIR…] [--input FILE|-] [--json]\n" +
	"           [--role R] [--tenant T] [--id ID] [--method M] [--path P] [--route NAME]"

// asked is the question of the command line.
type asked struct {
	input                                  string
	role, tenant, id, method, path, routes string
}

// policyEval puts one question to the policies and prints the decision with its
// reasons, or why there is none.
func policyEval(ctx context.Context, e *env, args []string) int {
	f := flag.NewFlagSet("policy eval", flag.ContinueOnError)
	f.SetOutput(io.Discard)
	var q asked
	file, data := f.String("c", "", ""), f.String("data", "", "")
	asJSON := f.Bool("json", false, "")
	for name, into := range map[string]*string{
		"input": &q.input, "role": &q.role, "tenant": &q.tenant, "id": &q.id,
		"method": &q.method, "path": &q.path, "route": &q.routes,
	} {
		f.StringVar(into, name, "", "")
	}
	dirs, err := parseMixed(f, args)
	if err != nil || q == (asked{}) || (*file == "") == (len(dirs) == 0) {
		fmt.Fprintln(e.stderr, evalUsage)
		return exitUsage
	}
	in, err := q.question(e.stdin, time.Now())
	if err != nil {
		return policyMistakes(e, err, *asJSON)
	}
	c, engine, root, err := openPolicies(ctx, *file, *data, dirs)
	if err != nil {
		return policyMistakes(e, err, *asJSON)
	}
	a := evaluated{Input: in}
	if a.Decision, err = engine.Decide(ctx, in); err != nil {
		return policyMistakes(e, fmt.Errorf("no decision, so the gateway refuses with policy_error: %w", opa.Details(err)), *asJSON)
	}
	a.Allowed = a.Decision.Allowed()
	if c != nil && a.Allowed {
		a.Refused = silent(c, in.Resource.Route, a.Decision)
		a.Allowed = a.Refused == ""
	}
	// What was decided stands; where its reasons cannot be told they are missing.
	a.Rules, _ = engine.Explain(ctx, in)
	if !a.Decision.Allow {
		a.Unmet, _ = engine.Unmet(ctx, in)
	}
	opa.Relative(root, a.Rules, a.Unmet)
	if *asJSON {
		return printJSON(e, a, exitOK)
	}
	printDecision(e.stdout, a.Decision, a.Rules, a.Unmet)
	if a.Refused != "" {
		fmt.Fprintf(e.stdout, "refused   500 policy_error by authz: %s\n", a.Refused)
	}
	return exitOK
}

// silent says why the gateway refuses a decision that allows, "" where it does
// not: a route may ask for a word about fields and rows.
func silent(c *config.Config, route string, d *policies.Decision) string {
	for _, r := range c.Routes {
		if r.Name == route && !r.Policy.Off && probeOf(r).Silent(d) {
			return "the route requires masks or rows, and the decision says neither those nor all_fields and all_rows"
		}
	}
	return ""
}

// evaluated is what eval prints with --json.
type evaluated struct {
	Input    *policies.Input    `json:"input"`
	Allowed  bool               `json:"allowed"`
	Refused  string             `json:"refused,omitempty"`
	Decision *policies.Decision `json:"decision"`
	Rules    []opa.FiredRule    `json:"rules,omitempty"`
	Unmet    []opa.UnmetRule    `json:"unmet,omitempty"`
}

// openPolicies loads the policies of a configuration or of folders, without their
// tests and probes, which check is for. root is the folder that their files are
// told relative to.
func openPolicies(ctx context.Context, file, data string, dirs []string) (c *config.Config, engine *opa.Engine, root string, err error) {
	o := opa.Options{Data: data}
	if file != "" {
		if c, err = config.Load(file); err != nil {
			return nil, nil, "", err
		}
	}
	switch {
	case len(dirs) > 0:
		o.Path, o.More = dirs[0], dirs[1:]
		if len(dirs) == 1 {
			root = dirs[0]
		}
	case c.Policies.Path == "" && c.Policies.Bundle == nil:
		return nil, nil, "", fmt.Errorf("%s: the configuration names no policies", file)
	default:
		if o, err = policyOptions(ctx, c, data); err != nil {
			return nil, nil, "", err
		}
		o.Tests, o.Probes, root = false, nil, c.Policies.Path
	}
	o.Budget = max(o.Budget, time.Second) // nobody waits for this answer
	engine, err = opa.Load(ctx, o)
	return c, engine, root, err
}

// question reads the file and lays the flags over it. Where neither says when it
// is, it is now, and the sign-in is as old as subject.auth_time makes it. At a
// moment of which only the hour is known that cannot be told to the second:
// subject.auth_age says it there, or it stays unknown.
func (q asked) question(stdin io.Reader, now time.Time) (*policies.Input, error) {
	in := &policies.Input{}
	if q.input != "" {
		name, text, err := q.input, []byte(nil), error(nil)
		if name == "-" {
			name = "stdin"
			text, err = io.ReadAll(stdin)
		} else {
			text, err = os.ReadFile(filepath.Clean(name))
		}
		if err != nil {
			return nil, err
		}
		if in, err = opa.ParseInput(name, text); err != nil {
			return nil, err
		}
	}
	if in.Subject == nil && cmp.Or(q.role, q.tenant, q.id) != "" {
		in.Subject = &policies.Subject{}
	}
	if s := in.Subject; s != nil {
		if q.role != "" {
			s.Role, s.Roles = q.role, nil
		}
		s.Tenant, s.ID = cmp.Or(q.tenant, s.Tenant), cmp.Or(q.id, s.ID)
	}
	if q.method != "" {
		in.Action = policies.Action{Method: q.method}
	}
	if q.path != "" {
		in.Resource.Path, in.Resource.Segments = q.path, nil
	}
	in.Resource.Route = cmp.Or(q.routes, in.Resource.Route)
	if in.Context.Time == (policies.Time{}) {
		in.Context.Time = policies.Moment(now)
		if age, known := in.Subject.Age(now); known && in.Subject.AuthAge == nil {
			in.Subject.AuthAge = &age
		}
	}
	opa.Derive(in)
	if in.Action.Method == "" {
		return nil, errors.New("the question does not say what is done: give --method, or input.action.method")
	}
	return in, nil
}
