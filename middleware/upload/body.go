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
	// A last segment that ends like a file is its name, and is judged as one: the
	// backend may keep the file under it.
	if last := path.Base(x.Path); !strings.HasSuffix(x.Path, "/") && strings.ContainsFunc(path.Ext(last), letter) {
		c.name, c.hasName = last, true
	}
	found := findings{}
	_, err = s.judge(x.Request.Context(), s.route, c, b, found)
	found.note(x)
	return err
}

func letter(r rune) bool { return 'a' <= r|0x20 && r|0x20 <= 'z' }

// declaredOf reads the media type of a body, "" where none is declared.
func declaredOf(h http.Header) (string, *middleware.Refusal) {
	for _, v := range h["Content-Encoding"] {
		if !strings.EqualFold(v, "identity") {
			return "", middleware.Refuse(name, middleware.MediaTypeUnsupported, "an encoded body is not accepted")
		}
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
