package authz

import (
	"errors"
	"strings"

	"github.com/gatehouse-dev/gatehouse/middleware"
	"github.com/gatehouse-dev/gatehouse/middleware/mask/redact"
	"github.com/gatehouse-dev/gatehouse/policies"
)

// protection is what a decision protects, compiled.
type protection struct {
	reject, drop *redact.Plan
	err          error
}

// maxProtections is how many a route keeps. Decisions that are remembered are
// one and the same for all questions that they are equal for.
const maxProtections = 256

// protection compiles what a decision protects, once for each decision.
func (s *Stage) protection(d *policies.Decision) *protection {
	if p, ok := s.protections.Get(d); ok {
		return p
	}
	var reject, drop redact.Spec
	for _, e := range d.Protect {
		rule := redact.Rule{Path: e.Path, Action: redact.Drop}
		if e.Action == "drop" {
			drop.Rules = append(drop.Rules, rule)
			continue
		}
		reject.Rules = append(reject.Rules, rule)
	}
	p := &protection{}
	var err error
	p.reject, p.err = redact.Compile(reject, redact.Options{})
	p.drop, err = redact.Compile(drop, redact.Options{})
	p.err = errors.Join(p.err, err)
	s.protections.Add(d, p)
	return p
}

// protect keeps the subject from writing members that the policy protects: a
// body that holds one is refused, or goes on without it. Names are matched as
// masks match them, so "SSN" does not pass where "ssn" is protected. A body
// that cannot be read member by member is refused: it might hold anything.
func (s *Stage) protect(x *middleware.Exchange, d *policies.Decision) error {
	if len(d.Protect) == 0 || !x.HasBody() {
		return nil
	}
	if _, err := jsonBody(x); err != nil {
		return err
	}
	p := s.protection(d)
	if p.err != nil {
		return middleware.Refuse("authz", middleware.PolicyError, "the policy could not be carried out").With(p.err)
	}
	_, report, err := without(x, p.reject)
	if err != nil {
		return err
	}
	if report.Masked > 0 {
		detail := "the request writes a field that the caller may not write: " + strings.Join(report.Pointers, ", ")
		return middleware.Refuse("authz", middleware.Forbidden, detail)
	}
	body, report, err := without(x, p.drop)
	if err != nil {
		return err
	}
	if report.Masked > 0 {
		x.SetBody(body)
		x.Note("protected", report.Pointers)
	}
	return nil
}

// without gives the body without the members that the plan's rules match.
func without(x *middleware.Exchange, plan *redact.Plan) ([]byte, redact.Report, error) {
	data, err := x.Body("authz")
	if err != nil {
		return nil, redact.Report{}, err
	}
	out, report, err := redact.Append(nil, data, plan, redact.Limits{Depth: maxDepth})
	if err != nil {
		return nil, redact.Report{}, middleware.Refuse("authz", middleware.BodyMalformed, "the request body is not well-formed JSON").With(err)
	}
	return out, report, nil
}
