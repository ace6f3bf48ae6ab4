package redact

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
	// Element is how many bytes of the result may be held back until it is
	// known whether they may be sent: a row before its filters are judged, or a
	// masked container in which something may be shown. It bounds what a
	// [Reader] holds; [Append], which holds everything, does not ask. Default:
	// 1 MiB.
	Element int
	// Window is how much of the text a [Reader] holds at a time, in bytes. It
	// grows only for names and values within the limits above. Default: 16 KiB.
	Window int
	// Pointers is how many places a [Report] lists. Negative: none.
	// Default: 32.
	Pointers int
	// Rules is room for the counts of [Report].Rules, which are appended to it
	// from its beginning. Without it, or with too little, room is made.
	Rules []int
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
	if l.Element <= 0 {
		l.Element = 1 << 20
	}
	if l.Window <= 0 {
		l.Window = 16 << 10
	}
	if l.Pointers == 0 {
		l.Pointers = maxPointers
	}
	return l
}

// Report says how much was changed, never what. A value that vanished together
// with a larger one is not counted on its own.
type Report struct {
	Masked  int // values that masks replaced or removed
	Dropped int // rows that row filters removed
	Hidden  int // values that were not exposed

	Sensitive int // values at paths of [Spec].Sensitive, other than null, that were sent as they are
	Rows      int // rows that row filters let pass; of rows within rows, the outer ones
	Documents int // JSON texts that were sent: 1, or how many lines or events have one; tables have none

	// Rules says for each rule of the [Spec], by its index there, how many
	// values it masked. Where several hold for a value it is the strictest that
	// counts. It is nil where the spec has no rules.
	Rules []int
	// Found counts what [Options].Detect found in what was kept, by path and
	// class. What was redacted on that account counts in Masked, too.
	Found []Finding
	// Pointers are the first places that were changed, as JSON Pointers
	// (RFC 6901) into the text as it came in. They hold names of the text. A
	// very long one is cut to that of a container.
	Pointers []string
}

// Bounds of Report.Pointers: how many by default, and bytes of each.
const (
	maxPointers = 32
	maxPointer  = 1 << 10
)

// Append appends to dst the JSON text src as plan lets it pass. One UTF-8 byte
// order mark in front is removed. On an error nothing is appended: what the
// error is about must not be sent. The error is an [*Error].
func Append(dst, src []byte, plan *Plan, limits Limits) ([]byte, Report, error) {
	return appendAll(dst, src, plan, limits, false)
}

// AppendLines is [Append] for a sequence of documents, each on a line of its
// own (NDJSON). A document that a row filter or a mask removes is removed with
// its line. Empty lines pass. Pointers are those within a line.
func AppendLines(dst, src []byte, plan *Plan, limits Limits) ([]byte, Report, error) {
	return appendAll(dst, src, plan, limits, true)
}

func appendAll(dst, src []byte, plan *Plan, limits Limits, lines bool) ([]byte, Report, error) {
	limits.Element = never
	e := newEngine(plan, limits, lines)
	e.text, e.out = src, dst
	e.done = -len(dst)
	for {
		err := e.advance()
		if err == errMore {
			continue
		}
		out, report := e.out, e.report()
		e.out = nil
		// Not deferred: an engine that has panicked is not used again.
		e.release()
		if err != nil {
			return dst, Report{}, err
		}
		return out, report, nil
	}
}
