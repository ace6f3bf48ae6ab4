package authz

import (
	"strings"

	"github.com/gatehouse-dev/gatehouse/middleware"
	"github.com/gatehouse-dev/gatehouse/middleware/mask/redact"
	"github.com/gatehouse-dev/gatehouse/policies"
)

// protect keeps the subject from writing members that the policy protects: a
// body that holds one is refused, or goes on without it. Names are matched as
// masks match them, so "SSN" does not pass where "ssn" is protected. A body
// that cannot be read member by member is refused: it might hold anything.
func protect(x *middleware.Exchange, entries []policies.Protect) error {
	if len(entries) == 0 || !x.HasBody() {
		return nil
	}
	if _, err := jsonBody(x); err != nil {
		return err
	}
	var reject, drop redact.Spec
	for _, p := range entries {
		rule := redact.Rule{Path: p.Path, Action: redact.Drop}
		if p.Action == "drop" {
			drop.Rules = append(drop.Rules, rule)
			continue
		}
		reject.Rules = append(reject.Rules, rule)
	}
	_, report, err := without(x, reject)
	if err != nil {
		return err
	}
	if report.Masked > 0 {
		detail := "the request writes a field that the caller may not write: " + strings.Join(report.Pointers, ", ")
		return middleware.Refuse("authz", middleware.Forbidden, detail)
	}
	body, report, err := without(x, drop)
	if err != nil {
		return err
	}
	if report.Masked > 0 {
		x.SetBody(body)
		x.Note("protected", report.Pointers)
	}
	return nil
}

// without gives the body without the members that spec's rules match.
func without(x *middleware.Exchange, spec redact.Spec) ([]byte, redact.Report, error) {
	plan, err := redact.Compile(spec, redact.Options{})
	if err != nil {
		return nil, redact.Report{}, middleware.Refuse("authz", middleware.PolicyError, "the policy could not be carried out").With(err)
	}
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
