package mask

import (
	"errors"
	"fmt"
	"slices"
	"strconv"

	"github.com/gatehouse-dev/gatehouse/middleware"
	"github.com/gatehouse-dev/gatehouse/middleware/mask/graphql"
	"github.com/gatehouse-dev/gatehouse/middleware/mask/oracle"
	"github.com/gatehouse-dev/gatehouse/middleware/mask/redact"
	"github.com/gatehouse-dev/gatehouse/policies"
)

// demand is what a decision wants of the answer to one request.
type demand struct {
	*Stage
	spec   redact.Spec
	rules  []redact.Rule // as the policy has them
	origin []int         // which of them a rule of spec comes from; nil where they are the same
	fields oracle.Fields // the names that the policy masks
	*compiled
}

// counts gives how many values each rule of the policy masked.
func (d *demand) counts(masked []int) []int {
	if d.origin == nil {
		return masked
	}
	out := make([]int, len(d.rules))
	for i, n := range masked {
		out[d.origin[i]] += n
	}
	return out
}

// compiled is what is kept of a demand for others that are equal.
type compiled struct {
	plan  *redact.Plan
	names oracle.Fields // that are masked
}

// demand makes a plan of the decision for this caller, before the upstream is
// asked, so that what cannot be carried out costs nothing. Errors are refusals.
func (s *Stage) demand(x *middleware.Exchange) (d *demand, err error) {
	if s.graphql == nil {
		d, err = s.ready(x)
	} else {
		d, err = s.demanded(x)
	}
	if err != nil {
		return nil, err
	}
	if name, ok := s.guard.Check(x.Request.URL.RawQuery, d.fields); !ok {
		return nil, oracleRefusal(name)
	}
	return d, nil
}

// demanded makes the plan, whatever was made before.
func (s *Stage) demanded(x *middleware.Exchange) (*demand, error) {
	spec, err := specOf(x)
	if err != nil {
		return nil, impossible(err)
	}
	if s.detector != nil {
		spec.Known = x.Decision.Classified
	}
	if s.counting != nil {
		spec.Sensitive = s.counting.sensitive
	}
	d := &demand{Stage: s, rules: spec.Rules}
	if s.graphql != nil {
		query, err := s.query(x)
		if err != nil {
			return nil, err
		}
		// Names that the caller chose are of no use in a question.
		d.fields = oracle.FieldsOf(spec)
		if err := s.questions(query, d.fields); err != nil {
			return nil, err
		}
		if spec, d.origin, err = query.Translate(spec); err != nil {
			return nil, queryRefusal(err)
		}
	}
	d.spec = spec
	opts := redact.Options{Keys: s.keys, RedactFound: s.redactFound}
	if s.detector != nil {
		opts.Detect = s.detector.Class
	}
	if x.Subject != nil {
		opts.Tenant = x.Subject.Tenant
	}
	if d.compiled, err = s.compile(&spec, opts); err != nil {
		return nil, impossible(err)
	}
	if s.graphql == nil {
		d.fields = d.names
	}
	return d, nil
}

func (s *Stage) compile(spec *redact.Spec, opts redact.Options) (*compiled, error) {
	key := string(appendKey(nil, spec, opts.Tenant))
	if c, ok := s.plans.Get(key); ok {
		return c, nil
	}
	plan, err := redact.Compile(*spec, opts)
	if err != nil {
		return nil, err
	}
	c := &compiled{plan, oracle.FieldsOf(*spec)}
	if s.graphql == nil || len(key) <= maxQueryKey {
		s.plans.Add(key, c)
	}
	return c, nil
}

// specOf says in the words of the engine what the decision demands of this
// caller's answer.
func specOf(x *middleware.Exchange) (redact.Spec, error) {
	d := x.Decision
	spec := redact.Spec{Expose: d.Expose}
	for _, m := range d.Mask {
		action, err := redact.ParseAction(m.Action)
		if err != nil {
			return spec, err
		}
		spec.Rules = append(spec.Rules, redact.Rule{Path: m.Path, Action: action, Bucket: m.Bucket, Class: m.Class})
	}
	for _, r := range d.Rows {
		spec.Rows = append(spec.Rows, redact.RowFilter{Path: r.Path, Where: resolveAll(x.Input, r.Where)})
	}
	return spec, nil
}

func resolveAll(in *policies.Input, list []policies.Condition) []redact.Cond {
	if list == nil {
		return nil
	}
	out := make([]redact.Cond, len(list))
	for i, c := range list {
		out[i] = resolve(in, c)
	}
	return out
}

// resolve puts the caller's values in place of their names. One that is
// missing, or of a shape that the comparison has no use for, never matches.
func resolve(in *policies.Input, c policies.Condition) redact.Cond {
	out := redact.Cond{
		Field: c.Field, Op: c.Op, Value: c.Value,
		Any: resolveAll(in, c.Any), All: resolveAll(in, c.All),
	}
	if c.Not != nil {
		not := resolve(in, *c.Not)
		out.Not = &not
	}
	if c.Input != "" {
		v, ok := in.Lookup(c.Input)
		out.Value, out.Missing = v, !ok || !redact.Fits(c.Op, v)
	}
	return out
}

// query reads the GraphQL query of a request.
func (s *Stage) query(x *middleware.Exchange) (*graphql.Query, error) {
	body, err := x.Body(stageName)
	if err != nil {
		return nil, err
	}
	r := x.Request
	// What is a query as it is might be another one to whoever unpacks it.
	if len(body) > 0 && middleware.Encoded(r.Header) {
		return nil, middleware.Refuse(stageName, middleware.MediaTypeUnsupported, "an encoded body is not accepted")
	}
	q, err := graphql.Parse(*s.graphql, graphql.Request{
		Method: r.Method, MediaType: r.Header.Get("Content-Type"), RawQuery: r.URL.RawQuery, Body: body,
	})
	if err != nil {
		return nil, queryRefusal(err)
	}
	return q, nil
}

func queryRefusal(err error) error {
	switch {
	case errors.Is(err, graphql.ErrMalformed):
		return middleware.Refuse(stageName, middleware.BodyMalformed, err.Error())
	case errors.Is(err, graphql.ErrRefused):
		return middleware.Refuse(stageName, middleware.Forbidden, err.Error())
	}
	return impossible(err)
}

// oracleRefusal says why a parameter is refused. The caller has sent its name.
func oracleRefusal(name string) error {
	return middleware.Refuse(stageName, middleware.Forbidden,
		fmt.Sprintf("query parameter %q sorts, selects or filters by a field that is masked for you", name))
}

func impossible(err error) error {
	return middleware.Refuse(stageName, middleware.PolicyError, "the policy's masks cannot be carried out").With(err)
}

// note writes down what was done, without a word of the text: the paths are
// those of the policy.
func (a *answer) note(r redact.Report) {
	x := a.x
	masked := a.counts(r.Rules)
	some := 0
	for _, n := range masked {
		if n != 0 {
			some++
		}
	}
	x.Note("masked", r.Masked)
	if some > 0 {
		x.Note("masked_paths", a.noteMasked(masked, some))
	}
	x.Note("rows_dropped", r.Dropped)
	x.Note("hidden", r.Hidden)
	if len(r.Found) == 0 {
		return
	}
	var found []string
	for _, f := range r.Found {
		x.Unclassified = append(x.Unclassified, middleware.Finding{Path: f.Path, Class: f.Class, Count: f.Count})
		found = append(found, fmt.Sprintf("%s %s=%d", f.Path, f.Class, f.Count))
	}
	x.Note("unclassified", found)
}

// noteMasked tells what some of the rules masked, and gives it as texts, which are
// pieces of one.
func (a *answer) noteMasked(masked []int, some int) []string {
	x := a.x
	out, begin := a.room.paths[:0], 0
	switch {
	case some > roomFor:
		x.Masked, out = slices.Grow(x.Masked, some), make([]string, 0, some)
	case x.Masked == nil:
		x.Masked = a.room.found[:0]
	}
	var room [512]byte
	var ends [32]int
	text, cuts := room[:0], ends[:0]
	for i, n := range masked {
		if n == 0 {
			continue
		}
		rule := &a.rules[i]
		x.Masked = append(x.Masked, middleware.Finding{Path: rule.Path, Class: rule.Class, Count: n})
		text = strconv.AppendInt(append(append(text, rule.Path...), '='), int64(n), 10)
		cuts = append(cuts, len(text))
	}
	all := string(text)
	for _, end := range cuts {
		out, begin = append(out, all[begin:end]), end
	}
	return out
}
