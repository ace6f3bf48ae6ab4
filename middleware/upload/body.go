package upload

import (
	"mime"
	"net/http"
	"path"
	"strings"

	"github.com/gatehouse-dev/gatehouse/middleware"
)

// checkBody judges a body that is one file: what is neither a form nor JSON.
// Which types besides those pass at all is for sanitize to say.
func (s *Stage) checkBody(x *middleware.Exchange) error {
	declared, refusal := declaredOf(x.Request.Header)
	if refusal != nil {
		return refusal
	}
	if declared == "application/x-www-form-urlencoded" || declared == "application/json" || strings.HasSuffix(declared, "+json") {
		return nil
	}
	b, err := x.FileBody(name)
	if err != nil || b == nil {
		return err
	}
	c := claim{declared: declared, place: "the file"}
	if x.Request.Header["Content-Range"] != nil { // RFC 9110, section 14.5: pieces are judged by nobody when they are put together
		return refused(c, "it is a part of a file")
	}
	if err := c.names(x); err != nil {
		return err
	}
	found := findings{}
	_, err = s.judge(x.Request.Context(), s.route, c, b, found)
	found.note(x)
	return err
}

// names takes what a body is called. A last segment of the path that ends like a
// file is its name, and is judged as one: the backend may keep the file under it.
// Some clients say the name in a Content-Disposition; it must have the extension
// of the other then.
func (c *claim) names(x *middleware.Exchange) error {
	last := path.Base(x.Path)
	if ext := path.Ext(strings.TrimRight(last, ". ")); !strings.HasSuffix(x.Path, "/") && strings.ContainsFunc(ext, letter) {
		c.name, c.hasName = last, true
	}
	for _, v := range x.Request.Header["Content-Disposition"] {
		_, params, err := mime.ParseMediaType(v)
		said, named := params["filename"]
		if err != nil || !named && strings.Contains(strings.ToLower(v), "name") {
			return refused(*c, "its Content-Disposition is not well-formed")
		}
		if !named {
			continue
		}
		if c.hasName {
			ext, reason := checkName(said)
			if other, _ := checkName(c.name); reason == "" && ext != other {
				reason = "it has names with different extensions"
			}
			if reason != "" {
				return refused(*c, reason)
			}
		}
		c.name, c.hasName = said, true
	}
	return nil
}

func letter(r rune) bool { return 'a' <= r|0x20 && r|0x20 <= 'z' }

// declaredOf reads the media type of a body, "" where none is declared.
func declaredOf(h http.Header) (string, *middleware.Refusal) {
	if middleware.Encoded(h) {
		return "", middleware.Refuse(name, middleware.MediaTypeUnsupported, "an encoded body is not accepted")
	}
	values := h["Content-Type"]
	if len(values) == 0 || len(values) == 1 && values[0] == "" {
		return "", nil
	}
	t, _, err := mime.ParseMediaType(values[0])
	if len(values) > 1 || err != nil {
		return "", middleware.Refuse(name, middleware.MediaTypeUnsupported, "the media type of the body is not said once and well-formed")
	}
	return t, nil
}
