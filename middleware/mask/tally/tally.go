// Package tally counts the records of a JSON answer while it is sent. It knows
// nothing of paths: what a list is, its place says.
package tally

import "bytes"

// maxLevels bounds how deep lists are looked for.
const maxLevels = 6

// Records counts the elements of the list of a JSON text that comes in pieces: of
// the array that the text is, or else of the longest array that is a member of its
// object. An object without any, or with empty ones only, is one record. The zero
// value is ready, for lists that are members of the text's object.
//
// It does not judge the text: of one that is not JSON it counts something.
type Records struct {
	// Levels is how many objects may be around a list beside the text's own.
	Levels int

	depth   int   // of the containers that are open
	list    int   // depth of the list at hand; 0: none, and then all that is open is objects, or too deep
	count   int64 // of its commas
	filled  bool  // it has an element
	longest int64
	root    byte // what the text begins with
	text    bool // within a string
	escaped bool // behind a backslash
}

// Write counts on. Outside of strings most bytes say nothing: those that a list has
// are told from the blanks around them once for each list.
func (r *Records) Write(p []byte) {
	i := 0
	if r.text {
		i = r.pass(p, i) + 1
	}
	for ; i < len(p); i++ {
		switch c := p[i]; c {
		case '"':
			r.see(c)
			// Most strings end at the next quote: it is escaped only behind a backslash.
			if n := bytes.IndexByte(p[i+1:], '"'); n == 0 || n > 0 && p[i+n] != '\\' {
				i += n + 1
				continue
			}
			r.text = true
			i = r.pass(p, i+1)
		case '{', '[':
			r.see(c)
			r.enter(c)
		case '}', ']':
			r.leave()
		case ',':
			if r.depth == r.list && r.list > 0 {
				r.count++
			}
		default:
			if c > ' ' && c < 0x80 && (r.root == 0 || r.list > 0 && !r.filled) {
				r.see(c)
			}
		}
	}
}

// pass reads the string at hand from i to its quote, or to the end of p, and gives
// the offset of the one or the other.
func (r *Records) pass(p []byte, i int) int {
	if r.escaped {
		r.escaped = false
		i++
	}
	for ; i < len(p); i++ {
		switch p[i] {
		case '"':
			r.text = false
			return i
		case '\\':
			if i++; i == len(p) {
				r.escaped = true
			}
		}
	}
	return i
}

// see takes note of the first byte of a value, or of a name.
func (r *Records) see(c byte) {
	if r.root == 0 {
		r.root = c
	}
	if r.list > 0 && r.depth == r.list {
		r.filled = true
	}
}

func (r *Records) enter(c byte) {
	r.depth++
	if c == '{' {
		return
	}
	if r.list == 0 && (r.root == '[' && r.depth == 1 || r.root == '{' && r.depth <= 2+min(r.Levels, maxLevels)) {
		r.list, r.count, r.filled = r.depth, 0, false
	}
}

func (r *Records) leave() {
	if r.list > 0 && r.depth == r.list {
		if r.filled {
			r.count++
		}
		r.longest = max(r.longest, r.count)
		r.list = 0
	}
	r.depth = max(r.depth-1, 0)
}

// Count tells how many there were. Of a text that was cut it tells what has come.
func (r *Records) Count() int64 {
	n := r.longest
	if r.list > 0 { // cut
		cut := r.count
		if r.filled {
			cut++
		}
		n = max(n, cut)
	}
	if r.root == '{' {
		n = max(n, 1)
	}
	return n
}
