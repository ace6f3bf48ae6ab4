package table

import (
	"bytes"
	"errors"
	"io"
	"unicode/utf8"

	"github.com/gatehouse-dev/gatehouse/middleware/mask/redact"
)

// errMore says that the window ends within the record.
var errMore = errors.New("more")

// place is where in a record the scanner stands.
type place uint8

const (
	atField  place = iota // at the start of a field
	inField               // in a field without quotes
	inQuotes              // in a field in quotes
	atQuote               // behind a quote in such: its end, or the first of two
	atBreak               // behind a CR that ends the record
)

// scanner finds the records of a text. It holds a window of it, which grows
// with the longest record.
type scanner struct {
	body   io.Reader
	buf    []byte
	filled int
	over   bool // the text has ended
	base   int  // offset of buf in the text

	start int // of the record at hand
	p     int // where it is scanned
	place place
	end   int   // of its last field, from start on
	ends  []int // of its fields, from start on

	max    int   // how long a record may be
	width  int   // how many fields it may have
	excess error // what it is if it has more
}

// fail gives an error about the byte at i.
func (s *scanner) fail(reason error, i int) error {
	return &redact.Error{Err: reason, Offset: s.base + i}
}

// scan reads the record at start; p is then behind its line. It gives io.EOF
// where the text has ended, and errMore where it has to be called again with
// more of the text. What it finds does not depend on where that was.
func (s *scanner) scan() error {
	limit := s.start + s.max + len("\r\n")
	b := s.buf[:min(s.filled, limit)]
	for s.p < len(b) {
		c := b[s.p]
		switch {
		case s.place == inQuotes:
			i := bytes.IndexByte(b[s.p:], '"')
			if i < 0 {
				s.p = len(b)
				continue
			}
			s.p += i
			s.place = atQuote
		case s.place == atBreak:
			if c != '\n' {
				return s.fail(ErrSyntax, s.p-1)
			}
			s.p++
			return s.finish()
		case c == ',':
			if s.ends = append(s.ends, s.p-s.start); len(s.ends) >= s.width {
				return s.fail(s.excess, s.p)
			}
			s.place = atField
		case c == '\n':
			s.end = s.p - s.start
			s.p++
			return s.finish()
		case c == '\r':
			s.end = s.p - s.start
			s.place = atBreak
		case c == '"' && (s.place == atField || s.place == atQuote):
			s.place = inQuotes
		case c == '"' || s.place == atQuote:
			return s.fail(ErrSyntax, s.p)
		default:
			s.place = inField
			s.p = skipPlain(b, s.p)
			continue
		}
		s.p++
	}
	if s.p >= limit {
		return s.fail(redact.ErrTooLarge, s.start)
	}
	return s.last()
}

// last judges a record that the window does not end.
func (s *scanner) last() error {
	switch {
	case !s.over:
		return errMore
	case s.p == s.start:
		return io.EOF
	case s.place == inQuotes:
		return s.fail(ErrSyntax, s.p)
	case s.place == atBreak:
		return s.fail(ErrSyntax, s.p-1)
	}
	s.end = s.p - s.start
	return s.finish()
}

// skipPlain gives the offset of the first byte from i on that cannot stand in a
// field without quotes, or the end.
func skipPlain(b []byte, i int) int {
	for ; i < len(b); i++ {
		if c := b[i]; c <= ',' && (c == ',' || c == '\n' || c == '\r' || c == '"') {
			break
		}
	}
	return i
}

// finish ends the record, and checks what is quicker to check at once.
func (s *scanner) finish() error {
	s.ends = append(s.ends, s.end)
	text := s.text()
	if len(text) > s.max {
		return s.fail(redact.ErrTooLarge, s.start)
	}
	if i := bytes.IndexByte(text, 0); i >= 0 {
		return s.fail(ErrSyntax, s.start+i)
	}
	if !utf8.Valid(text) {
		i := 0
		for r, n := utf8.DecodeRune(text); r != utf8.RuneError || n > 1; r, n = utf8.DecodeRune(text[i:]) {
			i += n
		}
		return s.fail(redact.ErrUTF8, s.start+i)
	}
	return nil
}

// text gives the record without the end of its line.
func (s *scanner) text() []byte { return s.buf[s.start:][:s.end] }

// span gives the text of the fields from the one to in front of the other, as
// it stands there.
func (s *scanner) span(from, to int) []byte {
	start := 0
	if from > 0 {
		start = s.ends[from-1] + 1
	}
	return s.buf[s.start:][start:s.ends[to-1]]
}

// lineEnd gives what ends the line of the record.
func (s *scanner) lineEnd() []byte { return s.buf[s.start+s.end : s.p] }

// next goes on behind the record.
func (s *scanner) next() {
	s.start, s.place, s.ends = s.p, atField, s.ends[:0]
}

// maxEmpty is how often in a row a source may give nothing.
const maxEmpty = 100

// fill reads on. The window moves on to the record at hand, and grows where
// that fills much of it.
func (s *scanner) fill() error {
	if s.start > 0 {
		copy(s.buf, s.buf[s.start:s.filled])
		s.filled -= s.start
		s.p -= s.start
		s.base += s.start
		s.start = 0
	}
	if 2*s.filled > len(s.buf) {
		s.buf = append(s.buf, make([]byte, len(s.buf))...)
	}
	for range maxEmpty {
		n, err := s.body.Read(s.buf[s.filled:])
		s.filled += n
		if err == io.EOF {
			s.over = true
			return nil
		}
		if n > 0 || err != nil {
			return err
		}
	}
	return io.ErrNoProgress
}
