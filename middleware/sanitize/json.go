package sanitize

import "bytes"

// maxDepth is how deep arrays and objects may nest.
const maxDepth = 128

// rewriteJSON shows every text of a document to v and gives the document with
// the texts that v changed, and nothing else changed: numbers keep their
// spelling, members their order, white space its place. A document in which v
// changes nothing comes back as it is.
//
// The grammar is RFC 8259's, without the freedom that it leaves to parsers and
// that lets two of them see different documents: names are unique once
// decoded, texts are valid UTF-8 without lone surrogates, there is no byte
// order mark and nothing behind the value.
func rewriteJSON(src []byte, at pointer, v visitor) ([]byte, error) {
	return new(document).rewrite(src, at, v)
}

// rewrite is rewriteJSON in a document that may have been used before.
func (d *document) rewrite(src []byte, at pointer, v visitor) ([]byte, error) {
	*d = document{src: src, at: append(d.at[:0], at...), v: v}
	d.space()
	if err := d.value(0); err != nil {
		return nil, err
	}
	d.space()
	if d.pos != len(src) {
		return nil, d.fault("something follows the value")
	}
	if d.out == nil {
		return src, nil
	}
	return append(d.out, src[d.kept:]...), nil
}

// document is one pass over a text. out holds what stands before kept, once
// something has changed.
type document struct {
	src  []byte
	pos  int
	at   pointer
	v    visitor
	out  []byte
	kept int
}

func (d *document) fault(what string) error {
	return malformed("%s at byte %d", what, d.pos)
}

func (d *document) space() {
	for d.pos < len(d.src) {
		switch d.src[d.pos] {
		case ' ', '\t', '\n', '\r':
			d.pos++
		default:
			return
		}
	}
}

// peek gives the next byte, or 0, which stands for no token, at the end.
func (d *document) peek() byte {
	if d.pos < len(d.src) {
		return d.src[d.pos]
	}
	return 0
}

func (d *document) value(depth int) error {
	switch c := d.peek(); {
	case c == '{' || c == '[':
		if depth == maxDepth {
			return d.fault("the nesting is too deep")
		}
		d.pos++
		if c == '{' {
			return d.object(depth + 1)
		}
		return d.array(depth + 1)
	case c == '"':
		return d.text()
	case c == '-' || '0' <= c && c <= '9':
		return d.number()
	}
	for _, word := range []string{"true", "false", "null"} {
		if end := d.pos + len(word); end <= len(d.src) && string(d.src[d.pos:end]) == word {
			d.pos = end
			return nil
		}
	}
	return d.fault("a value is expected")
}

// text shows a text to the visitor and takes what comes back.
func (d *document) text() error {
	start := d.pos
	raw, angle, err := d.quoted()
	if err != nil || d.v.pass(d.at, raw, angle) {
		return err
	}
	s := string(raw)
	changed, err := d.v.text(d.at, s)
	if err != nil || changed == s {
		return err
	}
	if d.out == nil {
		d.out = make([]byte, 0, len(d.src))
	}
	d.out = append(d.out, d.src[d.kept:start]...)
	d.out = appendQuoted(d.out, changed)
	d.kept = d.pos
	return nil
}

func (d *document) array(depth int) error {
	d.at = append(d.at, element(0))
	defer func() { d.at = d.at[:len(d.at)-1] }()
	d.space()
	if d.peek() == ']' {
		d.pos++
		return nil
	}
	for i := 0; ; i++ {
		d.at[len(d.at)-1].index = i
		d.space()
		if err := d.value(depth); err != nil {
			return err
		}
		if end, err := d.next(']'); end || err != nil {
			return err
		}
	}
}

func (d *document) object(depth int) error {
	d.at = append(d.at, segment{index: -1})
	defer func() { d.at = d.at[:len(d.at)-1] }()
	d.space()
	if d.peek() == '}' {
		d.pos++
		return nil
	}
	var seen names
	for {
		d.space()
		if d.peek() != '"' {
			return d.fault("the name of a member is expected")
		}
		name, angle, err := d.quoted()
		if err != nil {
			return err
		}
		if !seen.add(name) {
			return d.fault("the name of a member is repeated")
		}
		d.at[len(d.at)-1].name = name
		if !d.v.pass(d.at, name, angle) {
			if err := d.v.name(d.at); err != nil {
				return err
			}
		}
		if d.space(); d.peek() != ':' {
			return d.fault("a colon is expected")
		}
		d.pos++
		d.space()
		if err := d.value(depth); err != nil {
			return err
		}
		if end, err := d.next('}'); end || err != nil {
			return err
		}
	}
}

// next reads what stands behind a member or an element: a comma, or the end.
func (d *document) next(closing byte) (end bool, err error) {
	d.space()
	switch d.peek() {
	case ',':
		d.pos++
		return false, nil
	case closing:
		d.pos++
		return true, nil
	}
	return false, d.fault("a comma or the end is expected")
}

func (d *document) number() error {
	if d.peek() == '-' {
		d.pos++
	}
	switch {
	case d.peek() == '0':
		d.pos++
	case !d.digits():
		return d.fault("a digit is expected")
	}
	if d.peek() == '.' {
		d.pos++
		if !d.digits() {
			return d.fault("a digit is expected")
		}
	}
	if d.peek()|0x20 == 'e' {
		d.pos++
		if c := d.peek(); c == '+' || c == '-' {
			d.pos++
		}
		if !d.digits() {
			return d.fault("a digit is expected")
		}
	}
	return nil
}

func (d *document) digits() bool {
	start := d.pos
	for '0' <= d.peek() && d.peek() <= '9' {
		d.pos++
	}
	return d.pos > start
}

// names are those of one object so far, decoded. Few are compared one by one; a
// map is made where an object has many.
type names struct {
	few  [16][]byte
	n    int
	many map[string]struct{}
}

func (n *names) add(name []byte) bool {
	if n.many != nil {
		before := len(n.many)
		n.many[string(name)] = struct{}{}
		return len(n.many) > before
	}
	for _, other := range n.few[:n.n] {
		if bytes.Equal(other, name) {
			return false
		}
	}
	if n.n < len(n.few) {
		n.few[n.n] = name
		n.n++
		return true
	}
	n.many = make(map[string]struct{}, 4*n.n)
	for _, other := range n.few {
		n.many[string(other)] = struct{}{}
	}
	n.many[string(name)] = struct{}{}
	return true
}
