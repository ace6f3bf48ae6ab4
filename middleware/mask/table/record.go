package table

import (
	"bytes"

	"github.com/gatehouse-dev/gatehouse/middleware/mask/redact"
)

// step is a part of a record that is written: columns that stay, from the one
// to in front of the other, or one whose fields are masked, or looked at.
type step struct {
	from, to       int
	masked, looked bool
}

// prepare finds the steps.
func (r *Reader) prepare(columns int) {
	for i := range columns {
		s := step{i, i + 1, r.columns.Action(i) != 0, r.columns.Watched(i)}
		last := len(r.steps) - 1
		switch {
		case r.columns.Action(i) == redact.Drop:
		case last >= 0 && r.steps[last].joins(s):
			r.steps[last].to++
		default:
			r.steps = append(r.steps, s)
		}
	}
}

// joins reports whether both are columns that simply stay, side by side.
func (s step) joins(o step) bool {
	return s.to == o.from && !s.masked && !s.looked && !o.masked && !o.looked
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
		switch {
		case header:
			r.out = append(r.out, r.span(s.from, s.to)...)
		case s.masked:
			r.mask(s.from)
		case s.looked && r.columns.Look(s.from, r.field(s.from)):
			r.out = append(r.out, "***"...)
		default:
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
