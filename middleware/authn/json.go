package authn

import (
	"encoding/json"
	"errors"
	"strconv"
	"strings"
	"unicode/utf16"
	"unicode/utf8"
)

const (
	// maxDepth is how deep headers and claims may nest. Real tokens nest three
	// or four levels.
	maxDepth = 16
	// maxNumber is how long a number may be, in bytes. Every float64 fits.
	maxNumber = 64
	// maxHeader is how many values the header of a token may have in all. Real ones
	// have ten, those that bring a key twenty.
	maxHeader = 100
)

// What is wrong with a JSON text. None tells any of it.
var (
	errJSON      = errors.New("not one JSON object")
	errUTF8      = errors.New("the JSON is not UTF-8")
	errDepth     = errors.New("the JSON nests deeper than " + strconv.Itoa(maxDepth) + " levels")
	errTwice     = errors.New("a name occurs twice in an object")
	errSurrogate = errors.New("the JSON holds half of a surrogate pair")
	errNumber    = errors.New("a number is beyond all bounds")
	errMany      = errors.New("the JSON holds too many values")
)

// Claims reads the payload of a token, or claims typed by a person: one JSON
// object (RFC 8259) in which no name occurs twice, with numbers as
// json.Number. Two readers of the same text then cannot see different claims
// (RFC 8725, section 2.4; RFC 8259, section 4). For the same reason it takes no
// escape that is half of a surrogate pair, no byte order mark, and no number
// that a float64 cannot hold.
//
// It is a reader of its own because the standard library's takes repeated
// names, and takes longer to read a token than its signature takes to check.
func Claims(data []byte) (map[string]any, error) {
	return read(string(data), len(data)) // it cannot have more values than bytes
}

// read is [Claims] for a text of so many values at most.
func read(text string, values int) (map[string]any, error) {
	r := reader{text: text, left: values} // texts without escapes are pieces of it
	if !utf8.ValidString(r.text) {
		return nil, errUTF8
	}
	if r.next() != '{' {
		return nil, errJSON
	}
	claims, err := r.object(1)
	if err != nil {
		return nil, err
	}
	if r.blanks(); r.at != len(r.text) {
		return nil, errJSON
	}
	return claims, nil
}

// reader reads a JSON text from left to right, each byte once.
type reader struct {
	text string
	at   int // of the next byte
	left int // how many more values it may have
}

// blanks skips what may stand between any two things.
func (r *reader) blanks() {
	for r.at < len(r.text) {
		switch r.text[r.at] {
		case ' ', '\t', '\n', '\r':
			r.at++
		default:
			return
		}
	}
}

// next takes the next byte that is not blank; 0, which stands nowhere in JSON,
// at the end.
func (r *reader) next() byte {
	r.blanks()
	if r.at == len(r.text) {
		return 0
	}
	r.at++
	return r.text[r.at-1]
}

// object reads the rest of an object whose brace has been taken.
func (r *reader) object(depth int) (map[string]any, error) {
	if depth > maxDepth {
		return nil, errDepth
	}
	out := make(map[string]any, r.guess(depth))
	c := r.next()
	if c == '}' {
		return out, nil
	}
	for {
		if c != '"' {
			return nil, errJSON
		}
		name, err := r.string()
		if err != nil {
			return nil, err
		}
		if r.next() != ':' {
			return nil, errJSON
		}
		v, err := r.value(depth)
		if err != nil {
			return nil, err
		}
		before := len(out)
		if out[name] = v; len(out) == before {
			return nil, errTwice
		}
		switch r.next() {
		case '}':
			return out, nil
		case ',':
			c = r.next()
		default:
			return nil, errJSON
		}
	}
}

// guess says how many members an object may have, so that claims do not have
// their map made twice. It is far from what a map of that size would cost, and
// nothing for objects within.
func (r *reader) guess(depth int) int {
	if depth > 1 {
		return 0
	}
	return len(r.text) / 40
}

// array reads the rest of an array whose bracket has been taken.
func (r *reader) array(depth int) ([]any, error) {
	if depth > maxDepth {
		return nil, errDepth
	}
	out := []any{}
	r.blanks()
	if r.at < len(r.text) && r.text[r.at] == ']' {
		r.at++
		return out, nil
	}
	for {
		v, err := r.value(depth)
		if err != nil {
			return nil, err
		}
		out = append(out, v)
		switch r.next() {
		case ']':
			return out, nil
		case ',':
		default:
			return nil, errJSON
		}
	}
}

// value reads a value that stands depth levels deep.
func (r *reader) value(depth int) (any, error) {
	if r.left--; r.left < 0 {
		return nil, errMany
	}
	switch c := r.next(); c {
	case '{':
		return r.object(depth + 1)
	case '[':
		return r.array(depth + 1)
	case '"':
		return r.string()
	case 't':
		return true, r.word("rue")
	case 'f':
		return false, r.word("alse")
	case 'n':
		return nil, r.word("ull")
	case '-', '0', '1', '2', '3', '4', '5', '6', '7', '8', '9':
		r.at--
		return r.number()
	}
	return nil, errJSON
}

func (r *reader) word(rest string) error {
	if !strings.HasPrefix(r.text[r.at:], rest) {
		return errJSON
	}
	r.at += len(rest)
	return nil
}

// number reads a number (RFC 8259, section 6).
func (r *reader) number() (json.Number, error) {
	start := r.at
	r.take('-')
	whole := r.at
	if r.digits() == 0 || r.text[whole] == '0' && r.at > whole+1 {
		return "", errJSON
	}
	small := r.at-whole <= 18
	if r.take('.') && r.digits() == 0 {
		return "", errJSON
	}
	if r.take('e') || r.take('E') {
		small = false
		if !r.take('+') {
			r.take('-')
		}
		if r.digits() == 0 {
			return "", errJSON
		}
	}
	n := r.text[start:r.at]
	if len(n) > maxNumber {
		return "", errNumber
	}
	if !small {
		if _, err := strconv.ParseFloat(n, 64); err != nil {
			return "", errNumber
		}
	}
	return json.Number(n), nil
}

// take takes the byte c, if it is the next.
func (r *reader) take(c byte) bool {
	if r.at < len(r.text) && r.text[r.at] == c {
		r.at++
		return true
	}
	return false
}

// digits takes digits and says how many.
func (r *reader) digits() int {
	start := r.at
	for r.at < len(r.text) && r.text[r.at] >= '0' && r.text[r.at] <= '9' {
		r.at++
	}
	return r.at - start
}

// string reads the rest of a text whose quote has been taken.
func (r *reader) string() (string, error) {
	start := r.at
	for ; r.at < len(r.text); r.at++ {
		switch c := r.text[r.at]; {
		case c == '"':
			r.at++
			return r.text[start : r.at-1], nil
		case c == '\\':
			return r.escaped(start)
		case c < ' ':
			return "", errJSON
		}
	}
	return "", errJSON
}

// escaped reads the rest of a text that began at start and has an escape here.
func (r *reader) escaped(start int) (string, error) {
	out := append(make([]byte, 0, 2*(r.at-start)+16), r.text[start:r.at]...)
	for r.at < len(r.text) {
		c := r.text[r.at]
		r.at++
		switch {
		case c == '"':
			return string(out), nil
		case c < ' ':
			return "", errJSON
		case c != '\\':
			out = append(out, c)
			continue
		}
		char, err := r.escape()
		if err != nil {
			return "", err
		}
		out = utf8.AppendRune(out, char)
	}
	return "", errJSON
}

// escape reads what follows a backslash (RFC 8259, section 7).
func (r *reader) escape() (rune, error) {
	if r.at == len(r.text) {
		return 0, errJSON
	}
	c := r.text[r.at]
	r.at++
	switch c {
	case '"', '\\', '/':
		return rune(c), nil
	case 'b':
		return '\b', nil
	case 'f':
		return '\f', nil
	case 'n':
		return '\n', nil
	case 'r':
		return '\r', nil
	case 't':
		return '\t', nil
	case 'u':
		return r.unicode()
	}
	return 0, errJSON
}

// unicode reads the digits of an escape, and where it is the first of a pair
// the second too.
func (r *reader) unicode() (rune, error) {
	first, err := r.hex()
	if err != nil || !utf16.IsSurrogate(first) {
		return first, err
	}
	if !r.take('\\') || !r.take('u') {
		return 0, errSurrogate
	}
	second, err := r.hex()
	if err != nil {
		return 0, err
	}
	pair := utf16.DecodeRune(first, second)
	if pair == utf8.RuneError {
		return 0, errSurrogate
	}
	return pair, nil
}

func (r *reader) hex() (rune, error) {
	if len(r.text)-r.at < 4 {
		return 0, errJSON
	}
	var v rune
	for _, c := range []byte(r.text[r.at : r.at+4]) {
		switch {
		case c >= '0' && c <= '9':
			v = v<<4 | rune(c-'0')
		case c >= 'a' && c <= 'f':
			v = v<<4 | rune(c-'a'+10)
		case c >= 'A' && c <= 'F':
			v = v<<4 | rune(c-'A'+10)
		default:
			return 0, errJSON
		}
	}
	r.at += 4
	return v, nil
}
