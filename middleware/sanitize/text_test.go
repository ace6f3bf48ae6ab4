package sanitize

import (
	"strings"
	"testing"

	"golang.org/x/net/html"
	"golang.org/x/net/html/atom"
)

// texts that people type. None of them may change by a byte.
func ordinary() []string {
	return []string{
		"", " ", "O'Brien", "AT&T", "R&D", "5 < 6", "<3", "I <3 Lagos", "100% <100", "a < b && c > d", "x<=y", "<-", "<<", "<",
		`She said "hello" & left`, "Adébáyọ̀ Ọlátúnjí", "Ẹ̀kọ́ Yorùbá", "naïve café", "👩🏾‍💻 works", "日本語", "Ω ≤ ∞",
		"&lt;script&gt;alert(1)&lt;/script&gt;", "&amp;", "&copy; 2026", "select the best candidate from the union", "</",
		"line\r\nline\ttab", "C0 \x01 alone", "https://example.com/?a=1&b=2", `C:\temp\new`, "price > 5 < 7", "< b>", "#!/bin/sh", "{{name}}",
	}
}

func TestOrdinaryTextStays(t *testing.T) {
	c := newCleaner()
	for _, s := range ordinary() {
		if hasMarkup(s) {
			t.Errorf("%q is taken for markup", s)
		}
		if got := c.strip(s); got != s {
			t.Errorf("strip(%q) = %q", s, got)
		}
		for mode := range c.rich {
			if got := c.subset(mode, s); got != s {
				t.Errorf("%s of %q is %q", mode, s, got)
			}
		}
	}
}

func TestStrip(t *testing.T) {
	c := newCleaner()
	for in, want := range map[string]string{
		"hello <b>world</b>":                      "hello world",
		"<script>alert(1)</script>Ada":            "Ada",
		"<scr<script>ipt>alert(1)</script>":       "ipt>alert(1)",
		"<b>AT&T</b> & O'Brien":                   "AT&T & O'Brien",
		`<a href="x">"quoted"</a>`:                `"quoted"`,
		"<b>5 < 6</b>":                            "5 < 6",
		"<b></b>&lt;script&gt;x":                  "&lt;script&gt;x",
		"<textarea><script>x</script></textarea>": "&lt;script&gt;x&lt;/script&gt;",
		"<!-- note -->text":                       "text",
		"<!doctype html>text":                     "text",
		"<?php echo 1 ?>text":                     "text",
		"text<img src=x onerror=alert(1)":         "text",
		"\x00<\x00script>alert(1)</script>Ada":    "Ada",
		"<\x0b/script\x7f>Ada":                    "Ada",
		"<b></b>&lt;&#1;script&gt;":               "&lt;\x01script&gt;",
		"<svg/onload=alert(1)>":                   "",
		"<b>Adébáyọ̀</b>":                         "Adébáyọ̀",
		"a<b></b>&amp;lt;i&amp;gt;":               "a&lt;i&gt;",
		"<plaintext><script>alert(1)</script>":    "&lt;script&gt;alert(1)&lt;/script&gt;",
		"<noscript><p title=\"</noscript><img>":   "",
	} {
		got := c.strip(in)
		if got != want {
			t.Errorf("strip(%q) = %q, want %q", in, got, want)
		}
	}
}

func TestSubset(t *testing.T) {
	c := newCleaner()
	for in, want := range map[string]string{
		"<b>bold</b> & <i>it</i>":                        "<b>bold</b> &amp; <i>it</i>",
		"<p onclick=x()>text</p><script>y()</script>":    "<p>text</p>",
		`<a href="https://example.com">x</a>`:            `<a href="https://example.com" rel="nofollow">x</a>`,
		`<a href="javascript:alert(1)">x</a>`:            "x",
		"<\x00script>alert(1)</script><b>x</b>":          "<b>x</b>",
		`<img src="x" onerror="alert(1)"><iframe src=x>`: `<img src="x">`,
	} {
		if got := c.subset(ugc, in); got != want {
			t.Errorf("subset(%q) = %q, want %q", in, got, want)
		}
	}
}

// live names what a browser would run or load as a document of its own in s,
// which is parsed as the standard says: a tree, not only tokens.
func live(s string) string {
	body := &html.Node{Type: html.ElementNode, Data: "body", DataAtom: atom.Body}
	nodes, err := html.ParseFragment(strings.NewReader(s), body)
	if err != nil {
		return err.Error()
	}
	for _, top := range nodes {
		for n := range top.Descendants() {
			if why := liveNode(n); why != "" {
				return why
			}
		}
		if why := liveNode(top); why != "" {
			return why
		}
	}
	return ""
}

func liveNode(n *html.Node) string {
	switch n.Type {
	case html.TextNode:
		return ""
	case html.ElementNode:
	default:
		return "a comment or a doctype"
	}
	if n.Namespace != "" {
		return "foreign content"
	}
	switch n.Data {
	case "script", "style", "iframe", "object", "embed", "base", "form", "input", "button", "template", "noscript", "link", "meta":
		return n.Data
	}
	for _, a := range n.Attr {
		v := strings.ToLower(strings.Join(strings.Fields(dropControls(a.Val)), ""))
		if strings.HasPrefix(a.Key, "on") || a.Key == "style" || a.Key == "srcdoc" ||
			strings.HasPrefix(v, "javascript:") || strings.HasPrefix(v, "vbscript:") || strings.HasPrefix(v, "data:") {
			return a.Key
		}
	}
	return ""
}

// tokens reports whether the tokenizer of x/net finds anything but text.
func tokens(s string) bool {
	z := html.NewTokenizer(strings.NewReader(s))
	for {
		switch z.Next() {
		case html.TextToken:
		case html.ErrorToken:
			return len(z.Raw()) > 0
		default:
			return true
		}
	}
}

func TestMarkupIsSeen(t *testing.T) {
	for _, s := range []string{
		"<b", "a <B", "<b>", "</b>", "</>", "</ ", "<!", "<!--", "<?", "<script", "x<y", "<bob@example.com>",
		"<\x00b>", "<\x01\x02!--", "<\x00/\x00b>", "<\x7fb", "5 < 6 <b>", "<<b>",
	} {
		if !hasMarkup(s) {
			t.Errorf("%q is taken for text", s)
		}
	}
}

func FuzzText(f *testing.F) {
	for _, s := range ordinary() {
		f.Add(s)
	}
	f.Add("<scr<script>ipt>")
	f.Add("<b>&lt;script&gt;</b>&amp;lt;")
	f.Add("\x00<\x00script>")
	c := newCleaner()
	f.Fuzz(func(t *testing.T, s string) {
		s = strings.ToValidUTF8(s, "?")
		marked := hasMarkup(s)
		if tokens(s) && !marked {
			t.Fatalf("the tokenizer sees markup in %q", s)
		}
		if clean := dropControls(s); marked && !tokens(clean) && !strings.ContainsFunc(s, isControl) {
			t.Fatalf("the tokenizer sees only text in %q", s)
		}
		got := c.strip(s)
		if !marked && got != s {
			t.Fatalf("strip changed text %q to %q", s, got)
		}
		if hasMarkup(got) || tokens(got) || tokens(dropControls(got)) {
			t.Fatalf("strip(%q) = %q, which has markup", s, got)
		}
		if again := c.strip(got); again != got {
			t.Fatalf("strip(%q) = %q, and stripped again %q", s, got, again)
		}
		for mode := range c.rich {
			sub := c.subset(mode, s)
			if why := live(sub); marked && why != "" {
				t.Fatalf("%s of %q is %q, which has %s", mode, s, sub, why)
			}
			if again := c.subset(mode, sub); again != sub {
				t.Fatalf("%s of %q is %q, and again %q", mode, s, sub, again)
			}
		}
	})
}
