package upload

import (
	"bufio"
	"bytes"
	"strings"
)

// checkJSON wants one value of RFC 8259, which is read without holding any of
// it: a decoder would hold a text of the size of the file.
func checkJSON(v *view) string {
	j := &jsonReader{r: bufio.NewReaderSize(v.reader(), windowSize)}
	if bytes.HasPrefix(v.head, []byte("\xef\xbb\xbf")) {
		_, _ = j.r.Discard(3)
	}
	if !j.value(0) || j.next() != 0 || !j.ended {
		return "it is not JSON"
	}
	return checkText(v)
}

// maxDepth is how deep values may lie in each other.
const maxDepth = 1000

type jsonReader struct {
	r     *bufio.Reader
	ended bool
}

// next gives the next byte that is not white space, or 0 at the end.
func (j *jsonReader) next() byte {
	for {
		if c := j.byte(); c != ' ' && c != '\t' && c != '\n' && c != '\r' {
			return c
		}
	}
}

// byte gives the next byte, or 0 at the end. A 0 in the file is in no place one
// that is allowed.
func (j *jsonReader) byte() byte {
	c, err := j.r.ReadByte()
	if err != nil {
		j.ended = true
		return 0
	}
	return c
}

func (j *jsonReader) value(depth int) bool {
	if depth > maxDepth {
		return false
	}
	switch c := j.next(); {
	case c == '{':
		return j.list('}', func() bool {
			return j.next() == '"' && j.text() && j.next() == ':' && j.value(depth+1)
		})
	case c == '[':
		return j.list(']', func() bool { return j.value(depth + 1) })
	case c == '"':
		return j.text()
	case c == 't':
		return j.word("rue")
	case c == 'f':
		return j.word("alse")
	case c == 'n':
		return j.word("ull")
	case c == '-', '0' <= c && c <= '9':
		return j.number(c)
	}
	return false
}

// list reads items with commas between them, up to its end.
func (j *jsonReader) list(end byte, item func() bool) bool {
	if j.next() == end {
		return true
	}
	_ = j.r.UnreadByte()
	for {
		if !item() {
			return false
		}
		switch j.next() {
		case end:
			return true
		case ',':
		default:
			return false
		}
	}
}

func (j *jsonReader) word(rest string) bool {
	for i := range len(rest) {
		if j.byte() != rest[i] {
			return false
		}
	}
	return true
}

func (j *jsonReader) text() bool {
	for {
		switch c := j.byte(); {
		case c == '"':
			return true
		case c < 0x20:
			return false
		case c == '\\':
			switch e := j.byte(); {
			case e == 'u':
				for range 4 {
					if hex(j.byte()) < 0 {
						return false
					}
				}
			case e == 0 || strings.IndexByte(`"\/bfnrt`, e) < 0:
				return false
			}
		}
	}
}

// number reads the rest of a number, and no further.
func (j *jsonReader) number(c byte) bool {
	if c == '-' {
		c = j.byte()
	}
	if c < '0' || c > '9' {
		return false
	}
	if c != '0' {
		j.digits()
	}
	if j.has(".") && j.digits() == 0 {
		return false
	}
	if j.has("eE") {
		j.has("+-")
		return j.digits() > 0
	}
	return true
}

// has reads the next byte if it is one of set.
func (j *jsonReader) has(set string) bool {
	c, err := j.r.ReadByte()
	if err != nil {
		return false
	}
	if strings.IndexByte(set, c) < 0 {
		_ = j.r.UnreadByte()
		return false
	}
	return true
}

func (j *jsonReader) digits() (n int) {
	for j.has("0123456789") {
		n++
	}
	return n
}
