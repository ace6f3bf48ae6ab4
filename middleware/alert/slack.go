package alert

import (
	"context"
	"encoding/json"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/gatehouse-dev/gatehouse/config"
)

// slack makes a sink that posts a line of text.
func (m *maker) slack(name string, c *config.AlertSlack) {
	at := "slack." + name
	ca, err := content(c.CA)
	if err != nil {
		m.fail(at+".ca", err)
		return
	}
	p, err := newPoster(c.URL.Reveal(), ca, c.Insecure)
	if err != nil {
		m.failIn(at, err)
		return
	}
	deliver := func(ctx context.Context, r *record) error {
		body, err := json.Marshal(map[string]string{"text": r.text()})
		if err != nil {
			return &refusal{error: err, final: true}
		}
		return p.post(ctx, body, nil)
	}
	m.add(&Sink{Name: name, Kind: "slack", timeout: c.Timeout.D(), deliver: deliver, close: p.transport.CloseIdleConnections},
		c.MinSeverity, c.Classes, c, c.URL.Reveal(), string(ca))
}

// text tells of an event in Slack's mrkdwn. Every value stands in a code span and
// is made harmless besides: a subject, a tenant or a piece of evidence may be of an
// attacker's choosing, and must neither call anybody nor be something to click on.
func (r *record) text() string {
	var b strings.Builder
	b.WriteString("*" + strings.ToUpper(r.Severity.caption()) + "* " + harmless(r.title()))
	fact := func(name, value string) { b.WriteString("\n" + harmless(name) + ": `" + harmless(value) + "`") }
	for _, f := range r.facts() {
		fact(f[0], f[1])
	}
	for i, f := range r.Evidence {
		if i == maxEvidence {
			break
		}
		fact(f[0], f[1])
	}
	return b.String()
}

// maxFact is how many characters of a value are shown.
const maxFact = 120

// harmless gives a text that is nothing but text to Slack and those who read the
// same: no end of a code span, no mention, no link and no markup, whether they look
// into code spans or not. Dots and colons are marked, as analysts do with
// addresses that nobody should follow, where they could make one. &, < and > are
// the only ones with an escape of their own.
func harmless(s string) string {
	text := []rune(s[:min(len(s), utf8.UTFMax*(maxFact+1))])
	var b strings.Builder
	last, next := rune(0), rune(0)
	for i, c := range text {
		if i == maxFact {
			b.WriteString("…")
			break
		}
		if next = 0; i+1 < len(text) {
			next = text[i+1]
		}
		switch {
		case c == '&':
			b.WriteString("&amp;")
		case c == '<':
			b.WriteString("&lt;")
		case c == '>':
			b.WriteString("&gt;")
		case c == '@':
			b.WriteString("(at)")
		case c == '.' && unicode.IsLetter(next), c == ':' && next == '/':
			b.WriteString("[" + string(c) + "]")
		case c == '`', c == '*', c == '~', c == '!', c == '#', c == '|', c == '\\', c == '[', c == ']', c == '。', c == '．', c == '｡', c == utf8.RuneError:
			b.WriteByte('?')
		case c == '_' && !(wordy(last) && wordy(next)): // a_b marks nothing up, _a_ does
			b.WriteByte('?')
		case c == ' ', unicode.IsGraphic(c) && !unicode.IsSpace(c):
			b.WriteRune(c)
		default: // what moves, hides or turns the text around
			b.WriteByte('?')
		}
		last = c
	}
	return b.String()
}

func wordy(c rune) bool { return unicode.IsLetter(c) || unicode.IsDigit(c) }
