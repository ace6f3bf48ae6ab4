package wire

import (
	"bytes"
	"net/http"

	"github.com/gatehouse-dev/gatehouse/middleware/field"
)

// AppendField appends a field line. What would end the line, or be a control
// character, becomes a space: a value is never more than a value. Whoever must
// not change it asks [field.ValidValue] before. The name must be a token.
func AppendField(b []byte, name, value string) []byte {
	b = append(b, name...)
	b = append(b, ':', ' ')
	if field.ValidValue(value) {
		b = append(b, value...)
		return append(b, '\r', '\n')
	}
	for i := range len(value) {
		c := value[i]
		if c < ' ' && c != '\t' || c == 0x7f {
			c = ' '
		}
		b = append(b, c)
	}
	return append(b, '\r', '\n')
}

// AppendFields appends the fields of a header in no certain order, but for those
// that skip names (nil: none), and those whose name is no token: they cannot be
// said.
func AppendFields(b []byte, h http.Header, skip func(name string) bool) []byte {
	for name, values := range h {
		if skip != nil && skip(name) || !field.ValidName(name) {
			continue
		}
		for _, v := range values {
			b = AppendField(b, name, v)
		}
	}
	return b
}

// Head tells how long the head is that b begins with: to behind its empty line,
// the first line included. 0 where it is not whole yet. Up to from, b has been
// looked at before and is not searched again. An end is seen in every way in
// which anybody could see one; what may end a line is for [Rules] to say.
func Head(b []byte, from int) int {
	for i := max(0, from-2); i < len(b); i++ { // it may have begun before from
		j := bytes.IndexByte(b[i:], '\n')
		if j < 0 {
			return 0
		}
		i += j
		switch {
		case i+1 < len(b) && b[i+1] == '\n':
			return i + 2
		case i+2 < len(b) && b[i+1] == '\r' && b[i+2] == '\n':
			return i + 3
		}
	}
	return 0
}
