package authz

import (
	"net/netip"
	"net/url"
	"slices"
	"strings"

	"github.com/gatehouse-dev/gatehouse/middleware"
	"github.com/gatehouse-dev/gatehouse/policies"
)

// question makes the question of an exchange. The error is a refusal: a body
// that the policy is to see cannot be read.
func (s *Stage) question(x *middleware.Exchange) (*policies.Input, error) {
	query := s.noLists
	var err error
	if raw := x.Request.URL.RawQuery; raw != "" {
		// The gateway has refused queries that do not parse.
		if query, err = url.ParseQuery(raw); err != nil {
			return nil, middleware.Refuse(stageName, middleware.PathInvalid, "the query cannot be read").With(err)
		}
	}
	method := x.Request.Method
	in := s.clock.NewInput(x.Subject, x.Start)
	in.Action = policies.Action{Method: method, Name: policies.ActionName(method)}
	in.Resource = policies.Resource{
		Route: x.Route.Name, Host: x.Host, Path: x.Path, Segments: policies.Segments(x.Path), Params: x.Params, Query: query,
	}
	in.Context = policies.Context{
		Time: in.Context.Time, ClientAddress: address(x.Client), Listener: x.Listener, TLS: x.TLS,
		Headers: s.readable(x), RequestID: x.ID,
	}
	if in.Resource.Params == nil {
		in.Resource.Params = s.noTexts
	}
	if s.policy.Body {
		in.Body, err = s.seen(x)
	}
	return in, err
}

// readable gives the headers that policies may read.
func (s *Stage) readable(x *middleware.Exchange) map[string][]string {
	out := s.noLists
	for _, name := range s.headers {
		if v := x.Request.Header.Values(name); len(v) > 0 {
			if len(out) == 0 {
				out = map[string][]string{}
			}
			out[strings.ToLower(name)] = slices.Clone(v)
		}
	}
	return out
}

// address writes the client's address, and nothing where it is not known: what a
// policy names of it is then missing, and denies.
func address(a netip.Addr) string {
	if !a.IsValid() {
		return ""
	}
	return a.String()
}
