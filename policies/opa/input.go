package opa

import (
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/open-policy-agent/opa/v1/ast"

	"github.com/gatehouse-dev/gatehouse/policies"
)

// maxDepth bounds how deep claims and bodies may nest, maxNumber how long a
// number may be and how large its exponent: arithmetic on 1e999999999 would
// build a number of that many digits.
const (
	maxDepth    = 200
	maxNumber   = 400
	maxExponent = 400
)

// inputTerms are the member names of input, made once: every question uses
// the same ones.
type inputTerms map[string]*ast.Term

func newInputTerms() inputTerms {
	t := inputTerms{}
	t.learn(inputSchema())
	return t
}

func (t inputTerms) learn(schema map[string]any) {
	members, _ := schema["properties"].(map[string]any)
	for name, s := range members {
		t[name] = ast.StringTerm(name)
		t.learn(s.(map[string]any))
	}
}

// input writes the question as a term, member by member as its JSON form has
// them.
func (t inputTerms) input(in *policies.Input) (ast.Value, error) {
	if in == nil {
		return nil, errors.New("policy: no question")
	}
	o := ast.NewObjectWithCapacity(5)
	if in.Subject != nil {
		claims := ast.NewObjectWithCapacity(len(in.Subject.Claims))
		if err := members(claims, in.Subject.Claims, 1); err != nil {
			return nil, fmt.Errorf("claims: %w", err)
		}
		o.Insert(t["subject"], t.subject(in.Subject, claims))
	}
	o.Insert(t["action"], t.object(
		"method", ast.StringTerm(in.Action.Method),
		"name", ast.StringTerm(in.Action.Name),
	))
	o.Insert(t["resource"], t.resource(&in.Resource))
	o.Insert(t["context"], t.context(&in.Context))
	if in.Body != nil {
		body, err := value(in.Body, 1)
		if err != nil {
			return nil, fmt.Errorf("body: %w", err)
		}
		o.Insert(t["body"], body)
	}
	return o, nil
}

// object pairs member names with values.
func (t inputTerms) object(pairs ...any) *ast.Term {
	o := ast.NewObjectWithCapacity(len(pairs) / 2)
	for i := 0; i < len(pairs); i += 2 {
		o.Insert(t[pairs[i].(string)], pairs[i+1].(*ast.Term))
	}
	return ast.NewTerm(o)
}

func (t inputTerms) subject(s *policies.Subject, claims ast.Object) *ast.Term {
	return t.object(
		"id", ast.StringTerm(s.ID),
		"issuer", ast.StringTerm(s.Issuer),
		"role", ast.StringTerm(s.Role),
		"roles", texts(s.Roles),
		"tenant", ast.StringTerm(s.Tenant),
		"branch", ast.StringTerm(s.Branch),
		"branches", texts(s.Branches),
		"acr", ast.StringTerm(s.ACR),
		"amr", texts(s.AMR),
		"auth_time", ast.NumberTerm(json.Number(strconv.FormatInt(s.AuthTime, 10))),
		"claims", ast.NewTerm(claims),
	)
}

func (t inputTerms) resource(r *policies.Resource) *ast.Term {
	params := ast.NewObjectWithCapacity(len(r.Params))
	for k, v := range r.Params {
		params.Insert(ast.StringTerm(k), ast.StringTerm(v))
	}
	return t.object(
		"route", ast.StringTerm(r.Route),
		"host", ast.StringTerm(r.Host),
		"path", ast.StringTerm(r.Path),
		"segments", texts(r.Segments),
		"params", ast.NewTerm(params),
		"query", lists(r.Query),
	)
}

func (t inputTerms) context(c *policies.Context) *ast.Term {
	return t.object(
		"time", t.object(
			"hour", ast.InternedTerm(c.Time.Hour),
			"weekday", ast.StringTerm(c.Time.Weekday),
			"date", ast.StringTerm(c.Time.Date),
		),
		"client_address", ast.StringTerm(c.ClientAddress),
		"listener", ast.StringTerm(c.Listener),
		"tls", ast.StringTerm(c.TLS),
		"headers", lists(c.Headers),
		"request_id", ast.StringTerm(c.RequestID),
	)
}

func texts(s []string) *ast.Term {
	terms := make([]*ast.Term, len(s))
	for i, v := range s {
		terms[i] = ast.StringTerm(v)
	}
	return ast.ArrayTerm(terms...)
}

func lists(m map[string][]string) *ast.Term {
	o := ast.NewObjectWithCapacity(len(m))
	for k, v := range m {
		o.Insert(ast.StringTerm(k), texts(v))
	}
	return ast.NewTerm(o)
}

// value converts what a JSON decoder gives. Other types are refused: there is
// no telling what a policy would make of them.
func value(v any, depth int) (*ast.Term, error) {
	if depth > maxDepth {
		return nil, fmt.Errorf("nested deeper than %d", maxDepth)
	}
	switch v := v.(type) {
	case nil:
		return ast.NullTerm(), nil
	case string:
		return ast.StringTerm(v), nil
	case bool:
		return ast.BooleanTerm(v), nil
	case json.Number:
		if err := checkNumber(string(v)); err != nil {
			return nil, err
		}
		return ast.NumberTerm(v), nil
	case int, int64, float64:
		n, err := ast.InterfaceToValue(v)
		if err != nil {
			return nil, err
		}
		return ast.NewTerm(n), nil
	case []string:
		return texts(v), nil
	case []any:
		terms := make([]*ast.Term, len(v))
		for i, e := range v {
			var err error
			if terms[i], err = value(e, depth+1); err != nil {
				return nil, err
			}
		}
		return ast.ArrayTerm(terms...), nil
	case map[string]any:
		o := ast.NewObjectWithCapacity(len(v))
		if err := members(o, v, depth); err != nil {
			return nil, err
		}
		return ast.NewTerm(o), nil
	}
	return nil, fmt.Errorf("a value of type %T", v)
}

func members(o ast.Object, m map[string]any, depth int) error {
	for k, v := range m {
		t, err := value(v, depth+1)
		if err != nil {
			return err
		}
		o.Insert(ast.StringTerm(k), t)
	}
	return nil
}

// checkNumber accepts the numbers of JSON (RFC 8259 section 6) within bounds.
func checkNumber(s string) error {
	if len(s) > maxNumber {
		return fmt.Errorf("a number of %d characters", len(s))
	}
	// Digits at both ends keep out the white space that JSON texts may have.
	if s == "" || !digit(s[len(s)-1]) || !digit(strings.TrimPrefix(s, "-")[0]) || !json.Valid([]byte(s)) {
		return errors.New("a number that is none")
	}
	if i := strings.IndexAny(s, "eE"); i >= 0 {
		if e, err := strconv.Atoi(s[i+1:]); err != nil || e > maxExponent || e < -maxExponent {
			return errors.New("a number whose exponent is out of range")
		}
	}
	return nil
}

func digit(c byte) bool { return '0' <= c && c <= '9' }
