// Package wire is HTTP/1.1 as bytes (RFC 9112), for the server and the client
// alike. It is strict: of what two programs could read in two ways, nothing is
// repaired or guessed, it is an error.
//
// Strings that it gives are immutable and may be kept; none of them shares
// memory with a buffer.
package wire

import (
	"errors"
	"net/http"
	"strings"

	"github.com/gatehouse-dev/gatehouse/middleware/field"
)

// What is wrong with a head. Nothing of what was sent is told: it may be secret.
var (
	ErrLine    = errors.New("a line of the head does not end in CR LF")
	ErrFold    = errors.New("a line of the head begins with a blank")
	ErrName    = errors.New("a field has no proper name")
	ErrValue   = errors.New("the value of a field holds a control character")
	ErrTooMany = errors.New("the head has too many fields")
)

// shareable is up to which size, in bytes, the strings of a head share memory.
// Whoever keeps one value keeps that much at most, however large the head was.
const shareable = 4 << 10

// Rules say what a reader of field lines takes.
type Rules struct {
	// Max is how many field lines there may be. 0: no bound.
	Max int
	// Tolerant takes what RFC 9112 lets a server take, and what has one meaning
	// only: lines that end in a bare LF (section 2.2), and values that go on in a
	// line which begins with a blank (section 5.2), as if it were one line. For
	// requests. In answers, both are errors.
	Tolerant bool
	// Room is how many fields will be added: growing a map costs more than making
	// it larger at once.
	Room int
}

// Fields reads the field lines of a head: all of them, each with its line end,
// without the empty line behind the last. Names are in the form of
// [http.CanonicalHeaderKey], values without blanks around them. The block may be
// used anew when Fields is back.
func (r Rules) Fields(block []byte) (http.Header, error) {
	s := string(block)
	n := strings.Count(s, "\n")
	if r.Max > 0 && n > r.Max { // lines that go on count as well: they are work, too
		return nil, ErrTooMany
	}
	h := make(http.Header, n+r.Room)
	values := make([]string, 0, n)
	for s != "" {
		name, value, rest, err := r.field(s)
		if err != nil {
			return nil, err
		}
		if len(block) > shareable {
			name, value = strings.Clone(name), strings.Clone(value)
		}
		s = rest
		if old, ok := h[name]; ok {
			h[name] = append(old, value) // old has no room left: it never runs into others
			continue
		}
		values = append(values, value)
		h[name] = values[len(values)-1 : len(values) : len(values)]
	}
	return h, nil
}

// field reads the first field of s, which is not empty, and gives what follows.
func (r Rules) field(s string) (name, value, rest string, err error) {
	if s[0] == ' ' || s[0] == '\t' {
		return "", "", "", ErrFold
	}
	line, rest, err := r.line(s)
	if err != nil {
		return "", "", "", err
	}
	name, value, err = split(line)
	if err != nil {
		return "", "", "", err
	}
	if rest != "" && (rest[0] == ' ' || rest[0] == '\t') {
		if !r.Tolerant {
			return "", "", "", ErrFold
		}
		if value, rest, err = r.unfold(value, rest); err != nil {
			return "", "", "", err
		}
	}
	if !field.ValidValue(value) {
		return "", "", "", ErrValue
	}
	return name, value, rest, nil
}

// line cuts off the first line, without its end.
func (r Rules) line(s string) (line, rest string, err error) {
	i := strings.IndexByte(s, '\n')
	switch {
	case i > 0 && s[i-1] == '\r':
		return s[:i-1], s[i+1:], nil
	case i >= 0 && r.Tolerant:
		return s[:i], s[i+1:], nil
	}
	return "", "", ErrLine
}

// unfold joins a value with the lines that it goes on in, by one space each.
// Where such a line has nothing but blanks, the space stays: the value is not
// the same as without the line, and must not be taken for it where it frames.
func (r Rules) unfold(value, rest string) (joined, after string, err error) {
	var b strings.Builder
	b.WriteString(value)
	for rest != "" && (rest[0] == ' ' || rest[0] == '\t') {
		var line string
		if line, rest, err = r.line(rest); err != nil {
			return "", "", err
		}
		b.WriteByte(' ')
		b.WriteString(trim(line))
	}
	return strings.TrimLeft(b.String(), " \t"), rest, nil
}

// split gives the name and the value of a line.
func split(line string) (name, value string, err error) {
	i, proper, upper := 0, true, true
	for ; i < len(line) && line[i] != ':'; i++ {
		c := line[i]
		if !field.TokenByte(c) { // a blank before the colon, too
			return "", "", ErrName
		}
		if upper && 'a' <= c && c <= 'z' || !upper && 'A' <= c && c <= 'Z' {
			proper = false
		}
		upper = c == '-'
	}
	if i == 0 || i == len(line) {
		return "", "", ErrName
	}
	if name = line[:i]; !proper {
		name = canonical(name)
	}
	return name, trim(line[i+1:]), nil
}

// trim takes blanks away at both ends (OWS of RFC 9110).
func trim(s string) string {
	for s != "" && (s[0] == ' ' || s[0] == '\t') {
		s = s[1:]
	}
	for s != "" && (s[len(s)-1] == ' ' || s[len(s)-1] == '\t') {
		s = s[:len(s)-1]
	}
	return s
}
