package sanitize

import (
	"html"
	"strings"

	"github.com/microcosm-cc/bluemonday"
)

// hasMarkup reports whether an HTML tokenizer in its data state would find
// anything but text in s: a tag, an end tag, a comment, a doctype, or the
// beginning of one. "5 < 6" and "<3" are text.
//
// It is the tag open state of the HTML standard, section 13.2.5.6, with one
// addition: control characters behind a "<" are looked through, because
// "<\x00script>" is text until some program behind us drops the NUL.
func hasMarkup(s string) bool {
	for {
		i := strings.IndexByte(s, '<')
		if i < 0 {
			return false
		}
		s = s[i+1:]
		next := skipControls(s)
		if next == "" {
			return false
		}
		switch c := next[0]; {
		case 'a' <= c|0x20 && c|0x20 <= 'z', c == '!', c == '?':
			return true
		case c == '/' && len(next) > 1:
			return true
		}
	}
}

func skipControls(s string) string {
	for s != "" && isControl(rune(s[0])) {
		s = s[1:]
	}
	return s
}

// isControl is true of the controls that no text field has a use for: all of
// C0 and DEL but for tab and the line ends.
func isControl(r rune) bool {
	return r < 0x20 && r != '\t' && r != '\n' && r != '\r' || r == 0x7f
}

func dropControls(s string) string {
	return strings.Map(func(r rune) rune {
		if isControl(r) {
			return -1
		}
		return r
	}, s)
}

// cleaner takes markup out of texts. Its policies are built once and only read
// afterwards.
type cleaner struct {
	strict *bluemonday.Policy
	rich   map[string]*bluemonday.Policy // by mode
}

func newCleaner() *cleaner {
	u := bluemonday.UGCPolicy()
	u.AllowStandardURLs()
	u.RequireNoFollowOnLinks(true)
	return &cleaner{bluemonday.StrictPolicy(), map[string]*bluemonday.Policy{ugc: u, formatting: formattingPolicy()}}
}

// formattingPolicy keeps how a text looks and nothing that leads anywhere: no
// links, no images, no attributes at all.
func formattingPolicy() *bluemonday.Policy {
	f := bluemonday.NewPolicy()
	f.AllowElements(
		"p", "br", "hr", "div", "span", "h1", "h2", "h3", "h4", "h5", "h6", "blockquote", "pre", "code",
		"b", "strong", "i", "em", "u", "s", "del", "ins", "mark", "small", "sub", "sup", "ul", "ol", "li",
	)
	return f
}

// strip gives the text of s without its markup, as plain text. What has no
// markup comes back as it is.
//
// The strict policy gives HTML, in which AT&T is AT&amp;T. A field of plain
// text must not be left so, and undoing the escapes is safe only where it does
// not bring markup back: from "<b>&lt;script&gt;" it would. Such a text stays
// escaped. Either way the result has no markup, so that stripping it again
// changes nothing.
func (c *cleaner) strip(s string) string {
	if !hasMarkup(s) {
		return s
	}
	escaped := c.strict.Sanitize(dropControls(s))
	if plain := html.UnescapeString(escaped); !hasMarkup(plain) {
		return plain
	}
	if hasMarkup(escaped) {
		return html.EscapeString(escaped)
	}
	return escaped
}

// subset keeps the HTML of s that a mode of rich text allows. The result is
// HTML and stays escaped; a text without markup comes back as it is.
func (c *cleaner) subset(mode, s string) string {
	if !hasMarkup(s) {
		return s
	}
	return c.rich[mode].Sanitize(dropControls(s))
}
