package sanitize

import (
	"bytes"
	"errors"
	"strings"
	"unicode/utf8"

	"github.com/gatehouse-dev/gatehouse/middleware"
)

// errUnsupported is wrapped where a part has a type or charset that is not
// looked into.
var errUnsupported = errors.New("unsupported content")

// cleanForm judges the text parts of a form and puts in place what changed.
// Files are not touched: where a route takes them, the upload stage looks at
// them. What is not changed keeps its bytes.
func (s *Stage) cleanForm(x *middleware.Exchange) error {
	f, err := x.Form(name)
	if f == nil {
		return err
	}
	j := s.judge()
	defer s.judges.Put(j)
	changed, err := rewriteParts(f, j)
	j.report(x)
	if err != nil {
		return refusal(err)
	}
	if changed {
		return x.SetForm(f)
	}
	return nil
}

// rewriteParts shows the text parts of a form to v, and reports whether one
// has changed.
func rewriteParts(f *middleware.Form, v visitor) (bool, error) {
	any := false
	for _, p := range f.Parts {
		at := pointer{member(p.Name)}
		if err := v.name(at); err != nil {
			return false, err
		}
		if p.File != nil {
			continue
		}
		text, err := rewritePart(p, at, v)
		if err != nil {
			return false, err
		}
		any = any || !bytes.Equal(text, p.Text)
		p.Text = text
	}
	return any, nil
}

// rewritePart rewrites the content of a part that is not a file: text, or JSON
// where the part says so.
func rewritePart(p *middleware.FormPart, at pointer, v visitor) ([]byte, error) {
	// RFC 7578, section 4.6: a field of this name sets the charset of others.
	if strings.EqualFold(p.Name, "_charset_") && !middleware.IsUTF8(string(p.Text)) {
		return nil, errUnsupported
	}
	if isJSON(p.Type) {
		return rewriteJSON(p.Text, at, v)
	}
	if p.Type != "" && !strings.HasPrefix(p.Type, "text/") {
		return nil, errUnsupported
	}
	return rewriteText(p.Text, at, v)
}

// rewriteText shows a whole content to v as one text.
func rewriteText(content []byte, at pointer, v visitor) ([]byte, error) {
	if !utf8.Valid(content) {
		return nil, malformed("a text is not UTF-8")
	}
	s := string(content)
	changed, err := v.text(at, s)
	if err != nil || changed == s {
		return content, err
	}
	return []byte(changed), nil
}
