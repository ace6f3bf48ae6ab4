package redact

import "strconv"

// pointers are the places that were changed, one behind the other.
type pointers struct {
	text  []byte
	ends  []int
	saved []byte // names of members at hand that have left the window
}

// maxSaved bounds what is kept of names. A name that is longer than a pointer is
// not part of one, nor of the path of a [Finding], and not kept. Of the others
// there is room for as many as such a path has, and pointers end before, even if
// all of it is escapes.
const maxSaved = maxFoundDeep * maxPointer

// changed adds the place where the engine stands to the report.
func (e *engine) changed() {
	if e.counts.pointers >= e.limits.Pointers {
		return
	}
	start := 0
	if e.counts.pointers > 0 {
		start = e.pointers.ends[e.counts.pointers-1]
	}
	p := e.pointers.text[:start]
	for i := range e.frames {
		f := &e.frames[i]
		if f.closing == 0 {
			continue
		}
		quoted, known := []byte(nil), true
		if f.closing == '}' {
			quoted, known = e.quoted(f)
		}
		if !known || len(p)-start+len(quoted) > maxPointer {
			break
		}
		p = append(p, '/')
		if f.closing == ']' {
			p = strconv.AppendInt(p, int64(f.index), 10)
			continue
		}
		e.scratch.buf, _ = unquote(e.scratch.buf[:0], quoted)
		p = appendEscaped(p, e.scratch.buf)
	}
	e.pointers.text = p
	e.pointers.ends = append(e.pointers.ends[:e.counts.pointers], len(p))
	e.counts.pointers++
}

// appendEscaped appends a reference token (RFC 6901, section 3).
func appendEscaped(dst, text []byte) []byte {
	for _, b := range text {
		switch b {
		case '~':
			dst = append(dst, "~0"...)
		case '/':
			dst = append(dst, "~1"...)
		default:
			dst = append(dst, b)
		}
	}
	return dst
}

// quoted gives the name of the member at hand.
func (e *engine) quoted(f *frame) ([]byte, bool) {
	switch {
	case !f.saved:
		return e.buf[f.name.from-e.base : f.name.to-e.base], true
	case f.name.to > f.name.from:
		return e.pointers.saved[f.name.from:f.name.to], true
	}
	return nil, false
}

// saveNames keeps those names that are about to leave the window, which is to
// begin at keep. They are those of the outermost frames, so what was saved
// behind the last of them is of frames that are gone.
func (e *engine) saveNames(keep int) {
	end := 0
	for i := range e.frames {
		f := &e.frames[i]
		switch {
		case f.closing != '}' || f.name.to == 0:
		case f.saved:
			end = max(end, f.name.to)
		case f.name.from < e.base+keep:
			name, _ := e.quoted(f)
			f.saved, f.name = true, span{}
			if len(name) <= maxPointer && end+len(name) <= maxSaved {
				e.pointers.saved = append(e.pointers.saved[:end], name...)
				f.name = span{end, end + len(name)}
				end += len(name)
			}
		}
	}
}

// list gives the pointers as they are reported.
func (e *engine) list() []string {
	n := e.counts.pointers
	if n == 0 {
		return nil
	}
	all := string(e.pointers.text[:e.pointers.ends[n-1]])
	out, start := make([]string, n), 0
	for i := range out {
		out[i] = all[start:e.pointers.ends[i]]
		start = e.pointers.ends[i]
	}
	return out
}
