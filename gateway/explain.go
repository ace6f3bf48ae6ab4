package gateway

import (
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"time"

	"github.com/gatehouse-dev/gatehouse/config"
	"github.com/gatehouse-dev/gatehouse/gateway/edge"
	"github.com/gatehouse-dev/gatehouse/middleware"
	"github.com/gatehouse-dev/gatehouse/middleware/authn"
	"github.com/gatehouse-dev/gatehouse/middleware/authz"
	"github.com/gatehouse-dev/gatehouse/middleware/session"
	"github.com/gatehouse-dev/gatehouse/policies"
	"github.com/gatehouse-dev/gatehouse/policies/opa"
)

// Explanation tells what would be done with a request, without doing it.
type Explanation struct {
	Route    string             `json:"route,omitempty"`
	Upstream string             `json:"upstream,omitempty"`
	Forward  string             `json:"forward_path,omitempty"`
	Stages   []StageInfo        `json:"stages,omitempty"`
	Subject  *policies.Subject  `json:"subject,omitempty"`
	Decision *policies.Decision `json:"decision,omitempty"`
	// Rules are those that held, and so made the decision; their files are
	// relative to the folder of policies.
	Rules []opa.FiredRule `json:"rules,omitempty"`
	// Unmet are the rules that would have granted the request, and what of them
	// did not hold; empty where it was granted.
	Unmet []opa.UnmetRule `json:"unmet,omitempty"`
	// Logout is the issuer whose logout tokens are posted there; nothing is sent
	// upstream.
	Logout string `json:"backchannel_logout,omitempty"`
	// Refused is why the request would not pass; nil where it would.
	Refused *RefusalInfo `json:"refused,omitempty"`
}

// StageInfo is one stage of a route with its settings.
type StageInfo struct {
	Name     string `json:"name"`
	Settings string `json:"settings,omitempty"`
}

// RefusalInfo is a refusal as an operator may see it.
type RefusalInfo struct {
	Stage  string `json:"stage"`
	Status int    `json:"status"`
	Code   string `json:"code"`
	Detail string `json:"detail,omitempty"`
	Cause  string `json:"cause,omitempty"`
}

func explainRefusal(r *middleware.Refusal) *RefusalInfo {
	out := &RefusalInfo{Stage: r.Stage, Status: r.Status, Code: r.Code, Detail: r.Detail}
	if r.Err != nil {
		out.Cause = r.Err.Error()
	}
	return out
}

// Explain asks the plan what it would do with a request that carries a token
// with these claims; nil claims are no token. It is the same routing, the same
// claim mapping, the same step-up and the same decision as when serving. Stages
// that depend on more than that (limits, bodies, what is known of the session) are
// listed with their settings.
func (p *Plan) Explain(method, target string, claims map[string]any, now time.Time) (*Explanation, error) {
	u, err := url.Parse(target)
	if err != nil {
		return nil, err
	}
	e := &Explanation{}
	head, err := edge.Parse(method, target)
	if err != nil {
		e.Refused = explainRefusal(p.atDoor(err, head))
		return e, nil
	}
	r := &http.Request{
		Method: method, URL: u, Host: head.Authority, Header: http.Header{}, Body: http.NoBody, RemoteAddr: "127.0.0.1:0",
	}
	if l := p.logout[head.Path]; l != nil {
		e.Logout = l.name
		for _, s := range l.stages {
			e.Stages = append(e.Stages, describe(s))
		}
		if method != http.MethodPost {
			e.Refused = explainRefusal(notPosted())
		}
		return e, nil
	}
	m, refusal := p.router.match(head.Host, head.Path, r, false)
	if refusal != nil {
		e.Refused = explainRefusal(refusal)
		return e, nil
	}
	route := m.pipeline.route
	if refusal := hidesName(route, head.Escaped); refusal != nil {
		e.Refused = explainRefusal(refusal)
		return e, nil
	}
	e.Route, e.Upstream = route.Name, route.Upstream
	forward, err := head.Without(route.Rewrite.StripPrefix)
	if err != nil {
		return &Explanation{Refused: explainRefusal(p.atDoor(err, head))}, nil
	}
	e.Forward = forward.Path
	for _, s := range m.pipeline.stages {
		e.Stages = append(e.Stages, describe(s))
	}
	x := &middleware.Exchange{
		ID: "explain", Start: now, Client: clientAddress(r, nil), Listener: p.someListener(), TLS: "1.3", Route: route, Params: m.params,
		Host: head.Host, Path: head.Path, Request: r, Memory: p.memory,
	}
	if err := p.decide(e, x, claims); err != nil {
		var f *middleware.Refusal
		if !errors.As(err, &f) {
			return nil, err
		}
		e.Refused = explainRefusal(f)
	}
	return e, nil
}

// decide fills in the subject and the decision; the error is a refusal.
func (p *Plan) decide(e *Explanation, x *middleware.Exchange, claims map[string]any) error {
	route := x.Route
	if route.Authn != nil {
		if claims == nil {
			return middleware.Refuse("authn", middleware.TokenMissing, "this route needs a bearer token")
		}
		name, c := p.issuerOf(route, claims)
		s, err := authn.Subject(name, c, claims)
		if err != nil {
			return middleware.Refuse("authn", middleware.TokenInvalid, "the claims do not describe a subject").With(err)
		}
		x.Subject, e.Subject = s, s
		if err := session.StepUp(route.Authn, x); err != nil {
			return err
		}
	}
	stage := authz.New(route.Policy, p.decider, p.config.Policies.Headers, nil)
	if stage == nil {
		return nil
	}
	_, err := stage.Handle(x, func(*middleware.Exchange) (*http.Response, error) {
		return nil, errPasses
	})
	if x.Input != nil && x.Input.Subject != nil {
		e.Subject = x.Input.Subject // as the policy saw it, with the age of the sign-in
	}
	e.Decision = x.Decision
	e.Rules, e.Unmet = p.reasons(x)
	if errors.Is(err, errPasses) {
		return nil
	}
	return err
}

// reasons asks which rules held, and where nothing granted the request, what did
// not. Without a decision there is nothing to account for.
func (p *Plan) reasons(x *middleware.Exchange) (fired []opa.FiredRule, unmet []opa.UnmetRule) {
	engine, ok := p.decider.(*opa.Engine)
	if !ok || x.Decision == nil {
		return nil, nil
	}
	ctx := x.Request.Context()
	fired, err := engine.Explain(ctx, x.Input)
	if err != nil {
		fired = nil // what was decided stands; only its reasons are missing
	}
	if !x.Decision.Allow {
		unmet, _ = engine.Unmet(ctx, x.Input)
	}
	opa.Relative(p.config.Policies.Path, fired, unmet)
	return fired, unmet
}

// errPasses stands for the upstream when a request is only explained.
var errPasses = errors.New("the request passes")

// issuerOf gives the issuer that the claims name, or the route's first.
func (p *Plan) issuerOf(route *config.Route, claims map[string]any) (string, *config.Issuer) {
	for _, name := range route.Authn.Issuers {
		if p.config.Issuers[name].Issuer == fmt.Sprint(claims["iss"]) {
			return name, p.config.Issuers[name]
		}
	}
	name := route.Authn.Issuers[0]
	return name, p.config.Issuers[name]
}

func (p *Plan) someListener() string {
	var names []string
	for name, l := range p.config.Listeners {
		if l.TLS != nil {
			names = append(names, name)
		}
	}
	if len(names) == 0 {
		return ""
	}
	return slices.Min(names)
}

func describe(s middleware.Stage) StageInfo {
	out := StageInfo{Name: s.Name()}
	if d, ok := s.(middleware.Describer); ok {
		out.Settings = d.Describe()
	}
	return out
}
