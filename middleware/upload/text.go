package upload

import (
	"bytes"
	"strings"
)

// checkText wants a text without markup: a browser that is shown the file must
// not find a page in it, nor a server a script. It is read to its end, as UTF-8
// or any other encoding whose first half is ASCII, or as UTF-16 with a byte
// order mark, which spreadsheets write.
func checkText(v *view) string { return scanText(v, &textScanner{}) }

// checkTable is checkText for what spreadsheets open. Cells that they would
// calculate are noted: a minus and a plus begin honest cells too.
func checkTable(v *view) string {
	s := &textScanner{cell: true, table: true}
	reason := scanText(v, s)
	v.formula = s.formula
	return reason
}

func scanText(v *view, s *textScanner) (reason string) {
	unit, first := 1, 0
	switch {
	case bytes.HasPrefix(v.head, []byte{0xff, 0xfe}):
		unit, first = 2, 0
	case bytes.HasPrefix(v.head, []byte{0xfe, 0xff}):
		unit, first = 2, 1
	}
	if unit == 2 && v.size%2 != 0 {
		return unlike
	}
	v.windows(0, func(piece []byte) bool {
		if unit == 2 {
			piece = narrow(piece, first)
		}
		reason = s.scan(piece)
		return reason == ""
	})
	return reason
}

// narrow makes one byte of each unit of UTF-16: its own where it is ASCII, and
// one that means nothing otherwise. Windows hold whole units.
func narrow(piece []byte, low int) []byte {
	out := make([]byte, len(piece)/2)
	for i := range out {
		if out[i] = piece[2*i+low]; piece[2*i+1-low] != 0 || out[i] > 0x7f {
			out[i] = 0x80
		}
	}
	return out
}

// textScanner finds markup as a browser's tokenizer does, or more: elements that
// HTML knows, declarations and instructions, and event handlers of elements that
// it does not know. An address in angle brackets, a type parameter and a
// comparison are text. It looks at each byte once, and takes what it looks for
// across all pieces of the file.
type textScanner struct {
	state  textState
	sign   byte   // after <: one of / ! ? % or 0
	word   []byte // the name after <, or a space and the name of an attribute, in lower case
	open   bool   // in something that began like a tag
	short  bool   // which may be an element of one letter
	valued bool   // an attribute had a value: quotes may hide the end of the tag

	table   bool // look for formulas
	cell    bool // at the beginning of a cell
	formula bool
}

type textState int

const (
	inText textState = iota
	afterOpen
	inName
)

const maxWord = 24

func (s *textScanner) scan(piece []byte) string {
	for _, c := range piece {
		if c < 0x20 && c != '\t' && c != '\n' && c != '\r' && c != '\f' && c != 0x1b {
			return unlike
		}
		if s.table {
			s.formula = s.formula || s.cell && (c == '=' || c == '@')
			s.cell = s.cell && (c == '"' || c == ' ') || c == '\n' || c == '\r' || c == ',' || c == ';' || c == '\t'
		}
		if s.markup(c) {
			return "it holds markup"
		}
	}
	return ""
}

// markup takes the next byte and reports whether it makes what came before
// markup.
func (s *textScanner) markup(c byte) bool {
	switch s.state {
	case afterOpen:
		return s.begun(c)
	case inName:
		if letter(rune(c)) || '0' <= c && c <= '9' {
			if s.word = append(s.word, c|0x20); len(s.word) > maxWord {
				s.state, s.word = inText, s.word[:0]
			}
			return false
		}
		known := element(string(s.word), c)
		s.short = s.short || len(s.word) == 1 && strings.Contains(shortElements, string(s.word))
		s.state, s.word = inText, s.word[:0]
		return known || s.text(c)
	}
	return s.text(c)
}

// begun takes what follows a <.
func (s *textScanner) begun(c byte) bool {
	sign, isLetter := s.sign, letter(rune(c))
	s.state = inText
	switch {
	case sign == '!':
		return c == '-' || c == '[' || isLetter
	case sign == '?':
		return c == '=' || isLetter
	case sign == '%':
		return c == '@' || c == '=' || c == ' ' || c == '\n' || c == '\r'
	case isLetter:
		s.state, s.open, s.word = inName, true, append(s.word[:0], c|0x20)
		return false
	case sign == 0 && strings.IndexByte("/!?%", c) >= 0:
		s.state, s.sign = afterOpen, c
		return false
	}
	return s.text(c)
}

// text takes a byte outside of names. While something that began like a tag may
// still be open, it looks for attributes that are event handlers.
func (s *textScanner) text(c byte) bool {
	if c == '<' {
		s.state, s.sign = afterOpen, 0
		return false
	}
	if !s.open {
		return false
	}
	last := len(s.word) - 1
	switch {
	case c == '>':
		s.open, s.short = s.valued, s.short && s.valued
		s.word = s.word[:0]
	case c == '=':
		s.valued = true
		attr := string(bytes.TrimRight(s.word, " "))
		s.word = s.word[:0]
		return s.short && len(attr) > 3 || handler(attr)
	case c == '/' || c == '"' || c == '\'':
		s.word = append(s.word[:0], ' ')
	case c == ' ' || c == '\t' || c == '\n' || c == '\r' || c == '\f':
		// The name may be followed by spaces, and then by its sign.
		if last < 0 || s.word[last] != ' ' {
			s.word = append(s.word, ' ')
		}
	case !letter(rune(c)):
		s.word = s.word[:0]
	case last > 0 && s.word[last] == ' ':
		s.word = append(s.word[:0], ' ', c|0x20)
	case 0 <= last && last < maxWord:
		s.word = append(s.word, c|0x20)
	}
	return false
}

// handler reports whether an attribute, after a space, is an event handler, of
// which browsers add more. Words of prose that begin alike are none.
func handler(attr string) bool {
	switch attr {
	case " on", " one", " once", " only", " onto":
		return false
	}
	return strings.HasPrefix(attr, " on")
}

// element reports whether a name between < and c begins markup. One letter is a
// variable as often as it is an element: it counts where the tag ends at once.
func element(name string, c byte) bool {
	if len(name) == 1 {
		return c == '>' && strings.Contains(shortElements, name)
	}
	if c != '>' && c != '/' && c != ' ' && c != '\t' && c != '\n' && c != '\r' && c != '\f' {
		return false
	}
	return strings.Contains(elements, " "+name+" ")
}

// Names that mean something in a page.
const (
	shortElements = "abipqsu"
	elements      = " abbr address applet area article aside audio base basefont bdi bdo bgsound blink blockquote body br button " +
		"canvas caption center cite code col colgroup data datalist dd del details dfn dialog dir div dl dt em embed fieldset figcaption " +
		"figure font footer form frame frameset h1 h2 h3 h4 h5 h6 head header hgroup hr html iframe image img input ins isindex kbd keygen " +
		"label legend li link listing main map mark marquee math menu menuitem meta meter multicol nav nobr noembed noframes noscript object " +
		"ol optgroup option output param picture plaintext portal pre progress rb rp rt rtc ruby samp script search section select slot small " +
		"source span strike strong style sub summary sup svg table tbody td template textarea tfoot th thead time title tr track tt ul var " +
		"video wbr xmp xml foreignobject animate set use "
)
