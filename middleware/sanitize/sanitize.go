// Package sanitize looks for markup and SQL injections in what clients send:
// JSON texts, form fields, the text parts of multipart and, where a route asks
// for it, the query and headers.
//
// The idea is to leave alone what is text. People are called O'Brien, firms
// AT&T, and "5 < 6" is arithmetic; a filter that escapes or drops such
// characters corrupts records for good, in a system that never was going to
// put them into a page. So a text is judged as an HTML tokenizer would read
// it, in its decoded form, and one without markup stays byte for byte as it
// came, with the document around it. Only where a tag, a comment or the
// beginning of one stands does the mode of the field say what happens:
//
//   - off: nothing;
//   - report: the field is noted in the record;
//   - strip: the markup is taken out, and what is left is plain text that can
//     not turn into markup again;
//   - reject: the request is refused with 422;
//   - formatting, ugc: a safe subset of HTML stays, and the field is HTML from
//     then on.
//
// It also is the place where a body must be readable in exactly one way, since
// whoever reads it differently sees another text: the media type, the charset
// and the encoding are checked, and bodies that parsers disagree about are
// refused, not repaired.
//
// Passwords are never changed: a field named as one is noted where it would be
// stripped, unless an entry of its own says otherwise.
//
// Names of fields cannot be cleaned; with markup in them, all modes that clean refuse.
// Escapes are not followed further than the media type says: &lt;b&gt; is text.
package sanitize

import (
	"bytes"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"sync"

	"github.com/gatehouse-dev/gatehouse/config"
	"github.com/gatehouse-dev/gatehouse/middleware"
)

const name = "sanitize"

// Stage judges the bodies of one route.
type Stage struct {
	rules   *rules
	types   []string
	cleaner *cleaner
	words   *sqlWords
	judges  sync.Pool // of *judge
}

// New makes the stage, or nil where c is. The errors are about modes, pointers
// and media types that cannot be.
//
// The default media types are those that the stage looks into. A type beyond
// them that a route names (application/pdf) passes unread, with a note, but
// for text/plain, which is one text with the pointer of the whole document.
// Files in multipart bodies are left to the upload stage; where a route has
// none, a request with a file is refused with 422 upload_rejected.
func New(c *config.Sanitize) (middleware.Stage, error) {
	if c == nil {
		return nil, nil
	}
	r, err := newRules(c)
	if err != nil {
		return nil, err
	}
	types, err := mediaTypes(c.MediaTypes)
	if err != nil {
		return nil, err
	}
	return &Stage{rules: r, types: types, cleaner: newCleaner(), words: newSQLWords()}, nil
}

// Name is sanitize.
func (s *Stage) Name() string { return name }

// Inward says that it does nothing to an answer.
func (*Stage) Inward() {}

// Describe says the modes.
func (s *Stage) Describe() string {
	text := fmt.Sprintf("html %s, sql_injection %s, %d fields", s.rules.base.html, s.rules.base.sql, s.rules.count)
	if s.rules.looksOutside() {
		text += fmt.Sprintf(", query %s, %d headers", s.rules.query.html, len(s.rules.headers))
	}
	return text
}

// Handle passes the request on with a body that is as the rules want it.
func (s *Stage) Handle(x *middleware.Exchange, next middleware.Handler) (*http.Response, error) {
	if err := s.outside(x); err != nil {
		return nil, err
	}
	if !x.HasBody() {
		return next(x)
	}
	// Of a body without a length only reading tells whether it is there.
	if x.Request.ContentLength <= 0 && !x.IsForm() {
		if body, err := x.Body(name); err != nil {
			return nil, err
		} else if len(body) == 0 {
			return next(x)
		}
	}
	m, err := readMedia(x.Request.Header)
	if err != nil {
		return nil, middleware.Refuse(name, middleware.MediaTypeUnsupported, err.Error())
	}
	if !m.allowed(s.types) {
		return nil, middleware.Refuse(name, middleware.MediaTypeUnsupported, "this media type is not accepted here")
	}
	if m.name == "multipart/form-data" {
		if err := s.cleanForm(x); err != nil {
			return nil, err
		}
		return next(x)
	}
	body, err := x.Body(name)
	if err != nil {
		return nil, err
	}
	if err := s.clean(x, m, body); err != nil {
		return nil, err
	}
	return next(x)
}

// outside judges what is not in the body, where the route asks for it.
func (s *Stage) outside(x *middleware.Exchange) error {
	if !s.rules.looksOutside() {
		return nil
	}
	j := s.judge()
	defer s.judges.Put(j)
	err := j.outside(x.Request)
	j.report(x)
	if err == nil {
		return nil
	}
	return refusal(err)
}

// clean judges the body, notes what was found and puts in place what changed.
func (s *Stage) clean(x *middleware.Exchange, m media, body []byte) error {
	j := s.judge()
	defer s.judges.Put(j)
	out, read, err := s.rewrite(m, body, j)
	if !read {
		x.Note("sanitize_unread", m.name)
	}
	j.report(x)
	if err != nil {
		return refusal(err)
	}
	if !bytes.Equal(out, body) {
		x.SetBody(out)
	}
	return nil
}

// judge gives a judge that has seen nothing yet. What it works in is used again.
func (s *Stage) judge() *judge {
	j, ok := s.judges.Get().(*judge)
	if !ok {
		j = &judge{}
	}
	*j = judge{rules: s.rules, cleaner: s.cleaner, words: s.words, doc: document{at: j.doc.at}}
	return j
}

// report notes what was found. What the judge has read is let go.
func (j *judge) report(x *middleware.Exchange) {
	if len(j.found) > 0 {
		for _, key := range slices.Sorted(maps.Keys(j.found)) {
			x.Note(key, j.found[key])
		}
	}
	clear(j.doc.at[:cap(j.doc.at)])
	j.found, j.doc = nil, document{at: j.doc.at[:0]}
}

// rewrite gives the body as it is to be sent on, and whether its type is one
// that is looked into.
func (s *Stage) rewrite(m media, body []byte, v *judge) (out []byte, read bool, err error) {
	switch {
	case isJSON(m.name):
		out, err = v.doc.rewrite(body, nil, v)
	case m.name == "application/x-www-form-urlencoded":
		out, err = rewriteForm(body, v)
	case m.name == "text/plain":
		out, err = rewriteText(body, nil, v)
	default:
		return body, false, nil
	}
	return out, true, err
}

// refusal says to the client what is wrong with the body.
func refusal(err error) error {
	var no *refused
	switch {
	case err == nil, errors.As(err, new(*middleware.Refusal)):
		return err
	case errors.As(err, &no):
		return middleware.Refuse(name, middleware.InputRejected, no.message)
	case errors.Is(err, errUnsupported):
		return middleware.Refuse(name, middleware.MediaTypeUnsupported, "a part of the body has a type or charset that is not accepted here")
	}
	return middleware.Refuse(name, middleware.BodyMalformed, err.Error()).With(err)
}
