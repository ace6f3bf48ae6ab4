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
// type than the field is an error, and so are a caller without an id, a field
// that the configuration requires and that stays empty, and a text that does
// not look like what it is ([plain]). A field whose claim is configured as ""
// stays empty. A claim's name is looked up whole before its dots are taken as
// steps into objects, so that names that are URLs work.
//
// What it gives is shared by all requests with the same token and must not be
// changed by anybody, nor must claims be.
func Subject(name string, c *config.Issuer, claims map[string]any) (*policies.Subject, error) {
	s := &policies.Subject{Issuer: name, Claims: claims}
	for _, f := range [...]struct {
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
	for _, f := range [...]struct {
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
	if err != nil {
		return nil, err
	}
	if there {
		s.AuthTime = at.Unix()
	}
	for _, field := range c.Claims.Required {
		if !filled(s, field) {
			return nil, fmt.Errorf("no claim gives the required %s", field)
		}
	}
	return s, nil
}

// filled reports whether a field, by its name in the configuration, has a
// value. What is not known has none.
func filled(s *policies.Subject, field string) bool {
	switch field {
	case "role":
		return s.Role != ""
	case "roles":
		return len(s.Roles) > 0
	case "tenant":
		return s.Tenant != ""
	case "branch":
		return s.Branch != ""
	case "branches":
		return len(s.Branches) > 0
	case "acr":
		return s.ACR != ""
	case "amr":
		return len(s.AMR) > 0
	case "auth_time":
		return s.AuthTime > 0
	}
	return false
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

// maxText is the longest text of a subject, in bytes. The longest that are
// common, addresses for mail, have 254.
const maxText = 256

// plain refuses what a person could not tell from another text, or could not
// see: these values are compared, reach headers, and are read in records. Only
// what has a shape is good, and the space between (no control, format or
// direction characters, no other blanks, nothing unassigned); none of it is
// invisible by default (Unicode, section 5.21); and no space is at either end.
func plain(path, s string) error {
	if len(s) > maxText {
		return fmt.Errorf("the claim %q is longer than %d bytes", path, maxText)
	}
	if s != "" && (s[0] == ' ' || s[len(s)-1] == ' ') {
		return fmt.Errorf("the claim %q begins or ends with a blank", path)
	}
	for _, r := range s {
		if r >= ' ' && r <= '~' {
			continue
		}
		if r == unicode.ReplacementChar || !unicode.IsPrint(r) ||
			unicode.In(r, unicode.Other_Default_Ignorable_Code_Point, unicode.Variation_Selector) {
			return fmt.Errorf("the claim %q holds a character that is not plain text", path)
		}
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
