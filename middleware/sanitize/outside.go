package sanitize

import (
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/gatehouse-dev/gatehouse/config"
	"github.com/gatehouse-dev/gatehouse/middleware"
)

// What stands outside of the body is judged as the body is, where a route asks
// for it, and never changed: a query is forwarded byte for byte, and a header
// may be signed. So what would be taken out of a body is refused here.

// Prefixes of pointers to what is outside of the body.
const (
	inQuery  = "query:"
	inHeader = "header:"
)

// unchanged gives the modes for what cannot be changed.
func (m modes) unchanged() modes {
	if m.html != off && m.html != report {
		m.html = reject
	}
	return m
}

// outside reads the rules for the query and for headers. An entry of fields
// that names a header makes it one that is judged.
func (r *rules) outside(c *config.Sanitize) error {
	r.query = modes{html: off, sql: off}
	if c.Query != "" && c.Query != off {
		r.query = modes{html: c.Query, sql: r.base.sql}
	}
	if !slices.Contains([]string{off, report, reject}, r.query.html) {
		return fmt.Errorf("query is %q, which is none of off, report, reject", c.Query)
	}
	r.named = map[string]modes{}
	for _, name := range c.Headers {
		r.named[inHeader+strings.ToLower(name)] = r.base.unchanged()
	}
	for key, f := range c.Fields {
		base, name := r.base.unchanged(), strings.ToLower(key)
		switch {
		case strings.HasPrefix(key, inQuery):
			base.html, name = r.query.html, key
		case !strings.HasPrefix(key, inHeader):
			continue
		}
		m, err := base.with(f.HTML, f.SQLInjection)
		if err == nil && m != m.unchanged() {
			err = fmt.Errorf("html is %q, and what is outside of the body is not changed: it is off, report or reject", m.html)
		}
		if err != nil {
			return fmt.Errorf("field %q: %w", key, err)
		}
		m.set = true
		r.named[name] = m
	}
	for name := range maps.Keys(r.named) {
		if strings.HasPrefix(name, inHeader) {
			r.headers = append(r.headers, name)
		}
	}
	slices.Sort(r.headers)
	return nil
}

// isOutside reports whether an entry of fields is about the query or a header.
func isOutside(key string) bool {
	return strings.HasPrefix(key, inQuery) || strings.HasPrefix(key, inHeader)
}

// looksOutside reports whether anything outside of the body is judged.
func (r *rules) looksOutside() bool {
	return len(r.named) > 0 || r.query.html != off || r.query.sql != off
}

// outside judges the query and the headers of a request.
func (j *judge) outside(r *http.Request) error {
	if err := j.inQuery(r.URL.RawQuery); err != nil {
		return err
	}
	for _, key := range j.rules.headers {
		for _, value := range r.Header.Values(strings.TrimPrefix(key, inHeader)) {
			if !utf8.ValidString(value) {
				return middleware.Refuse(name, middleware.HeaderInvalid, key+" is not UTF-8")
			}
			m := j.rules.named[key]
			if _, err := j.apply(&m, outsidePointer(key), value); err != nil {
				return err
			}
		}
	}
	return nil
}

func outsidePointer(key string) pointer {
	return pointer{{name: []byte(key), index: -1, outside: true}}
}

// inQuery judges the values of a query, and its names as those of fields.
func (j *judge) inQuery(raw string) error {
	if raw == "" { // one pair of nothing, in which there is nothing
		return nil
	}
	for at := range strings.SplitSeq(raw, "&") {
		_, pair, err := formPair([]byte(at))
		if err != nil {
			return middleware.Refuse(name, middleware.PathInvalid, "the query is not well-formed").With(err)
		}
		key := inQuery + string(pair.name)
		m, ok := j.rules.named[key]
		if !ok {
			m = j.rules.query
		}
		if err := j.nameIn(&m, outsidePointer("query"), "a name in the query", string(pair.name)); err != nil {
			return err
		}
		if _, err := j.apply(&m, outsidePointer(key), string(pair.text)); err != nil {
			return err
		}
	}
	return nil
}
