package middleware

import (
	"strings"
	"unicode/utf8"
)

// decode makes the text UTF-8, so that every parser behind reads what the stages
// have judged: some believe the charset of a part, and some do not look at it.
// ISO 8859-1 is what widespread clients declare by default. Whatever else there
// is is refused, and what is UTF-8 or ASCII keeps its bytes.
func (p *FormPart) decode(stage string) *Refusal {
	charset := p.Params["charset"]
	if IsUTF8(charset) {
		if charset != "" && !strings.EqualFold(charset, "utf-8") {
			p.Params["charset"] = "utf-8" // some read ASCII as ISO 8859-1
		}
		return nil
	}
	if !strings.EqualFold(charset, "iso-8859-1") {
		return Refuse(stage, MediaTypeUnsupported, "a part of the form has a charset that is not accepted")
	}
	p.Params["charset"] = "utf-8"
	plain := 0
	for _, c := range p.Text {
		switch {
		case c < 0x80:
			plain++
		case c < 0xa0: // letters in one reading of the name, controls in the other
			return Refuse(stage, BodyMalformed, "the multipart body is malformed: a text is not what its charset says")
		}
	}
	if plain == len(p.Text) {
		return nil
	}
	out := make([]byte, 0, 2*len(p.Text)-plain)
	for _, c := range p.Text {
		out = utf8.AppendRune(out, rune(c))
	}
	p.Text = out
	return nil
}
