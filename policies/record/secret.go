package record

import (
	"regexp"
	"strings"
)

// hidden stands in the place of a secret inside of a text.
const hidden = "***"

// reduction notes what was taken out of a record.
type reduction struct{ erased, masked []string }

// secretForms finds JSON Web Tokens (three or five parts in base64url, the first
// of them an object), what follows an HTTP authentication scheme, and keys in PEM.
func secretForms() *regexp.Regexp {
	return regexp.MustCompile(`eyJ[\w-]{6,}\.[\w-]+\.[\w.-]*|(?i:\b(?:bearer|basic) [a-z0-9+/._~=-]{8,})|-----BEGIN [A-Z ]*PRIVATE KEY-----[^-]*(?:-----END [A-Z ]*-----)?`)
}

// secrets takes out what is named like a secret and what looks like one.
func (c *reduction) secrets(event map[string]any, forms *regexp.Regexp) {
	s := &searcher{cut: c, forms: forms}
	for _, top := range []string{"input", "result"} {
		if v, ok := event[top]; ok {
			event[top] = s.value(v, "/"+top)
		}
	}
	for _, v := range s.params {
		c.path(event, v)
	}
}

type searcher struct {
	cut    *reduction
	forms  *regexp.Regexp
	params []any // of the path, that were taken out
}

// value gives v without secrets. The tree belongs to the record: it is changed
// in place.
func (s *searcher) value(v any, at string) any {
	switch v := v.(type) {
	case string:
		if !suspicious(v) || !s.forms.MatchString(v) {
			return v
		}
		s.cut.masked = append(s.cut.masked, at)
		return s.forms.ReplaceAllLiteralString(v, hidden)
	case []any:
		for i := range v {
			v[i] = s.value(v[i], at+"/"+itoa(i))
		}
	case map[string]any:
		for name := range v {
			shown, secret := s.name(name)
			inner := at + "/" + escape(shown)
			if secret {
				if at == params {
					s.params = append(s.params, v[name])
				}
				delete(v, name)
				s.cut.erased = append(s.cut.erased, inner)
				continue
			}
			v[name] = s.value(v[name], inner)
		}
	}
	return v
}

// name reports a member that is taken out, for what it is called or because a
// caller has put a secret where the name belongs (?eyJ… is a query). What is
// shown of the name is no secret.
func (s *searcher) name(name string) (shown string, secret bool) {
	if suspicious(name) && s.forms.MatchString(name) {
		return s.forms.ReplaceAllLiteralString(name, hidden), true
	}
	return name, secretName(name)
}

// suspicious is a quick no to most texts.
func suspicious(s string) bool {
	if strings.Contains(s, "eyJ") || strings.Contains(s, "-----BEGIN") {
		return true
	}
	return strings.Contains(s, " ") && len(s) > 12
}

// secretName reports whether a member of this name holds a secret: how names
// are written (access_token, accessToken, X-Access-Token) does not count.
func secretName(name string) bool {
	name = strings.Map(func(r rune) rune {
		switch {
		case r == '_' || r == '-' || r == '.':
			return -1
		case 'A' <= r && r <= 'Z':
			return r + 'a' - 'A'
		}
		return r
	}, name)
	for _, part := range []string{"password", "passwd", "passphrase", "secret", "apikey", "privatekey", "credential", "cookie", "authorization"} {
		if strings.Contains(name, part) {
			return true
		}
	}
	for _, end := range []string{"token", "tokens", "jwt", "assertion", "sessionid", "otp", "signature"} {
		if strings.HasSuffix(name, end) {
			return true
		}
	}
	return name == "pin" || name == "sig" || name == "pwd" || name == "pass"
}
