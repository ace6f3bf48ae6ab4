package formdata

import (
	"bytes"
	"errors"
	"mime"
	"strings"
	"unicode/utf8"
)

// parsePart reads the headers of the part in body[start:end]. An empty part
// has the blank line after its headers and nothing else.
func parsePart(body []byte, start, end int) (Part, error) {
	if end < start {
		return Part{}, errNoHeaders
	}
	head, n := body[start:end], 0
	if n = bytes.Index(head, []byte("\r\n\r\n")); n < 0 {
		return Part{}, errNoHeaders
	}
	if n > maxHeaderBytes {
		return Part{}, errors.New("its headers are too long")
	}
	p, err := parseHead(string(head[:n]))
	if err != nil {
		return Part{}, err
	}
	p.Start, p.End = start+n+4, end
	return *p, nil
}

// parseHead reads the headers of a part, without the blank line behind them.
func parseHead(head string) (*Part, error) {
	headers, err := parseHeaders(head)
	if err != nil {
		return nil, err
	}
	p := &Part{}
	return p, p.describe(headers)
}

// parseHeaders reads header lines without folding, each name once.
func parseHeaders(head string) (map[string]string, error) {
	lines := strings.Split(head, "\r\n")
	if len(lines) > maxHeaders {
		return nil, errors.New("it has too many headers")
	}
	headers := make(map[string]string, len(lines))
	for _, line := range lines {
		name, value, ok := strings.Cut(line, ":")
		name = strings.ToLower(name)
		if !ok || !isToken(name) || hasControl(value) || !utf8.ValidString(value) {
			return nil, errors.New("a header is not well-formed")
		}
		if _, again := headers[name]; again {
			return nil, errors.New("a header is repeated")
		}
		headers[name] = strings.Trim(value, " \t")
	}
	return headers, nil
}

// describe takes what is known about the part from its headers.
func (p *Part) describe(headers map[string]string) error {
	if err := p.disposition(headers["content-disposition"]); err != nil {
		return err
	}
	// RFC 7578, section 4.7, deprecates the header. Where it changes nothing
	// it may stand; a backend that honours the others would see other bytes.
	switch strings.ToLower(headers["content-transfer-encoding"]) {
	case "", "binary", "8bit", "7bit":
	default:
		return errors.New("its content has a transfer encoding")
	}
	if _, ok := headers["content-encoding"]; ok {
		return errors.New("its content has an encoding")
	}
	declared, ok := headers["content-type"]
	if !ok {
		return nil
	}
	t, params, err := mime.ParseMediaType(declared)
	if err != nil || !strings.Contains(t, "/") || strings.Contains(declared, "*") {
		return errors.New("its content type is not well-formed")
	}
	if strings.HasPrefix(t, "multipart/") || strings.HasPrefix(t, "message/") {
		return errors.New("it holds further parts")
	}
	p.Type, p.Params = t, params
	return nil
}

// disposition reads form-data with a name and perhaps a filename, and nothing
// else: not filename*, which RFC 7578, section 4.2, forbids and which may say
// something else than filename does, and no parameter twice. Browsers do not
// escape with backslashes and others do, so a backslash is refused.
func (p *Part) disposition(value string) error {
	kind, rest, _ := strings.Cut(value, ";")
	if !strings.EqualFold(strings.TrimRight(kind, " \t"), "form-data") {
		return errors.New("its disposition is not form-data")
	}
	var named bool
	for more := strings.Contains(value, ";"); more; {
		name, val, after, ok := parameter(strings.TrimLeft(rest, " \t"))
		if !ok {
			return errors.New("its disposition is not well-formed")
		}
		switch {
		case name == "name" && !named:
			p.Name, named = val, true
		case name == "filename" && !p.HasFile:
			p.File, p.HasFile = val, true
		case name == "filename*":
			return errors.New("its disposition has filename*, which form-data does not allow")
		default:
			return errors.New("its disposition has an unknown or repeated parameter")
		}
		after = strings.TrimLeft(after, " \t")
		if more = after != ""; more {
			if after[0] != ';' {
				return errors.New("its disposition is not well-formed")
			}
			rest = after[1:]
		}
	}
	if !named {
		return errors.New("its disposition has no name")
	}
	return nil
}

// parameter reads name=value or name="value" off the front of s.
func parameter(s string) (name, value, rest string, ok bool) {
	name, s, ok = strings.Cut(s, "=")
	name = strings.ToLower(name)
	if !ok || !isToken(name) {
		return "", "", "", false
	}
	if quoted, is := strings.CutPrefix(s, `"`); is {
		value, rest, ok = strings.Cut(quoted, `"`)
		return name, value, rest, ok && !strings.Contains(value, `\`)
	}
	n := 0
	for n < len(s) && isTokenByte(s[n]) {
		n++
	}
	return name, s[:n], s[n:], n > 0
}

// isToken is the token of RFC 9110, section 5.6.2.
func isToken(s string) bool {
	for i := range len(s) {
		if !isTokenByte(s[i]) {
			return false
		}
	}
	return s != ""
}

func isTokenByte(c byte) bool {
	return isAlnum(c) || strings.IndexByte("!#$%&'*+-.^_`|~", c) >= 0
}

func hasControl(s string) bool {
	for i := range len(s) {
		if s[i] < 0x20 && s[i] != '\t' || s[i] == 0x7f {
			return true
		}
	}
	return false
}
