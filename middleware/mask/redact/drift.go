package redact

import (
	"bytes"
	"cmp"
	"slices"
)

// Finding says how often something that looks like personal data was sent, or
// redacted, at a place that no part of the [Spec] speaks of.
type Finding struct {
	// Path is the place as a path (RFC 9535) without indices:
	// "$.items[*].email". Names of a text can be data themselves: one that is
	// longer than 64 bytes, or in which [Options].Detect finds something, is
	// written *. Path is empty for places that are more than 16 names and
	// elements deep, and for all that were found when 32 others had been.
	Path  string
	Class string // as Detect gave it
	Count int
}

// Bounds of what is given to Detect, in bytes of decoded text, and of what is
// reported of it: bytes of a name, depth of a place, and places.
const (
	maxDetect    = 256
	maxFoundName = 64
	maxFoundDeep = 16
	maxFound     = 32
)

// sighting is one place where something of one class was found.
type sighting struct {
	path, class string
	way         string // to where it was first found
	first       bool   // of its path
}

// detect looks for personal data in the scalar at hand, which is sent as it is
// and ends in front of end; raw is nil where it is too long.
func (e *engine) detect(raw []byte, end int) {
	isString := e.head == '"'
	if !isString && e.head != '-' && e.head-'0' > 9 || raw == nil || len(raw) > len(`\u0000`)*maxDetect+2 {
		return
	}
	text, ok := raw, true
	if isString {
		if text = raw[1 : len(raw)-1]; bytes.IndexByte(text, '\\') >= 0 {
			e.scratch.buf, ok = unquote(e.scratch.buf[:0], raw)
			text = e.scratch.buf
		}
	}
	if !ok || len(text) > maxDetect {
		return
	}
	class := e.plan.detect(text, isString)
	if class == "" {
		return
	}
	e.sight(class)
	if e.plan.redactFound {
		e.flush(e.token)
		e.span = end
		e.out = append(e.out, redacted...)
		e.masked++
		e.changed()
	}
}

// sight counts that something was found where the engine stands.
func (e *engine) sight(class string) {
	t := &e.tally
	// What is found again and again is mostly found under the same names.
	t.way = e.appendWay(t.way[:0])
	for i := range t.seen {
		if s := &t.seen[i]; s.way == string(t.way) && s.class == class {
			e.count(e.plan.asked + i)
			return
		}
	}
	t.path = e.appendPath(t.path[:0])
	paths, first := 0, true
	for i, s := range t.seen {
		if s.path == string(t.path) {
			if s.class == class {
				e.count(e.plan.asked + i)
				return
			}
			first = false
		}
		if s.first && s.path != "" {
			paths++
		}
	}
	if first && len(t.path) > 0 && paths == maxFound {
		t.path = t.path[:0]
		first = false
		for i, s := range t.seen {
			if s.path == "" && s.class == class {
				e.count(e.plan.asked + i)
				return
			}
		}
	}
	t.seen = append(t.seen, sighting{string(t.path), class, string(t.way), first})
	t.by = append(t.by, 0)
	e.counts.seen++
	e.count(len(t.by) - 1)
}

// appendWay appends the names that lead to where the engine stands, as they are
// written, with * for those that are * in every path. Places that are too deep
// for a path are all alike.
func (e *engine) appendWay(dst []byte) []byte {
	if len(e.frames) > maxFoundDeep+1 {
		return append(dst, '.')
	}
	for i := range e.frames {
		switch f := &e.frames[i]; f.closing {
		case ']':
			dst = append(dst, '[')
		case '}':
			if quoted, ok := e.quoted(f); ok && len(quoted) <= len(`\u0000`)*maxFoundName+2 {
				dst = append(dst, quoted...)
			} else {
				dst = append(dst, '*')
			}
		}
	}
	return dst
}

// appendPath appends the path of the place where the engine stands, or nothing
// if that is too deep.
func (e *engine) appendPath(dst []byte) []byte {
	if len(e.frames) > maxFoundDeep+1 {
		return dst
	}
	dst = append(dst, '$')
	for i := range e.frames {
		switch f := &e.frames[i]; f.closing {
		case ']':
			dst = append(dst, "[*]"...)
		case '}':
			// A name that is not known any more was a long one.
			quoted, ok := e.quoted(f)
			if ok {
				e.scratch.buf, ok = unquote(e.scratch.buf[:0], quoted)
			}
			if name := e.scratch.buf; !ok || len(name) > maxFoundName || e.plan.detect(name, true) != "" {
				dst = append(dst, ".*"...)
			} else {
				dst = appendName(dst, name)
			}
		}
	}
	return dst
}

// appendName appends a segment that selects a member: as a shorthand, or as a
// normalized path writes it (RFC 9535, sections 2.5.1.1 and 2.7).
func appendName(dst, name []byte) []byte {
	plain := len(name) > 0
	for i, c := range name {
		plain = plain && nameByte(c, i > 0)
	}
	if plain {
		return append(append(dst, '.'), name...)
	}
	const digits = "0123456789abcdef"
	dst = append(dst, "['"...)
	for _, c := range name {
		i := bytes.IndexByte([]byte("\b\t\n\f\r"), c)
		switch {
		case c == '\'' || c == '\\':
			dst = append(dst, '\\', c)
		case i >= 0:
			dst = append(dst, '\\', "btnfr"[i])
		case c < 0x20:
			dst = append(dst, '\\', 'u', '0', '0', digits[c>>4], digits[c&15])
		default:
			dst = append(dst, c)
		}
	}
	return append(dst, "']"...)
}

// findings gives what was found as it is reported.
func (e *engine) findings() []Finding {
	if len(e.tally.seen) == 0 {
		return nil
	}
	out := make([]Finding, len(e.tally.seen))
	for i, s := range e.tally.seen {
		out[i] = Finding{s.path, s.class, e.tally.by[e.plan.asked+i]}
	}
	slices.SortFunc(out, func(a, b Finding) int {
		return cmp.Or(cmp.Compare(a.Path, b.Path), cmp.Compare(a.Class, b.Class))
	})
	return out
}
