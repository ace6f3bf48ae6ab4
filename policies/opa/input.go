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
	pairs := make([][2]*ast.Term, 0, 5)
	if in.Subject != nil {
		claims, err := object(in.Subject.Claims, 1)
		if err != nil {
			return nil, fmt.Errorf("claims: %w", err)
		}
		pairs = append(pairs, [2]*ast.Term{t["subject"], t.subject(in.Subject, claims)})
	}
	pairs = append(pairs,
		[2]*ast.Term{t["action"], ast.ObjectTerm(
			[2]*ast.Term{t["method"], ast.StringTerm(in.Action.Method)},
			[2]*ast.Term{t["name"], ast.StringTerm(in.Action.Name)},
		)},
		[2]*ast.Term{t["resource"], t.resource(&in.Resource)},
		[2]*ast.Term{t["context"], t.context(&in.Context)},
	)
	if in.Body != nil {
		body, err := value(in.Body, 1)
		if err != nil {
			return nil, fmt.Errorf("body: %w", err)
		}
		pairs = append(pairs, [2]*ast.Term{t["body"], body})
	}
	return ast.NewObject(pairs...), nil
}

func (t inputTerms) subject(s *policies.Subject, claims *ast.Term) *ast.Term {
	pairs := append(make([][2]*ast.Term, 0, 12),
		[2]*ast.Term{t["id"], ast.StringTerm(s.ID)},
		[2]*ast.Term{t["issuer"], ast.StringTerm(s.Issuer)},
		[2]*ast.Term{t["role"], ast.StringTerm(s.Role)},
		[2]*ast.Term{t["roles"], texts(s.Roles)},
		[2]*ast.Term{t["tenant"], ast.StringTerm(s.Tenant)},
		[2]*ast.Term{t["branch"], ast.StringTerm(s.Branch)},
		[2]*ast.Term{t["branches"], texts(s.Branches)},
		[2]*ast.Term{t["acr"], ast.StringTerm(s.ACR)},
		[2]*ast.Term{t["amr"], texts(s.AMR)},
		[2]*ast.Term{t["auth_time"], ast.NumberTerm(json.Number(strconv.FormatInt(s.AuthTime, 10)))},
		[2]*ast.Term{t["claims"], claims},
	)
	if s.AuthAge != nil {
		pairs = append(pairs, [2]*ast.Term{t["auth_age"], ast.NumberTerm(json.Number(strconv.FormatInt(*s.AuthAge, 10)))})
	}
	return ast.ObjectTerm(pairs...)
}

func (t inputTerms) resource(r *policies.Resource) *ast.Term {
	params := make([][2]*ast.Term, 0, len(r.Params))
	for k, v := range r.Params {
		params = append(params, [2]*ast.Term{ast.StringTerm(k), ast.StringTerm(v)})
	}
	return ast.ObjectTerm(
		[2]*ast.Term{t["route"], ast.StringTerm(r.Route)},
		[2]*ast.Term{t["host"], ast.StringTerm(r.Host)},
		[2]*ast.Term{t["path"], ast.StringTerm(r.Path)},
		[2]*ast.Term{t["segments"], texts(r.Segments)},
		[2]*ast.Term{t["params"], ast.ObjectTerm(params...)},
		[2]*ast.Term{t["query"], lists(r.Query)},
	)
}

func (t inputTerms) context(c *policies.Context) *ast.Term {
	return ast.ObjectTerm(
		[2]*ast.Term{t["time"], ast.ObjectTerm(
			[2]*ast.Term{t["hour"], ast.InternedTerm(c.Time.Hour)},
			[2]*ast.Term{t["weekday"], ast.StringTerm(c.Time.Weekday)},
			[2]*ast.Term{t["date"], ast.StringTerm(c.Time.Date)},
		)},
		[2]*ast.Term{t["client_address"], ast.StringTerm(c.ClientAddress)},
		[2]*ast.Term{t["listener"], ast.StringTerm(c.Listener)},
		[2]*ast.Term{t["tls"], ast.StringTerm(c.TLS)},
		[2]*ast.Term{t["headers"], lists(c.Headers)},
		[2]*ast.Term{t["request_id"], ast.StringTerm(c.RequestID)},
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
	pairs := make([][2]*ast.Term, 0, len(m))
	for k, v := range m {
		pairs = append(pairs, [2]*ast.Term{ast.StringTerm(k), texts(v)})
	}
	return ast.ObjectTerm(pairs...)
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
		return object(v, depth)
	}
	return nil, fmt.Errorf("a value of type %T", v)
}

func object(m map[string]any, depth int) (*ast.Term, error) {
	pairs := make([][2]*ast.Term, 0, len(m))
	for k, v := range m {
		t, err := value(v, depth+1)
		if err != nil {
			return nil, err
		}
		pairs = append(pairs, [2]*ast.Term{ast.StringTerm(k), t})
	}
	return ast.ObjectTerm(pairs...), nil
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
