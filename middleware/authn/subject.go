package authn

import (
	"fmt"
	"strings"
	"unicode"

	"github.com/gatehouse-dev/gatehouse/config"
	"github.com/gatehouse-dev/gatehouse/policies"
)

// Subject describes the caller as the claims do, by the mapping of the issuer
// called name in the configuration. Numbers among the claims are json.Number
// ([Claims] reads them so).
//
// A claim that is missing or null leaves its field empty; a claim of another
// type than the field is an error, and so is a caller without an id. A field
// whose claim is configured as "" stays empty. A claim's name is looked up
// whole before its dots are taken as steps into objects, so that names that
// are URLs work.
func Subject(name string, c *config.Issuer, claims map[string]any) (*policies.Subject, error) {
	s := &policies.Subject{Issuer: name, Claims: claims}
	for _, f := range []struct {
		claim string
		to    *string
	}{
		{c.Claims.Subject, &s.ID},
		{c.Claims.Role, &s.Role},
		{c.Claims.Tenant, &s.Tenant},
		{c.Claims.Branch, &s.Branch},
		{"acr", &s.ACR},
	} {
		var err error
		if *f.to, err = text(claims, f.claim); err != nil {
			return nil, err
		}
	}
	for _, f := range []struct {
		claim string
		to    *[]string
	}{
		{c.Claims.Roles, &s.Roles},
		{c.Claims.Branches, &s.Branches},
		{"amr", &s.AMR},
	} {
		var err error
		if *f.to, err = list(claims, f.claim); err != nil {
			return nil, err
		}
	}
	if s.ID == "" {
		return nil, fmt.Errorf("the claim %q, the caller's id, is missing", c.Claims.Subject)
	}
	s.Role, s.Roles = policies.OneAndAll(s.Role, s.Roles)
	s.Branch, s.Branches = policies.OneAndAll(s.Branch, s.Branches)
	at, there, err := moment(claims, "auth_time")
	if there && err == nil {
		s.AuthTime = at.Unix()
	}
	return s, err
}

// text gives the claim at path, "" where there is none.
func text(claims map[string]any, path string) (string, error) {
	v, err := at(claims, path)
	if v == nil || err != nil {
		return "", err
	}
	s, ok := v.(string)
	if !ok {
		return "", fmt.Errorf("the claim %q is not a text", path)
	}
	return s, plain(path, s)
}

// list gives the texts of the claim at path, never nil. A single text is a
// list of one. An empty text in a list is refused: it would equal every empty
// field that it is ever compared with.
func list(claims map[string]any, path string) ([]string, error) {
	out := []string{}
	v, err := at(claims, path)
	if v == nil || err != nil {
		return out, err
	}
	elements, ok := v.([]any)
	if s, one := v.(string); one {
		elements, ok = []any{s}, true
	}
	if !ok {
		return nil, fmt.Errorf("the claim %q is not a list of texts", path)
	}
	for _, e := range elements {
		s, ok := e.(string)
		if !ok || s == "" {
			return nil, fmt.Errorf("the claim %q holds something else than texts", path)
		}
		if err := plain(path, s); err != nil {
			return nil, err
		}
		out = append(out, s)
	}
	return out, nil
}

// plain refuses control characters: these values reach headers and records.
func plain(path, s string) error {
	if strings.ContainsFunc(s, unicode.IsControl) {
		return fmt.Errorf("the claim %q holds a control character", path)
	}
	return nil
}

// at looks a claim up, nil where it is missing or null.
func at(claims map[string]any, path string) (any, error) {
	if path == "" {
		return nil, nil
	}
	if v, whole := claims[path]; whole {
		return v, nil
	}
	var v any = claims
	for step := range strings.SplitSeq(path, ".") {
		if v == nil {
			return nil, nil
		}
		m, ok := v.(map[string]any)
		if !ok {
			return nil, fmt.Errorf("the claim %q goes through something that is not an object", path)
		}
		v = m[step]
	}
	return v, nil
}
