package redact

import "bytes"

// Limits bound what a text may cost. Zero fields mean the defaults.
type Limits struct {
	// Depth is how deeply arrays and objects may be nested. Default: 1000.
	Depth int
	// Key is the longest name of a member, in bytes between its quotes.
	// Default: 4 KiB.
	Key int
	// Scalar is the longest value, in bytes, that partial, generalize, hash and
	// tokenize work on and that conditions compare. A longer one is redacted,
	// and undefined in a condition. Default: 32 KiB.
	Scalar int
}

func (l Limits) withDefaults() Limits {
	if l.Depth <= 0 {
		l.Depth = 1000
	}
	if l.Key <= 0 {
		l.Key = 4 << 10
	}
	if l.Scalar <= 0 {
		l.Scalar = 32 << 10
	}
	return l
}

// Report says how much was changed, never what. A value that vanished together
// with a larger one is not counted on its own.
type Report struct {
	Masked  int // values that masks replaced or removed
	Dropped int // rows that row filters removed
	Hidden  int // values that were not exposed
	// Pointers are the first places that were changed, as JSON Pointers
	// (RFC 6901) into the text as it came in. They hold names of the text. A
	// very long one is cut to that of a container.
	Pointers []string
}

// Bounds of Report.Pointers: how many, and bytes of each.
const (
	maxPointers = 32
	maxPointer  = 1 << 10
)

// Append appends to dst the JSON text src as plan lets it pass. One UTF-8 byte
// order mark in front is removed. On an error nothing is appended: what the
// error is about must not be sent. The error is an [*Error].
func Append(dst, src []byte, plan *Plan, limits Limits) ([]byte, Report, error) {
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
		return r.out, r.Report, nil
	}
	return dst, Report{}, err
}

// AppendLines is [Append] for a sequence of documents, each on a line of its
// own (NDJSON). A document that a row filter or a mask removes is removed with
// its line. Empty lines pass. Pointers are those within a line.
func AppendLines(dst, src []byte, plan *Plan, limits Limits) ([]byte, Report, error) {
	r := newRun(dst, plan, limits)
	documents := 0
	for start := 0; start < len(src); {
		end := len(src)
		if i := bytes.IndexByte(src[start:], '\n'); i >= 0 {
			end = start + i + 1
		}
		line := src[start:end]
		if skipSpace(line, 0) == len(line) {
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
	return r.out, r.Report, nil
}
