package table

import (
	"bytes"

	"github.com/gatehouse-dev/gatehouse/middleware/mask/redact"
)

// step is a part of a record that is written: columns that stay, from the one
// to in front of the other, or one that is masked.
type step struct {
	from, to int
	masked   bool
}

// prepare finds the steps.
func (r *Reader) prepare(columns int) {
	for i := range columns {
		last := len(r.steps) - 1
		switch action := r.columns.Action(i); {
		case action == redact.Drop:
		case action == 0 && last >= 0 && r.steps[last].to == i && !r.steps[last].masked:
			r.steps[last].to++
		default:
			r.steps = append(r.steps, step{i, i + 1, action != 0})
		}
	}
}

// write writes what is left of the record; of the header, names are not masked.
func (r *Reader) write(header bool) {
	if len(r.steps) == 0 {
		return
	}
	start := len(r.out)
	for i, s := range r.steps {
		if i > 0 {
			r.out = append(r.out, ',')
		}
		if s.masked && !header {
			r.mask(s.from)
		} else {
			r.out = append(r.out, r.span(s.from, s.to)...)
		}
	}
	if len(r.out) == start && r.end > 0 {
		r.out = append(r.out, `""`...)
	}
	r.out = append(r.out, r.lineEnd()...)
}

// mask writes what stands in place of a field.
func (r *Reader) mask(i int) {
	start := len(r.out)
	r.out = r.columns.Append(r.out, r.field(i), i)
	if text := r.out[start:]; skipPlain(text, 0) < len(text) {
		r.text = append(r.text[:0], text...)
		r.out = appendQuoted(r.out[:start], r.text)
	}
}

// appendQuoted appends text as a field in quotes.
func appendQuoted(dst, text []byte) []byte {
	dst = append(dst, '"')
	for {
		i := bytes.IndexByte(text, '"')
		if i < 0 {
			return append(append(dst, text...), '"')
		}
		dst = append(append(dst, text[:i+1]...), '"')
		text = text[i+1:]
	}
}

// field gives the text of a field of the record at hand, until the next call.
func (r *Reader) field(i int) []byte {
	raw := r.span(i, i+1)
	if len(raw) == 0 || raw[0] != '"' {
		return raw
	}
	raw = raw[1 : len(raw)-1]
	if bytes.IndexByte(raw, '"') < 0 {
		return raw
	}
	r.text = r.text[:0]
	for {
		i := bytes.IndexByte(raw, '"')
		if i < 0 {
			r.text = append(r.text, raw...)
			return r.text
		}
		r.text = append(r.text, raw[:i+1]...)
		raw = raw[i+2:]
	}
}
