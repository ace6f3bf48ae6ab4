package policies

import (
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
)

// Lookup resolves the name of a value of the caller, such as
// "subject.branches", "resource.params.id" or "subject.claims.department.code".
// The value is a string, a json.Number, a bool or a []any of those. A name
// without a value, with an empty text, with null or with an object reports
// false: a missing named value never matches anything.
func (in *Input) Lookup(name string) (any, bool) {
	if in == nil {
		return nil, false
	}
	if field, ok := strings.CutPrefix(name, "subject."); ok && in.Subject != nil {
		// What most decisions name, without a look at how names are made.
		switch field {
		case "id", "issuer", "role", "roles", "tenant", "branch", "branches", "acr", "amr":
			return in.Subject.field(field)
		}
	}
	if CheckName(name) != nil {
		return nil, false
	}
	parts := strings.Split(name, ".")
	switch parts[0] {
	case "subject":
		if in.Subject == nil {
			return nil, false
		}
		return in.Subject.lookup(parts[1:])
	case "action":
		if parts[1] == "method" {
			return text(in.Action.Method)
		}
		return text(in.Action.Name)
	case "resource":
		return in.Resource.lookup(parts[1:])
	}
	return in.Context.lookup(parts[1:])
}

// field gives one of those that have a text or texts.
func (s *Subject) field(name string) (any, bool) {
	switch name {
	case "id":
		return text(s.ID)
	case "issuer":
		return text(s.Issuer)
	case "role":
		return text(s.Role)
	case "roles":
		return list(s.Roles)
	case "tenant":
		return text(s.Tenant)
	case "branch":
		return text(s.Branch)
	case "branches":
		return list(s.Branches)
	case "acr":
		return text(s.ACR)
	case "amr":
		return list(s.AMR)
	}
	return nil, false
}

func (s *Subject) lookup(parts []string) (any, bool) {
	switch parts[0] {
	case "auth_time":
		if s.AuthTime == 0 {
			return nil, false
		}
		return json.Number(strconv.FormatInt(s.AuthTime, 10)), true
	case "auth_age":
		if s.AuthAge == nil {
			return nil, false
		}
		return json.Number(strconv.FormatInt(*s.AuthAge, 10)), true
	case "claims":
	default:
		return s.field(parts[0])
	}
	var v any = s.Claims
	for _, p := range parts[1:] {
		m, ok := v.(map[string]any)
		if !ok {
			return nil, false
		}
		v = m[p]
	}
	return scalarOrList(v)
}

func (r *Resource) lookup(parts []string) (any, bool) {
	switch parts[0] {
	case "route":
		return text(r.Route)
	case "host":
		return text(r.Host)
	case "path":
		return text(r.Path)
	case "params":
		return text(r.Params[parts[1]])
	}
	return list(r.Query[parts[1]])
}

func (c *Context) lookup(parts []string) (any, bool) {
	switch parts[0] {
	case "client_address":
		return text(c.ClientAddress)
	case "listener":
		return text(c.Listener)
	case "tls":
		return text(c.TLS)
	case "request_id":
		return text(c.RequestID)
	case "headers":
		return list(c.Headers[parts[1]])
	}
	switch parts[1] {
	case "hour":
		return json.Number(strconv.Itoa(c.Time.Hour)), true
	case "weekday":
		return text(c.Time.Weekday)
	}
	return text(c.Time.Date)
}

func text(s string) (any, bool) { return s, s != "" }

func list(s []string) (any, bool) {
	if s == nil {
		return nil, false
	}
	out := make([]any, len(s))
	for i, v := range s {
		out[i] = v
	}
	return out, true
}

func scalarOrList(v any) (any, bool) {
	switch v := v.(type) {
	case string:
		return text(v)
	case json.Number, bool:
		return v, true
	case []any:
		for _, e := range v {
			switch e := e.(type) {
			case json.Number, bool:
			case string:
				if e == "" {
					return nil, false
				}
			default:
				return nil, false
			}
		}
		return v, true
	}
	return nil, false
}

// names are the values of the caller that may be named; a trailing dot asks
// for one more part, two dots for at least one.
func names() []string {
	return []string{
		"subject.id", "subject.issuer", "subject.role", "subject.roles", "subject.tenant",
		"subject.branch", "subject.branches", "subject.acr", "subject.amr", "subject.auth_time",
		"subject.auth_age", "subject.claims..", "action.method", "action.name", "resource.route", "resource.host",
		"resource.path", "resource.params.", "resource.query.", "context.client_address",
		"context.listener", "context.tls", "context.request_id", "context.headers.",
		"context.time.hour", "context.time.weekday", "context.time.date",
	}
}

// Names lists the values that may be named, for suggestions; NAME stands for a
// part of the author's choice.
func Names() []string {
	out := names()
	for i, n := range out {
		if stem := strings.TrimRight(n, "."); stem != n {
			out[i] = stem + ".NAME"
		}
	}
	return out
}

// CheckName reports whether name can be resolved by [Input.Lookup] at all.
func CheckName(name string) error {
	for _, n := range names() {
		open := strings.HasSuffix(n, ".")
		stem := strings.TrimRight(n, ".")
		if name == stem && !open {
			return nil
		}
		rest, ok := strings.CutPrefix(name, stem+".")
		if !ok || !open {
			continue
		}
		parts := strings.Split(rest, ".")
		if len(parts) > 1 && !strings.HasSuffix(n, "..") {
			return fmt.Errorf("%q has a part too many after %q", name, stem)
		}
		for _, p := range parts {
			if p == "" {
				return fmt.Errorf("%q has an empty part", name)
			}
		}
		return nil
	}
	return fmt.Errorf("%q is not a value of the caller", name)
}
