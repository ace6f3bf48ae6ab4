package redact

import "bytes"

// naiveAppend appends to dst the JSON text src as plan lets it pass. One UTF-8 byte
// order mark in front is removed. On an error nothing is appended: what the
// error is about must not be sent. The error is an [*Error].
func naiveAppend(dst, src []byte, plan *Plan, limits Limits) ([]byte, Report, error) {
	r := newRun(dst, plan, limits)
	start := 0
	if bytes.HasPrefix(src, []byte("\xef\xbb\xbf")) {
		start = 3
	}
	f, err := r.document(src, start)
	switch {
	case err != nil:
	case f == denied:
		err = &Error{ErrRowDenied, start}
	case !r.rowsFound && len(plan.filters) > 0 && !plan.optionalRows:
		err = &Error{ErrRowsAbsent, start}
	default:
		return r.out, r.report(), nil
	}
	return dst, Report{}, err
}

// naiveLines is [naiveAppend] for a sequence of documents, each on a line of its
// own (NDJSON). A document that a row filter or a mask removes is removed with
// its line. Empty lines pass. Pointers are those within a line.
func naiveLines(dst, src []byte, plan *Plan, limits Limits) ([]byte, Report, error) {
	r := newRun(dst, plan, limits)
	documents := 0
	for start := 0; start < len(src); {
		end := len(src)
		if i := bytes.IndexByte(src[start:], '\n'); i >= 0 {
			end = start + i + 1
		}
		line := src[start:end]
		if naiveSpace(line, 0) == len(line) {
			r.out = append(r.out, line...)
			start = end
			continue
		}
		documents++
		before := len(r.out)
		f, err := r.document(src[:end], start)
		if err != nil {
			return dst, Report{}, err
		}
		if f != kept {
			r.out = r.out[:before]
		}
		start = end
	}
	if documents > 0 && !r.rowsFound && len(plan.filters) > 0 && !plan.optionalRows {
		return dst, Report{}, &Error{ErrRowsAbsent, 0}
	}
	return r.out, r.report(), nil
}
