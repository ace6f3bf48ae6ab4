// Package authz is the stage where policy decides: it puts the question to the
// [policies.Decider], refuses what is not allowed, and enforces every
// obligation that concerns the request. Those that concern the answer (masks,
// rows) are left on the exchange for the mask stage, which stands directly
// inside of it.
//
// Everything fails closed: no decision, or one that cannot be carried out to
// the letter, is a refusal, and nothing is sent upstream.
package authz

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"

	lru "github.com/hashicorp/golang-lru/v2"

	"github.com/gatehouse-dev/gatehouse/config"
	"github.com/gatehouse-dev/gatehouse/middleware"
	"github.com/gatehouse-dev/gatehouse/middleware/mask/redact"
	"github.com/gatehouse-dev/gatehouse/policies"
)

// Stage asks and enforces.
type Stage struct {
	decider policies.Decider
	policy  config.Policy
	headers []string // canonical names of request headers that policies may read
	ages    bool     // what is shown may depend on how long ago the user signed in

	keys []string // ids of the keys that pseudonyms are made with

	clock   policies.Clock
	noTexts map[string]string   // of every question that has none, which nobody changes
	noLists map[string][]string // the same

	protections  *lru.Cache[*policies.Decision, *protection]
	placeholders *lru.Cache[*policies.Decision, *redact.Placeholders]
}

const stageName = "authz"

// New makes the stage; nil where the route's policy is off. headers are the
// names of request headers that policies may read, keys the ids of the keys that
// masks make hashes and tokens with.
func New(policy config.Policy, decider policies.Decider, headers, keys []string) middleware.Stage {
	if policy.Off {
		return nil
	}
	protections, _ := lru.New[*policies.Decision, *protection](maxProtections) // fails for no size but 0
	placeholders, _ := lru.New[*policies.Decision, *redact.Placeholders](maxProtections)
	return &Stage{
		decider: decider, policy: policy, headers: headers, keys: keys, protections: protections, placeholders: placeholders,
		noTexts: map[string]string{}, noLists: map[string][]string{},
	}
}

// Fleeting makes a stage of [New] whose answers nobody may keep, because decisions
// depend on how long ago the user signed in: what is shown now would be read from
// a browser's cache when it is not shown any more.
func Fleeting(s middleware.Stage) middleware.Stage {
	if s, ok := s.(*Stage); ok {
		s.ages = true
	}
	return s
}

// Name of the stage.
func (s *Stage) Name() string { return stageName }

// Inward says that it does next to nothing to an answer.
func (*Stage) Inward() {}

// Describe tells what the route demands of a decision.
func (s *Stage) Describe() string {
	out := fmt.Sprintf("masks %s, rows %s", s.policy.Masks, s.policy.Rows)
	if s.policy.Body {
		out += ", sees the body"
	}
	if p := s.policy.Placeholders; p != "" && p != "reject" {
		out += ", placeholders " + p
	}
	return out
}

// Handle decides and, where the request may pass, lets it.
func (s *Stage) Handle(x *middleware.Exchange, next middleware.Handler) (*http.Response, error) {
	in, err := s.question(x)
	if err != nil {
		return nil, err
	}
	x.Input = in
	d, err := s.decider.Decide(x.Request.Context(), in)
	if err != nil {
		return nil, middleware.Refuse(stageName, middleware.PolicyError, "the policy could not decide").With(err)
	}
	x.Decision = d
	if err := s.enforce(x, d); err != nil {
		return nil, err
	}
	res, err := next(x)
	if err == nil && (s.ages || len(d.Require) > 0) {
		middleware.Forgo(res.Header)
	}
	return res, err
}

// enforce carries out everything that the decision says about the request. A
// decision that demands more authentication is told apart from a denial, so
// that the client can get it (RFC 9470).
func (s *Stage) enforce(x *middleware.Exchange, d *policies.Decision) error {
	if !d.Allowed() {
		return denied(d)
	}
	if err := stepUp(x, d.Require); err != nil {
		return err
	}
	if s.policy.Masks == "required" && !d.AllFields && len(d.Mask) == 0 && len(d.Expose) == 0 {
		return middleware.Refuse(stageName, middleware.PolicyError, "the policy says nothing about fields").
			With(errors.New("the route requires masks and the decision has neither mask, expose nor all_fields"))
	}
	if s.policy.Rows == "required" && !d.AllRows && len(d.Rows) == 0 {
		return middleware.Refuse(stageName, middleware.PolicyError, "the policy says nothing about rows").
			With(errors.New("the route requires row filters and the decision has neither rows nor all_rows"))
	}
	if err := s.protect(x, d); err != nil {
		return err
	}
	if err := s.placeholder(x, d); err != nil {
		return err
	}
	return setHeaders(x, d.Headers)
}

func denied(d *policies.Decision) error {
	if len(d.Deny) > 0 {
		r := middleware.Refuse(stageName, middleware.Forbidden, d.Deny[0].Message)
		r.Code = d.Deny[0].Code
		return r
	}
	return middleware.Refuse(stageName, middleware.Forbidden, "the policy does not allow this")
}

// setHeaders puts the decision's headers on the request. A header that cannot
// be told exactly is a denial: an upstream must never act on half an identity.
func setHeaders(x *middleware.Exchange, headers map[string]policies.Value) error {
	values := make([]string, 0, len(headers)) // they share an array, in which none has room for another one
	for name, v := range headers {
		text := v.Text
		if v.Input != "" {
			value, ok := x.Input.Lookup(v.Input)
			if !ok {
				return middleware.Refuse(stageName, middleware.Forbidden, "the token lacks a value that the policy passes on").
					With(fmt.Errorf("header %s: %s has no value", name, v.Input))
			}
			var err error
			if text, err = headerText(value); err != nil {
				return middleware.Refuse(stageName, middleware.Forbidden, "the token holds a value that cannot be passed on").
					With(fmt.Errorf("header %s: %s %w", name, v.Input, err))
			}
		}
		if !cleanHeader(text) {
			return middleware.Refuse(stageName, middleware.Forbidden, "the token holds a value that cannot be passed on").
				With(fmt.Errorf("header %s: the value has characters that a header cannot carry", name))
		}
		values = append(values, text)
		n := len(values)
		x.Request.Header[http.CanonicalHeaderKey(name)] = values[n-1 : n : n]
	}
	return nil
}

// headerText writes a value of the caller as a header; a list is joined by
// commas, so no member may hold one. An empty list is no value: an upstream
// could take an empty header for one that restricts nothing.
func headerText(v any) (string, error) {
	list, ok := v.([]any)
	if !ok {
		return plainText(v), nil
	}
	switch len(list) {
	case 0:
		return "", errors.New("is an empty list")
	case 1:
		if s, ok := list[0].(string); ok && !strings.Contains(s, ",") {
			return s, nil
		}
	}
	parts := make([]string, len(list))
	for i, e := range list {
		parts[i] = plainText(e)
		if strings.Contains(parts[i], ",") {
			return "", errors.New("has a member with a comma")
		}
	}
	return strings.Join(parts, ","), nil
}

// plainText writes what is no list.
func plainText(v any) string {
	switch v := v.(type) {
	case string:
		return v
	case json.Number:
		return v.String()
	}
	return fmt.Sprint(v)
}

// cleanHeader reports whether s is visible ASCII with inner spaces: no
// control character, nothing that two parsers read in two ways.
func cleanHeader(s string) bool {
	for i := range len(s) {
		if s[i] < 0x20 || s[i] > 0x7e {
			return false
		}
	}
	return s == strings.TrimSpace(s)
}
