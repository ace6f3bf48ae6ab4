package opa

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/open-policy-agent/opa/v1/ast"

	"github.com/gatehouse-dev/gatehouse/policies"
)

// Probe is a route on which [Load] asks as strangers would, and refuses
// policies that let them find something. Strangers are nobody at all, a subject
// without a role, and one with a role that nobody has heard of. Further, every
// role that the policies or their tests speak of is tried with a tenant that
// owns nothing.
//
//   - Where masks are required, a stranger is refused, or masked entirely: one
//     mask of $ or $..* that drops, redacts or nulls, and none that shows.
//   - Where rows are required, a stranger is refused, or no foreign row passes.
//     Where known roles of another tenant get foreign rows, and the policies do
//     not say all_rows of them, that is a warning (see [Engine.Warnings]): not
//     every company has tenants.
//
// A foreign row is one in which nothing equals what the caller is: not the id,
// the tenant, the branches, nor a claim. It cannot pass a filter that compares
// a field with one of these (eq, in, startswith, endswith, contains). Whether
// it meets any other comparison is not known, so it is taken to pass.
//
// A probe has every second factor, given that very second, and asks each method for the path itself,
// for somebody's record and for its own. Time and headers stay the same, so
// that what depends on them is not found.
type Probe struct {
	// Route is the route's name, Path its path as configured (with {id}, and /
	// at the end of a prefix), Host one of its hosts or "".
	Route, Path, Host string
	// Methods that the route takes. Empty means any.
	Methods []string
	// Masks and Rows say what the route requires of a decision.
	Masks, Rows bool
}

// What probes are called. A policy that knows these words knows too much.
const (
	probeID     = "gatehouse-probe"
	probeRecord = "gatehouse-probe-record"
	probeRole   = "gatehouse-probe-role"
	probeTenant = "gatehouse-probe-tenant"
)

// prober asks.
type prober struct {
	s       *sources
	e       *Engine
	g       *gated
	timeout time.Duration // of one question
}

// probe asks on every route, and tells of the first thing that each kind of
// stranger finds there.
func (s *sources) probe(ctx context.Context, e *Engine, g *gated, o Options, asked []ast.Value) error {
	if len(o.Probes) == 0 {
		return nil
	}
	p := &prober{s, e, g, o.testTimeout()}
	roles := knownRoles(g, s.tree, asked)
	for _, r := range o.Probes {
		p.try(ctx, r, "nobody at all", nil, true)
		p.try(ctx, r, "a subject without a role", probeSubject(""), true)
		p.try(ctx, r, "a subject with an unknown role", probeSubject(probeRole), true)
		for _, role := range roles {
			p.try(ctx, r, fmt.Sprintf("a subject of another tenant with role %q", role), probeSubject(role), false)
		}
	}
	return s.err()
}

func probeSubject(role string) *policies.Subject {
	s := &policies.Subject{
		ID: probeID, Issuer: probeID, Tenant: probeTenant, Branch: probeTenant, Branches: []string{probeTenant},
		Role: role, Roles: []string{}, ACR: "3", AMR: []string{"hwk", "mfa", "otp", "pin", "pwd"}, AuthTime: probeMoment().Unix(),
		Claims: map[string]any{"sub": probeID, "tenant": probeTenant},
	}
	if role != "" {
		s.Roles, s.Claims["role"] = []string{role}, role
	}
	return s
}

// try asks everything that one subject can ask on a route.
func (p *prober) try(ctx context.Context, r Probe, who string, subject *policies.Subject, stranger bool) {
	if !stranger && !r.Rows {
		return
	}
	for _, in := range r.questions(subject) {
		d, err := p.judge(ctx, in)
		if errors.Is(err, context.DeadlineExceeded) && ctx.Err() == nil {
			p.s.mistakes.at(p.g.ruleAt("allow"), "route %q: to tell whether %s may %s %s takes longer than %v",
				r.Route, who, in.Action.Method, in.Resource.Path, p.timeout)
			return
		}
		// What cannot be decided is refused, and so is silence where a word is required.
		if err != nil || !d.Allowed() || r.Silent(d) {
			continue
		}
		if why := r.open(d, stranger); why != "" {
			found := &p.s.mistakes
			if !stranger {
				found = &p.e.warnings
			}
			found.at(p.granted(ctx, in), "route %q: %s may %s %s and %s (found by policies.probes)",
				r.Route, who, in.Action.Method, in.Resource.Path, why)
			return
		}
	}
}

// judge decides without the budget: a door is not closed because it takes long
// to open.
func (p *prober) judge(ctx context.Context, in *policies.Input) (*policies.Decision, error) {
	input, err := p.e.terms.input(in)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, p.timeout)
	defer cancel()
	doc, err := p.e.document(ctx, input)
	if err != nil {
		return nil, cmp.Or(ctx.Err(), err)
	}
	r := reader{}
	d := r.decision(ast.NewTerm(doc))
	return d, r.err()
}

// granted is where the rule stands that let a probe in.
func (p *prober) granted(ctx context.Context, in *policies.Input) *ast.Location {
	fired, _ := p.e.Explain(ctx, in)
	for _, f := range fired {
		if f.Name == "allow" {
			return &ast.Location{File: f.File, Row: f.Line, Col: 1}
		}
	}
	return p.g.ruleAt("allow")
}

// questions are those of one subject.
func (r Probe) questions(subject *policies.Subject) []*policies.Input {
	methods := r.Methods
	if len(methods) == 0 {
		methods = []string{"GET", "POST", "PUT", "PATCH", "DELETE"}
	}
	paths := []string{r.Path, r.Path + probeRecord, r.Path + probeID}
	if !strings.HasSuffix(r.Path, "/") {
		paths = paths[:1]
	}
	var out []*policies.Input
	for _, path := range paths {
		for _, record := range []string{probeRecord, probeID} {
			at, params := fillPath(path, record)
			for _, m := range methods {
				out = append(out, r.question(subject, m, at, params))
			}
			if len(params) == 0 {
				break
			}
		}
	}
	return out
}

func (r Probe) question(subject *policies.Subject, method, path string, params map[string]string) *policies.Input {
	in := policies.NewInput(subject, probeMoment())
	in.Action = policies.Action{Method: method, Name: policies.ActionName(method)}
	in.Resource = policies.Resource{
		Route: r.Route, Host: r.Host, Path: path, Segments: policies.Segments(path),
		Params: params, Query: map[string][]string{},
	}
	in.Context.ClientAddress, in.Context.TLS = "192.0.2.1", "1.3"
	in.Context.Headers, in.Context.RequestID = map[string][]string{}, probeID
	return in
}

// probeMoment is when probes ask and have signed in: a Monday morning.
func probeMoment() time.Time { return time.Date(2026, time.January, 5, 10, 0, 0, 0, time.UTC) }

// fillPath puts a record in the place of each {name}.
func fillPath(path, record string) (string, map[string]string) {
	params := map[string]string{}
	segments := strings.Split(path, "/")
	for i, s := range segments {
		if name, ok := strings.CutPrefix(s, "{"); ok {
			params[strings.TrimSuffix(name, "}")] = record
			segments[i] = record
		}
	}
	return strings.Join(segments, "/"), params
}
