package formdata

import (
	"errors"
	"mime"
	"strings"
	"unicode/utf8"
)

// parseHead reads the headers of a part, without the blank line behind them.
func parseHead(head string) (*Part, error) {
	headers, err := parseHeaders(head)
	if err != nil {
		return nil, err
	}
	p := &Part{}
	if err := p.describe(headers); err != nil {
		return nil, err
	}
	// Django leaves out a part, silently, whose headers are longer than 1 KiB.
	if len(p.Name)+len(p.File)+len(p.Type)+len(p.Params["charset"]) > maxNames {
		return nil, errors.New("its names are too long")
	}
	return p, nil
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
	if declared := headers["content-type"]; declared != "" {
		return p.declared(declared)
	}
	return nil
}

// declared reads the media type of the part.
func (p *Part) declared(value string) error {
	t, params, err := mime.ParseMediaType(value)
	_, after, _ := strings.Cut(value, ";")
	if err != nil || !strings.Contains(t, "/") || strings.Contains(after, "*") {
		return errors.New("its content type is not well-formed")
	}
	if c, ok := params["charset"]; ok && !isToken(c) {
		return errors.New("its charset is not well-formed")
	}
	_, nested := params["boundary"]
	switch {
	case t == "multipart/form-data" && !nested, t == "*/*":
		// What clients are led to write who take the type of the part for that
		// of the form, or know none. It declares nothing.
		return nil
	case strings.HasPrefix(t, "multipart/"), strings.HasPrefix(t, "message/"):
		return errors.New("it holds further parts")
	case t == "application/octet-stream" && !p.HasFile:
		// It declares nothing either, and there are parsers to which any part
		// of this type is a file.
		return nil
	}
	p.Type, p.Params = t, params
	return nil
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
