// Package matrix tells who sees what: for every role, route, action and field, by
// asking the policies and judging the answers.
//
// # How it is found out
//
// Nothing is declared anywhere. The roles and branches are those that the policies
// compare the caller with or look up in their data; the fields are those that
// their decisions speak of (mask, classified, expose), with the class that the
// masks give them. Every role asks every route for a list, and reads, creates,
// updates and deletes a record, its own and somebody else's. What the decision
// says is then judged for each field as the gateway enforces it.
//
// Whose record it is decides which row filters it passes: a colleague's shares
// tenant and branch with the caller, one of another branch shares the tenant, one
// of another tenant shares nothing. A filter of which that is not known (a literal
// value, a claim) is taken to let the record pass, so the matrix may say more than
// is seen and never less.
//
// # What it cannot tell
//
// The clock, headers, bodies and claims are the same for all questions, and the
// second factor is there. A field that is named at any depth ($..name) is judged
// directly in a record. Policies that grant by something else than these are told
// apart only with another [Options.Subject].
package matrix

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/gatehouse-dev/gatehouse/policies"
	"github.com/gatehouse-dev/gatehouse/policies/opa"
)

// What a caller gets of a field, besides the names of the mask actions.
const (
	Visible  = "visible"
	Hidden   = "hidden" // not on the allow list
	Filtered = "no row" // the record does not come
	Denied   = "denied" // the request is refused
)

// AnyOther stands for a role that the policies do not know.
const AnyOther = "(other)"

// maxSubjects bounds the combinations of role and branch.
const maxSubjects = 200

// Options say what to ask.
type Options struct {
	// Routes on which to ask. Required.
	Routes []opa.Probe
	// Subject is what every caller has besides role and branch. Default: an id, a
	// tenant and a branch that no policy knows, and every second factor.
	Subject *policies.Subject
	// Roles and Branches are asked for besides those that the policies know, so
	// that two sets of policies can be compared.
	Roles, Branches []string
}

// Cell is one answer: what a role gets of a field.
type Cell struct {
	Route  string `json:"route"`
	Action string `json:"action"` // list, read, create, update or delete
	Whose  string `json:"whose"`  // own, colleague, other branch or other tenant
	Role   string `json:"role"`
	Branch string `json:"branch,omitempty"` // where the policies know branches
	Class  string `json:"class,omitempty"`  // of the field, where a mask says it
	Field  string `json:"field"`
	// State is visible, a mask action, hidden, no row or denied.
	State string `json:"state"`
	// Detail says why a request is denied.
	Detail string `json:"detail,omitempty"`
}

// who is the caller's column.
func (c Cell) who() string { return label(c.Role, c.Branch) }

func label(role, branch string) string {
	if branch != "" {
		role += "@" + branch
	}
	return role
}

// Strictness orders states, strictest first: a state shows no more than the ones
// that come later.
func Strictness() []string {
	return slices.Concat([]string{Denied, Filtered, Hidden}, masks(), []string{Visible})
}

// masks are the mask actions, strictest first.
func masks() []string {
	all := policies.MaskActions()
	return all[:len(all)-1] // show lifts masks
}

// Survey holds what some policies decided on all questions.
type Survey struct {
	options  Options
	answers  []answered
	branched bool // whether policies know branches
}

// answered is a decision on one question.
type answered struct {
	route, action, role, branch string
	subject                     *policies.Subject
	own                         bool               // the path names the caller's own record
	record                      bool               // the path names a record
	decision                    *policies.Decision // nil where denied
	said                        *policies.Decision // what was decided in any case
	detail                      string
}

// Vocabularies adds the names that some policies know to the options, so that
// several sets of policies are asked the same.
func (o Options) Vocabularies(list ...opa.Vocabulary) Options {
	for _, v := range list {
		o.Roles, o.Branches = union(o.Roles, v.Roles), union(o.Branches, v.Branches)
	}
	return o
}

func union(a, b []string) []string {
	out := slices.Concat(a, b)
	slices.Sort(out)
	return slices.Compact(out)
}

// Ask puts all questions to the policies. A question that cannot be decided is
// denied, as the gateway denies it. The error is a canceled context, or more
// roles and branches than can be asked for.
func Ask(ctx context.Context, d policies.Decider, o Options) (*Survey, error) {
	if n := (len(o.Roles) + 1) * max(len(o.Branches), 1); n > maxSubjects {
		return nil, fmt.Errorf("%d combinations of role and branch are more than a matrix of %d can show", n, maxSubjects)
	}
	if o.Subject == nil {
		o.Subject = caller()
	}
	s := &Survey{options: o, branched: len(o.Branches) > 0}
	branches := o.Branches
	if !s.branched {
		branches = []string{""}
	}
	for _, route := range o.Routes {
		for _, role := range append(slices.Clone(o.Roles), AnyOther) {
			for _, branch := range branches {
				for _, q := range questions(route, subject(o.Subject, role, branch)) {
					if err := ctx.Err(); err != nil {
						return nil, fmt.Errorf("matrix not finished: %w", err)
					}
					s.answers = append(s.answers, s.ask(ctx, d, route, q, role, branch))
				}
			}
		}
	}
	return s, nil
}

// ask puts one question, and refuses what the gateway would refuse.
func (s *Survey) ask(ctx context.Context, d policies.Decider, route opa.Probe, q question, role, branch string) answered {
	a := answered{
		route: route.Route, action: q.action, role: role, branch: branch,
		subject: q.input.Subject, own: q.own, record: q.record, said: &policies.Decision{},
	}
	got, err := d.Decide(ctx, q.input)
	if err != nil {
		a.detail = "policy_error"
		return a
	}
	a.said = got
	switch {
	case len(got.Deny) > 0:
		var codes []string
		for _, m := range got.Deny {
			codes = append(codes, m.Code)
		}
		a.detail = strings.Join(slices.Compact(codes), " ")
	case !got.Allow:
		a.detail = "forbidden"
	case route.Silent(got):
		a.detail = "policy_error"
	default:
		a.decision = got
	}
	return a
}
