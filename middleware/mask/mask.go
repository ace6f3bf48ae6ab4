// Package mask is the innermost stage: it makes of every answer what the
// decision lets the caller see, so that nothing outside of it ever holds an
// unmasked body.
//
// It fails closed. An answer that is not JSON, that is not all there, that is
// compressed in a way the stage does not read or that is larger than the route
// allows is withheld with 502 response_unmaskable. The body is held whole, so
// this is known before the first byte is sent.
//
// The work on the text itself is done by package redact.
package mask

import (
	"errors"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"

	"github.com/gatehouse-dev/gatehouse/config"
	"github.com/gatehouse-dev/gatehouse/middleware"
	"github.com/gatehouse-dev/gatehouse/middleware/mask/redact"
	"github.com/gatehouse-dev/gatehouse/policies"
)

const stageName = "mask"

// defaultMax is the largest answer that is masked where the route does not
// say.
const defaultMax = 8 << 20

// Stage masks answers.
type Stage struct {
	keys  *redact.Keyring
	ids   []string
	limit int64
}

// New makes the stage of a route. It is nil where the route does not ask a
// policy. Keys that cannot be used are an error.
func New(m config.Masking, route *config.Route) (middleware.Stage, error) {
	if route.Policy.Off {
		return nil, nil
	}
	secrets := make(map[string]string, len(m.Keys))
	for id, s := range m.Keys {
		secrets[id] = s.Reveal()
	}
	keys, err := redact.NewKeyring(m.Primary, secrets)
	if err != nil {
		return nil, fmt.Errorf("masking: %w", err)
	}
	s := &Stage{keys: keys, ids: slices.Sorted(maps.Keys(m.Keys)), limit: int64(route.Mask.Max)}
	if s.limit <= 0 {
		s.limit = defaultMax
	}
	return s, nil
}

// Name gives the name of the stage.
func (*Stage) Name() string { return stageName }

// Describe gives the settings in a line.
func (s *Stage) Describe() string {
	out := fmt.Sprintf("answers up to %v", config.Size(s.limit))
	if len(s.ids) > 0 {
		out += ", keys " + strings.Join(s.ids, " ")
	}
	return out
}

// Handle compiles what the decision demands before the upstream is asked, so
// that a demand that cannot be met costs nothing, and masks the answer.
func (s *Stage) Handle(x *middleware.Exchange, next middleware.Handler) (*http.Response, error) {
	d := x.Decision
	if d == nil {
		return nil, middleware.Refuse(stageName, middleware.PolicyError, "the policy has not decided").
			With(errors.New("mask stands on a route without authz"))
	}
	if len(d.Mask) == 0 && len(d.Rows) == 0 && len(d.Expose) == 0 {
		return next(x)
	}
	plan, err := s.compile(x)
	if err != nil {
		return nil, middleware.Refuse(stageName, middleware.PolicyError, "the policy's masks cannot be carried out").With(err)
	}
	prepare(x.Request)
	res, err := ask(x, next)
	if err != nil {
		return nil, err
	}
	a := &answer{res: res, x: x, plan: plan, limit: s.limit}
	if err := a.mask(); err != nil {
		_ = res.Body.Close()
		a.release()
		return nil, refusal(err)
	}
	return res, nil
}

// ask asks the upstream. Where rows are filtered HEAD is asked as GET: whether
// the caller may know of a record is in its body, and an answer to HEAD would
// tell that it exists (RFC 9110, section 9.3.2, has both answer alike).
func ask(x *middleware.Exchange, next middleware.Handler) (*http.Response, error) {
	if x.Request.Method != http.MethodHead || len(x.Decision.Rows) == 0 {
		return next(x)
	}
	head := x.Request
	get := *head
	get.Method = http.MethodGet
	x.Request = &get
	defer func() { x.Request = head }()
	return next(x)
}

// compile makes a plan of the decision for this caller.
func (s *Stage) compile(x *middleware.Exchange) (*redact.Plan, error) {
	spec := redact.Spec{Expose: x.Decision.Expose}
	for _, m := range x.Decision.Mask {
		action, err := redact.ParseAction(m.Action)
		if err != nil {
			return nil, err
		}
		spec.Rules = append(spec.Rules, redact.Rule{Path: m.Path, Action: action, Bucket: m.Bucket})
	}
	for _, r := range x.Decision.Rows {
		f := redact.RowFilter{Path: r.Path}
		for _, c := range r.Where {
			f.Where = append(f.Where, resolve(x.Input, c))
		}
		spec.Rows = append(spec.Rows, f)
	}
	opts := redact.Options{Keys: s.keys}
	if x.Subject != nil {
		opts.Tenant = x.Subject.Tenant
	}
	return redact.Compile(spec, opts)
}

// resolve puts the caller's value in place of its name. One that is missing,
// or of a shape that the comparison has no use for, never matches.
func resolve(in *policies.Input, c policies.Condition) redact.Cond {
	out := redact.Cond{Field: c.Field, Op: c.Op, Value: c.Value}
	if c.Input != "" {
		v, ok := in.Lookup(c.Input)
		out.Value, out.Missing = v, !ok || !redact.Fits(c.Op, v)
	}
	return out
}

// refusal says what is wrong with an answer, without a word of it.
func refusal(err error) error {
	switch {
	case errors.Is(err, redact.ErrRowDenied):
		return middleware.Refuse(stageName, middleware.RowDenied, "there is no such record for you")
	case errors.Is(err, errNoMemory):
		return middleware.Refuse(stageName, middleware.Overloaded, "too many large answers at once").
			With(err).Set("Retry-After", "1")
	}
	return middleware.Refuse(stageName, middleware.ResponseUnmaskable,
		"the backend's answer cannot be masked as the policy demands").With(err)
}
