package cases

import (
	"cmp"
	"errors"
	"fmt"
	"net/url"
	"strings"
	"time"

	"github.com/gatehouse-dev/gatehouse/policies"
)

// What a case does not say about the circumstances.
const (
	defaultMoment = "2026-11-23T14:00:00Z" // a Monday
	defaultHost   = "api.example.com"
	defaultIssuer = "auth-service"
	nobody        = "nobody"
)

// prepare checks the case and builds its question.
func (c *Case) prepare(people map[string]*Person) error {
	if c == nil {
		return errors.New("the case is empty")
	}
	switch {
	case c.Note == "":
		return errors.New("note is missing: say in a sentence what the case is about")
	case c.On == "":
		return errors.New("on is missing: the name of the route")
	case c.Want.Allow == nil:
		return errors.New("want.allow is missing: true or false")
	}
	if err := c.Want.check(); err != nil {
		return err
	}
	moment, err := time.Parse(time.RFC3339, cmp.Or(c.At, defaultMoment))
	if err != nil {
		return fmt.Errorf("at %q is not a moment such as %q", c.At, defaultMoment)
	}
	subject, err := c.As.subject(people, moment)
	if err != nil {
		return err
	}
	action, resource, err := parseDoes(c.Does)
	if err != nil {
		return err
	}
	resource.Route = c.On
	for name, value := range c.Params {
		resource.Params[name] = value
	}
	c.moment = moment.UTC()
	c.input = policies.NewInput(subject, c.moment)
	c.input.Action, c.input.Resource, c.input.Body = action, resource, c.Body
	c.input.Context = circumstances(c.moment, c.Headers)
	return nil
}

// parseDoes reads "GET /api/employees/e2".
func parseDoes(does string) (policies.Action, policies.Resource, error) {
	method, target, ok := strings.Cut(does, " ")
	u, err := url.Parse(target)
	if !ok || err != nil || method == "" || method != strings.ToUpper(method) || !strings.HasPrefix(u.Path, "/") {
		return policies.Action{}, policies.Resource{},
			fmt.Errorf("does %q is not a method and a path, such as \"GET /api/employees/e2\"", does)
	}
	return policies.Action{Method: method, Name: policies.ActionName(method)}, policies.Resource{
		Host:     cmp.Or(u.Host, defaultHost),
		Path:     u.Path,
		Segments: policies.Segments(u.Path),
		Params:   map[string]string{},
		Query:    u.Query(),
	}, nil
}

func circumstances(moment time.Time, headers map[string]string) policies.Context {
	read := map[string][]string{}
	for name, value := range headers {
		name = strings.ToLower(name)
		read[name] = append(read[name], value)
	}
	return policies.Context{
		Time:          policies.Moment(moment),
		ClientAddress: "192.0.2.1",
		Listener:      "public",
		TLS:           "1.3",
		Headers:       read,
		RequestID:     "case",
	}
}

// subject gives the caller, nil for nobody.
func (w who) subject(people map[string]*Person, moment time.Time) (*policies.Subject, error) {
	p := w.person
	switch {
	case w.name == nobody:
		return nil, nil
	case w.name != "":
		p = &Person{Like: w.name}
	case p == nil:
		return nil, errors.New("as is missing: the name of a person, a person, or nobody")
	}
	if p.Like != "" {
		model, ok := people[p.Like]
		if !ok {
			return nil, fmt.Errorf("as %q: %s has no such person", p.Like, peopleFile)
		}
		p = p.over(model)
	}
	return p.subject(moment)
}

// over gives the values of p where it has them, of model elsewhere. Whoever
// gives a role or a branch of its own does not keep the model's list.
func (p *Person) over(model *Person) *Person {
	out := *p
	if p.Role == nil && p.Roles == nil {
		out.Role, out.Roles = model.Role, model.Roles
	}
	if p.Branch == nil && p.Branches == nil {
		out.Branch, out.Branches = model.Branch, model.Branches
	}
	out.ID, out.Issuer = cmp.Or(p.ID, model.ID), cmp.Or(p.Issuer, model.Issuer)
	out.Tenant, out.ACR = cmp.Or(p.Tenant, model.Tenant), cmp.Or(p.ACR, model.ACR)
	out.AuthAge = cmp.Or(p.AuthAge, model.AuthAge)
	if p.AMR == nil {
		out.AMR = model.AMR
	}
	if p.Claims == nil {
		out.Claims = model.Claims
	}
	return &out
}

func (p *Person) subject(moment time.Time) (*policies.Subject, error) {
	s := &policies.Subject{
		ID: value(p.ID), Issuer: cmp.Or(value(p.Issuer), defaultIssuer), Tenant: value(p.Tenant),
		Role: value(p.Role), Roles: append([]string{}, p.Roles...),
		Branch: value(p.Branch), Branches: append([]string{}, p.Branches...),
		ACR: value(p.ACR), AMR: append([]string{}, p.AMR...), Claims: p.Claims,
	}
	if s.Claims == nil {
		s.Claims = map[string]any{}
	}
	s.Role, s.Roles = policies.OneAndAll(s.Role, s.Roles)
	s.Branch, s.Branches = policies.OneAndAll(s.Branch, s.Branches)
	if p.AuthAge != nil {
		age, err := time.ParseDuration(*p.AuthAge)
		if err != nil || age < 0 {
			return nil, fmt.Errorf("auth_age %q is not a time such as 10m", *p.AuthAge)
		}
		s.AuthTime = moment.Add(-age).Unix()
	}
	return s, nil
}

func value(s *string) string {
	if s == nil {
		return ""
	}
	return *s
}
