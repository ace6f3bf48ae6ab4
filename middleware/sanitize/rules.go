package sanitize

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/gatehouse-dev/gatehouse/config"
)

// What may happen to a text, as the configuration writes it.
const (
	off    = "off"
	report = "report"
	strip  = "strip"
	reject = "reject"
	ugc    = "ugc"

	formatting = "formatting"
)

// modes are what happens to the texts of one field. They are set where an
// entry names the field.
type modes struct {
	html, sql string
	set       bool
}

// rules say which modes a field has. Entries are held as a tree of the parts
// of their pointers, so that a lookup costs the depth of the field.
type rules struct {
	base    modes
	fields  *node
	count   int              // of entries
	query   modes            // of values in the query
	named   map[string]modes // query:NAME and header:name
	headers []string         // that are judged, as header:name
}

type node struct {
	modes  *modes
	byName map[string]*node
	any    *node // the part is *
}

func newRules(c *config.Sanitize) (*rules, error) {
	base, err := modes{html: strip, sql: report}.with(c.HTML, c.SQLInjection)
	if err != nil {
		return nil, fmt.Errorf("sanitize: %w", err)
	}
	r := &rules{base: base, count: len(c.Fields)}
	if err := r.outside(c); err != nil {
		return nil, fmt.Errorf("sanitize: %w", err)
	}
	for _, pointer := range slices.Sorted(maps.Keys(c.Fields)) {
		if isOutside(pointer) {
			continue
		}
		m, err := base.with(c.Fields[pointer].HTML, c.Fields[pointer].SQLInjection)
		if err == nil {
			err = r.add(pointer, m)
		}
		if err != nil {
			return nil, fmt.Errorf("sanitize: field %q: %w", pointer, err)
		}
	}
	return r, nil
}

// with gives the modes changed by what is not empty.
func (m modes) with(html, sql string) (modes, error) {
	if html != "" {
		m.html = html
	}
	if sql != "" {
		m.sql = sql
	}
	if !slices.Contains([]string{off, report, strip, reject, formatting, ugc}, m.html) {
		return m, fmt.Errorf("html is %q, which is none of off, report, strip, reject, formatting, ugc", m.html)
	}
	if !slices.Contains([]string{off, report, reject}, m.sql) {
		return m, fmt.Errorf("sql_injection is %q, which is none of off, report, reject", m.sql)
	}
	return m, nil
}

func (r *rules) add(pointer string, m modes) error {
	parts, err := parsePointer(pointer)
	if err != nil {
		return err
	}
	if r.fields == nil {
		r.fields = &node{}
	}
	n := r.fields
	for _, part := range parts {
		n = n.child(part)
	}
	m.set = true
	n.modes = &m
	return nil
}

func (n *node) child(part string) *node {
	if part == "*" {
		if n.any == nil {
			n.any = &node{}
		}
		return n.any
	}
	if n.byName[part] == nil {
		if n.byName == nil {
			n.byName = map[string]*node{}
		}
		n.byName[part] = &node{}
	}
	return n.byName[part]
}

// of gives the modes of the field at p. Where several entries fit, the one
// that names the earlier part wins over the one that has * there.
func (r *rules) of(p pointer) *modes {
	if r.fields != nil {
		if m := r.fields.find(p); m != nil {
			return m
		}
	}
	return &r.base
}

func (n *node) find(p pointer) *modes {
	if n == nil || len(p) == 0 {
		if n == nil {
			return nil
		}
		return n.modes
	}
	if len(n.byName) > 0 {
		var m *modes
		if s := p[0]; s.index < 0 {
			m = n.byName[string(s.name)].find(p[1:])
		} else {
			m = n.byName[s.text()].find(p[1:])
		}
		if m != nil {
			return m
		}
	}
	return n.any.find(p[1:])
}

// pointer is the place of a value in a document (RFC 6901), as a stack.
type pointer []segment

// segment is the name of a member or, where index is not negative, the place
// of an element. One outside of the body is the whole of its pointer.
type segment struct {
	name    []byte
	index   int
	outside bool
}

func (s segment) text() string {
	if s.index >= 0 {
		return strconv.Itoa(s.index)
	}
	return string(s.name)
}

func member(name string) segment { return segment{name: []byte(name), index: -1} }
func element(i int) segment      { return segment{index: i} }

// longest pointer that is shown; names in it are the client's.
const maxPointer = 256

// String writes the pointer for a detail or a record. One that is very long is
// cut and ends in an ellipsis; the pointer to the whole document, which is
// empty, is written as /.
func (p pointer) String() string {
	if len(p) == 0 {
		return "/"
	}
	var b strings.Builder
	for _, s := range p {
		if s.outside {
			return cut(s.text())
		}
		b.WriteByte('/')
		b.WriteString(strings.NewReplacer("~", "~0", "/", "~1").Replace(s.text()))
		if b.Len() > maxPointer {
			break
		}
	}
	return cut(b.String())
}

func cut(s string) string {
	if len(s) <= maxPointer {
		return s
	}
	return strings.ToValidUTF8(s[:maxPointer], "") + "…"
}

// parsePointer reads RFC 6901: "" is the whole document.
func parsePointer(s string) ([]string, error) {
	if s == "" {
		return nil, nil
	}
	if s[0] != '/' {
		return nil, fmt.Errorf("a JSON pointer starts with /")
	}
	parts := strings.Split(s[1:], "/")
	for i, part := range parts {
		rest := strings.NewReplacer("~0", "", "~1", "").Replace(part)
		if strings.Contains(rest, "~") {
			return nil, fmt.Errorf("~ in a JSON pointer is written ~0")
		}
		parts[i] = strings.NewReplacer("~1", "/", "~0", "~").Replace(part)
	}
	return parts, nil
}
