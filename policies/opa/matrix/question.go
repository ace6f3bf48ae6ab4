package matrix

import (
	"slices"
	"strings"
	"time"

	"github.com/gatehouse-dev/gatehouse/policies"
	"github.com/gatehouse-dev/gatehouse/policies/opa"
)

// Whose a record is.
const (
	own         = "own"
	colleague   = "colleague"
	otherBranch = "other branch"
	otherTenant = "other tenant"
)

func records() []string { return []string{own, colleague, otherBranch, otherTenant} }

func actions() []string { return []string{"list", "read", "create", "update", "delete"} }

// somebodyElse is the id of a record that is not the caller's.
const somebodyElse = "matrix-somebody-else"

// question is one thing that a caller does on a route.
type question struct {
	action string
	record bool // the path names a record
	own    bool // which is the caller's
	input  *policies.Input
}

// caller is who asks where nobody else is named: with every second factor, given
// that very second.
func caller() *policies.Subject {
	return &policies.Subject{
		ID: "matrix-caller", Issuer: "matrix", Tenant: "matrix-tenant", Branch: "matrix-branch", ACR: "3",
		AMR: []string{"hwk", "mfa", "otp", "pin", "pwd"}, AuthTime: moment().Unix(), Claims: map[string]any{},
	}
}

// subject is a caller with a role, and a branch where the policies know some.
func subject(base *policies.Subject, role, branch string) *policies.Subject {
	s := *base
	if role == AnyOther {
		role = "matrix-unknown-role"
	}
	s.Role, s.Roles = role, []string{role}
	if branch != "" {
		s.Branch, s.Branches = branch, []string{branch}
	}
	s.Branch, s.Branches = policies.OneAndAll(s.Branch, s.Branches)
	return &s
}

// questions are all that a caller can do on a route.
func questions(r opa.Probe, s *policies.Subject) []question {
	collection, record := r.Path, ""
	switch {
	case strings.HasSuffix(r.Path, "/"):
		record = r.Path + "{}"
	case strings.Contains(r.Path, "{"):
		collection, record = "", r.Path
	}
	var out []question
	add := func(action, path string, record, own bool, methods ...string) {
		for _, m := range methods {
			if path == "" || len(r.Methods) > 0 && !slices.Contains(r.Methods, m) {
				continue
			}
			id := somebodyElse
			if own {
				id = s.ID
			}
			out = append(out, question{action, record, own, input(r, s, m, path, id)})
		}
	}
	if record == "" {
		add("read", collection, false, false, "GET")
		add("create", collection, false, false, "POST")
		add("update", collection, false, false, "PUT", "PATCH")
		add("delete", collection, false, false, "DELETE")
		return out
	}
	add("list", collection, false, false, "GET")
	add("create", collection, false, false, "POST")
	for _, mine := range []bool{true, false} {
		add("read", record, true, mine, "GET")
		if collection == "" {
			add("create", record, true, mine, "POST")
		}
		add("update", record, true, mine, "PUT", "PATCH")
		add("delete", record, true, mine, "DELETE")
	}
	return out
}

// input is one question about a path, with an id in the place of each {name}.
func input(r opa.Probe, s *policies.Subject, method, path, id string) *policies.Input {
	params := map[string]string{}
	segments := strings.Split(path, "/")
	for i, part := range segments {
		if name, ok := strings.CutPrefix(part, "{"); ok {
			if name = strings.TrimSuffix(name, "}"); name != "" {
				params[name] = id
			}
			segments[i] = id
		}
	}
	path = strings.Join(segments, "/")
	in := policies.NewInput(s, moment())
	if s.AuthAge != nil {
		in.Subject.AuthAge = s.AuthAge // as Options.Subject has it
	}
	in.Action = policies.Action{Method: method, Name: policies.ActionName(method)}
	in.Resource = policies.Resource{
		Route: r.Route, Host: r.Host, Path: path, Segments: policies.Segments(path),
		Params: params, Query: map[string][]string{},
	}
	in.Context.ClientAddress, in.Context.TLS = "192.0.2.1", "1.3"
	in.Context.Headers, in.Context.RequestID = map[string][]string{}, "matrix"
	return in
}

// moment is when all questions are asked, and when the caller has signed in.
func moment() time.Time { return time.Date(2026, time.January, 5, 10, 0, 0, 0, time.UTC) }

// Routes are those that some questions ask about, such as those of an auditor's
// cases: each with the folder that all its paths stand in.
func Routes(asked []*policies.Input) []opa.Probe {
	var out []opa.Probe
	for _, in := range asked {
		path := folder(in.Resource.Path)
		i := slices.IndexFunc(out, func(p opa.Probe) bool { return p.Route == in.Resource.Route })
		if i < 0 {
			out = append(out, opa.Probe{Route: in.Resource.Route, Path: path, Host: in.Resource.Host})
			continue
		}
		for !strings.HasPrefix(path, out[i].Path) {
			out[i].Path = folder(strings.TrimSuffix(out[i].Path, "/"))
		}
	}
	slices.SortFunc(out, func(a, b opa.Probe) int { return strings.Compare(a.Route, b.Route) })
	return out
}

// folder is a path up to its last slash.
func folder(path string) string { return path[:strings.LastIndexByte(path, '/')+1] }
