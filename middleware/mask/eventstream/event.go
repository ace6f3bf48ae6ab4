package eventstream

import "bytes"

// event is what has arrived of an event.
type event struct {
	size  int    // bytes of its lines
	data  []byte // values of the data fields, each with an LF behind
	id    field
	name  field
	retry field
}

// field is a field of which the last value counts.
type field struct {
	set   bool
	value []byte
}

// Bounds of what passes beside data.
const (
	maxToken = 64
	maxRetry = 9
)

// add takes the line of a field (section 9.2.6).
func (e *event) add(line []byte) {
	e.size += len(line)
	name, value, _ := bytes.Cut(line, []byte(":"))
	value = bytes.TrimPrefix(value, []byte(" "))
	switch string(name) {
	case "data":
		e.data = append(append(e.data, value...), '\n')
	case "id":
		e.id.take(value, maxToken, isToken)
	case "event":
		// Without a name, and with an empty one, an event is a message.
		e.name.take(value, maxToken, isToken)
		e.name.set = e.name.set && len(value) > 0
	case "retry":
		e.retry.take(value, maxRetry, isDigit)
		e.retry.set = e.retry.set && len(value) > 0
	}
}

// take sets the field to a value that can carry no data worth the name, or to
// none.
func (f *field) take(value []byte, most int, fits func(byte) bool) {
	f.set = len(value) <= most
	for _, b := range value {
		f.set = f.set && fits(b)
	}
	f.value = f.value[:0]
	if f.set {
		f.value = append(f.value, value...)
	}
}

func isDigit(b byte) bool { return '0' <= b && b <= '9' }

func isToken(b byte) bool {
	return isDigit(b) || 'a' <= b && b <= 'z' || 'A' <= b && b <= 'Z' ||
		b == '.' || b == '_' || b == ':' || b == '-'
}

// text gives the data, and whether there is any. Empty data is there too.
func (e *event) text() ([]byte, bool) {
	if len(e.data) == 0 {
		return nil, false
	}
	return e.data[:len(e.data)-1], true
}

// reset prepares for the next event. Room that only a large event needed is
// not kept.
func (e *event) reset() {
	*e = event{
		data:  keep(e.data),
		id:    field{value: e.id.value[:0]},
		name:  field{value: e.name.value[:0]},
		retry: field{value: e.retry.value[:0]},
	}
}

// appendState appends the fields that change what the client does next.
func (e *event) appendState(dst []byte) []byte {
	return appendField(appendField(dst, "id", &e.id), "retry", &e.retry)
}

func appendField(dst []byte, name string, f *field) []byte {
	if !f.set {
		return dst
	}
	return appendLine(dst, name, f.value)
}

func appendLine(dst []byte, name string, value []byte) []byte {
	dst = append(append(dst, name...), ": "...)
	return append(append(dst, value...), '\n')
}

// maxKept is how much room a stream keeps between two events, per buffer: most
// streams are idle most of the time, and there are many.
const maxKept = 16 << 10

// keep empties a buffer.
func keep(b []byte) []byte {
	if cap(b) > maxKept {
		return nil
	}
	return b[:0]
}
