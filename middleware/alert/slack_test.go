package alert

import (
	"regexp"
	"strings"
	"testing"
	"time"
	"unicode"
)

func TestHarmless(t *testing.T) {
	for in, want := range map[string]string{
		"alice-7":                 "alice-7",
		"2001:db8::1/128":         "2001:db8::1/128",
		"203.0.113.9":             "203.0.113.9",
		"auth_failures":           "auth_failures",
		"<!channel>":              "&lt;?channel&gt;",
		"<@U012AB3CD>":            "&lt;(at)U012AB3CD&gt;",
		"<#C024BE7LR>":            "&lt;?C024BE7LR&gt;",
		"@here":                   "(at)here",
		"<https://evil.example|x": "&lt;https[:]//evil[.]example?x",
		"http://evil.example":     "http[:]//evil[.]example",
		"www.evil.example":        "www[.]evil[.]example",
		"mailto:a@b.example":      "mailto:a(at)b[.]example",
		"evil。example":            "evil?example",
		"[x](https://evil)":       "?x?(https[:]//evil)",
		"`code` and ```":          "?code? and ???",
		"*b* ~s~ _i_":             "?b? ?s? ?i?",
		"a\nb\r\u2028c\td":        "a?b??c?d",
		"\u202egnp.exe":           "?gnp[.]exe",
		"a\u200bb\u00a0c":         "a?b?c",
		"&lt;":                    "&amp;lt;",
		"\xff\xfe":                "??",
		strings.Repeat("é", 200):  strings.Repeat("é", maxFact) + "…",
	} {
		if got := harmless(in); got != want {
			t.Errorf("%q: %q, want %q", in, got, want)
		}
	}
}

// FuzzSlack looks for a value that does anything but stand there.
func FuzzSlack(f *testing.F) {
	for _, s := range []string{"", "<!channel>", "<@U1>", "@here", "`", "http://a.b", "*a*", "_a_", "a_", "\n", "<", "&", "\u202e", "a.b", "://", "\xc3", "x&lt;y", "..a", "a:/b", "_", "a__b"} {
		f.Add(s, s)
	}
	ours := regexp.MustCompile("^\\*[A-Z]+\\* [A-Za-z0-9 ]+(\n[^`\n]*: `[^`\n]*`)+$")
	f.Fuzz(func(t *testing.T, subject, evidence string) {
		r := record{Event: found("203.0.113.9")}
		r.Subject, r.Tenant, r.Evidence = subject, evidence, [][2]string{{evidence, subject}}
		text := r.text()
		if !ours.MatchString(text) {
			t.Fatalf("%q", text)
		}
		_, values, _ := strings.Cut(text, "\n")
		for _, bad := range []string{"<", ">", "@", "://", "*", "~", "|", "!", "#", "[x", "]("} {
			if strings.Contains(values, bad) {
				t.Errorf("%q in %q", bad, values)
			}
		}
		for i, c := range values {
			if c == '&' && !strings.HasPrefix(values[i:], "&amp;") && !strings.HasPrefix(values[i:], "&lt;") && !strings.HasPrefix(values[i:], "&gt;") {
				t.Errorf("%q: a bare &", values)
			}
			if unicode.In(c, unicode.Cf, unicode.Cc) && c != '\n' {
				t.Errorf("%q: %U", values, c)
			}
		}
		if regexp.MustCompile(`(?i)[a-z0-9]\.[a-z]`).MatchString(values) {
			t.Errorf("%q looks like a host name", values)
		}
		if regexp.MustCompile(`(^|[^\pL\pN])_|_([^\pL\pN]|$)`).MatchString(values) {
			t.Errorf("%q: a mark", values)
		}
	})
}

func TestSlackText(t *testing.T) {
	r := record{Event: found("203.0.113.9"), Held: 3, Since: time.Unix(1_800_000_000, 0), Lost: 2}
	r.Subject, r.Evidence = "u1", [][2]string{{"usernames", "3"}}
	want := "*HIGH* Auth failures\nsubject: `u1`\naddress: `203.0.113.9/32`\nclient: `203.0.113.9`\nuser_digest: `0123456789abcdef0123456789abcdef`\n" +
		"route: `login`\ncount: `5 of 5 in 15m0s`\naction: `block_address`\nblock: `b1`\nheld_back: `3 more since 2027-01-15T08:00:00Z`\n" +
		"lost: `2 events found no room`\nrequest_id: `a1b2`\nusernames: `3`"
	if got := r.text(); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}
