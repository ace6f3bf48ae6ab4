package sanitize

import (
	"bytes"
	"errors"
	"strings"
	"unicode/utf8"

	"github.com/gatehouse-dev/gatehouse/middleware/internal/formdata"
)

var (
	// errUnsupported is wrapped where a part has a type or charset that is not
	// looked into.
	errUnsupported = errors.New("unsupported content")
	// errFile says that there is a file where none is taken.
	errFile = errors.New("this route takes no files")
)

// rewriteMultipart shows the text parts of a multipart/form-data body to v.
// Files are not touched: where files are taken, the upload stage looks at
// them. A part changes only in its content, and what v does not change keeps
// its bytes.
func rewriteMultipart(src []byte, boundary string, files bool, v visitor) ([]byte, error) {
	parts, err := formdata.Parse(src, boundary)
	if err != nil {
		return nil, malformed("%w", err)
	}
	var out []byte
	kept := 0
	for _, p := range parts {
		at := pointer{member(p.Name)}
		if err := v.name(at); err != nil {
			return nil, err
		}
		if p.HasFile {
			if !files && !p.Empty() {
				return nil, errFile
			}
			continue
		}
		content := p.Content(src)
		changed, err := rewritePart(&p, at, content, v)
		if err != nil {
			return nil, err
		}
		if bytes.Equal(changed, content) {
			continue
		}
		// Taking something out can join what stood around it: "--bou<b>ndary"
		// must not become a boundary.
		if formdata.Contains(string(changed), boundary) {
			return nil, &refused{"the field " + at.String() + " holds markup inside of a boundary"}
		}
		out = append(append(out, src[kept:p.Start]...), changed...)
		kept = p.End
	}
	if kept == 0 {
		return src, nil
	}
	return append(out, src[kept:]...), nil
}

// rewritePart rewrites the content of a part that is not a file: text, or JSON
// where the part says so.
func rewritePart(p *formdata.Part, at pointer, content []byte, v visitor) ([]byte, error) {
	if !knownCharset(p.Params["charset"]) {
		return nil, errUnsupported
	}
	// RFC 7578, section 4.6: a field of this name sets the charset of others.
	if strings.EqualFold(p.Name, "_charset_") && !knownCharset(string(content)) {
		return nil, errUnsupported
	}
	if isJSON(p.Type) {
		return rewriteJSON(content, at, v)
	}
	if p.Type != "" && !strings.HasPrefix(p.Type, "text/") {
		return nil, errUnsupported
	}
	return rewriteText(content, at, v)
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
