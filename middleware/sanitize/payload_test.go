package sanitize

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/gatehouse-dev/gatehouse/config"
)

// payloads are attempts to get markup past a filter, by kind.
func payloads() map[string][]string {
	return map[string][]string{
		"script": {
			"<script>alert(1)</script>", "<SCRIPT SRC=//x.example/a.js>", "<ScRiPt\n>alert(1)</sCrIpT>", "<script/x>alert(1)</script>", "<script", "<<script>alert(1)//<</script>",
		},
		"handlers": {
			"<img src=x onerror=alert(1)>", "<svg/onload=alert(1)>", "<body onload=alert(1)>", "<a onmouseover='alert(1)'>x", "<img src=\"x\"onerror=\"alert(1)\">",
			"<input autofocus onfocus=alert(1)>", "<details open ontoggle=alert(1)>", "<img/src=`x`onerror=alert(1)>", "<b onclick=alert(1)\x0cx>y</b>", "<img src=x onerror\n=\nalert(1)>",
		},
		"addresses": {
			"<a href=javascript:alert(1)>x</a>", "<a href=\"java\tscript:alert(1)\">x</a>", "<a href='&#106;avascript:alert(1)'>x</a>", "<a href=\" javascript:alert(1)\">x</a>", "<a href=data:text/html,<script>alert(1)</script>>x</a>",
			"<a href=vbscript:x>x</a>", "<iframe src=javascript:alert(1)>", "<form action=javascript:alert(1)><input type=submit>", "<object data=javascript:alert(1)>", "<base href=//x.example/>", "<meta http-equiv=refresh content='0;url=javascript:alert(1)'>",
			"<a href=\"javascript&colon;alert(1)\">x</a>", "<a href=\"\x01javascript:alert(1)\">x</a>",
		},
		"unfinished": {
			"<img src=x onerror=alert(1) ", "<img src=\"x", "<a href='", "text <b", "</", "</p", "<!--", "<!-- x", "<!", "<?", "<![CDATA[", "<svg><", "<script>alert(1)", "<textarea><img src=x onerror=alert(1)>", "x<", "x</x",
		},
		"nested": {
			"<scr<script>ipt>alert(1)</scr</script>ipt>", "<scr<b>ipt>", "<<b>script>alert(1)<</b>/script>", "<img <b>src=x onerror=alert(1)>", "<scr<!-- -->ipt>alert(1)</script>", "<b<b>>", "<<<<b>>>>", "<a<a<a>", "<im<!---->g src=x onerror=alert(1)>",
		},
		"escaped": {
			"&lt;script&gt;alert(1)&lt;/script&gt;<b>", "<b>&lt;img src=x onerror=alert(1)&gt;</b>", "<i></i>&#60;script&#62;", "<i></i>&#x3c;script&#x3e;", "<i></i>&amp;lt;script&amp;gt;", "<b>&LT;script&GT;", "<b>&lt</b>script>",
			"&#0;<b>&lt;&#0;script&gt;", "<u>&amp;amp;lt;b&amp;amp;gt;</u>",
		},
		"controls": {
			"<\x00script>alert(1)</script>", "\x00<\x00s\x00c\x00r\x00i\x00p\x00t\x00>", "<\x01img src=x onerror=alert(1)>", "<\x7fb>", "<\x0b/script>", "<s\x00cript>alert(1)</script>", "<img\x00src=x\x00onerror=alert(1)>", "<\x08svg onload=x>", "<\x1b!-- -->",
		},
		"comments": {
			"<!-- --!><img src=x onerror=alert(1)>-->", "<!--><script>alert(1)</script>-->", "<!---><img src=x onerror=alert(1)>", "<!-->", "<!doctype html>", "<?php system(1) ?>", "<?xml version='1.0'?>", "<%= 7*7 %><b>",
			"<![CDATA[<script>alert(1)</script>]]>", "<!ENTITY x 'y'>", "<comment><img src='</comment><img src=x onerror=alert(1)>'>",
		},
		"mutation": {
			"<math><mtext><table><mglyph><style><!--</style><img title=\"--&gt;&lt;img src=1 onerror=alert(1)&gt;\">",
			"<svg></p><style><a id=\"</style><img src=1 onerror=alert(1)>\">", "<noscript><p title=\"</noscript><img src=x onerror=alert(1)>\">",
			"<form><math><mtext></form><form><mglyph><svg><mtext><style><path id=\"</style><img onerror=alert(1) src>\">",
			"<math><annotation-xml encoding=\"text/html\"><style><img src=x onerror=alert(1)></style></annotation-xml></math>",
			"<select><style></select><img src=x onerror=alert(1)></style>", "<select><iframe></select><img src=x: alert(1) onerror=eval(src)>",
			"<svg><style><img src=x onerror=alert(1)></style></svg>", "<svg><desc><table><thead><s></table></s><table></thead><style><a title=\"</style><img src onerror=alert(1)>\"></style></svg>",
			"<title><a href=\"</title><img src=x onerror=alert(1)>\">", "<xmp><p title=\"</xmp><svg/onload=alert(1)>\">", "<noembed><img title=\"</noembed><img src onerror=alert(1)>\"></noembed>",
			"<template><script>alert(1)</script></template>", "<p><svg><p></p></svg><style><!--</style><img src=x onerror=alert(1)>--></style>", "<option><style></option></select><b><img src=xx: onerror=alert(1)></style></option>",
			"<plaintext><script>alert(1)</script>", "<xss><script>alert(1)</script></xss>", "<math href=javascript:alert(1)>x</math>", "<svg><a xlink:href=javascript:alert(1)><text y=20>x",
			"<svg><animate xlink:href=#x attributeName=href values=javascript:alert(1) /><a id=x><text y=20>x", "<isindex type=image src=1 onerror=alert(1)>",
		},
		"attributes": {
			"<a href=https://a.example href=javascript:alert(1)>x</a>", "<a href=javascript:alert(1) href=https://a.example>x</a>", "<img src=a src=b src=javascript:alert(1)>", "<a title=x title=\"><script>alert(1)</script>\">y</a>",
			"<a href=https://a.example?a=1&b=2>x</a>", "<a href=\"https://a.example\" title='\"><img src=x onerror=alert(1)>'>x</a>", "<img alt='\"onerror=alert(1) x=\"' src=a>", "<img src=\"`<svg/onload=alert(1)>`\">",
			"<b style=\"background:url(javascript:alert(1))\">x</b>", "<p style='x:expression(alert(1))'>y", "<td background=javascript:alert(1)>", "<a \"onmouseover=alert(1)\">x", "<a =x onmouseover=alert(1)>x", "<q cite=javascript:alert(1)>x</q>",
		},
	}
}

// Whatever a mode makes of a payload has no markup, or only what the mode allows,
// and cleaning it again changes nothing.
func TestPayloads(t *testing.T) {
	c := newCleaner()
	n := 0
	for kind, list := range payloads() {
		for _, s := range list {
			n++
			out := c.strip(s)
			if hasMarkup(out) || tokens(out) || tokens(dropControls(out)) {
				t.Errorf("%s: strip(%q) = %q, which has markup", kind, s, out)
			}
			if again := c.strip(out); again != out {
				t.Errorf("%s: strip(%q) = %q, and again %q", kind, s, out, again)
			}
			if !hasMarkup(s) {
				continue
			}
			for mode := range c.rich {
				out := c.subset(mode, s)
				if why := live(out); why != "" {
					t.Errorf("%s: %s of %q is %q, which has %s", kind, mode, s, out, why)
				}
				if again := c.subset(mode, out); again != out {
					t.Errorf("%s: %s of %q is %q, and again %q", kind, mode, s, out, again)
				}
			}
		}
	}
	t.Logf("%d payloads of %d kinds", n, len(payloads()))
}

// An attribute that stands twice is read once by browsers, the first, and by
// others the last. Neither may be live.
func TestDuplicateAttributes(t *testing.T) {
	c := newCleaner()
	for in, want := range map[string]string{
		"<a href=https://a.example href=javascript:alert(1)>x</a>": `<a href="https://a.example" rel="nofollow">x</a>`,
		"<a href=javascript:alert(1) href=https://a.example>x</a>": `x`,
		"<img src=a.png src=javascript:alert(1)>":                  `<img src="a.png">`,
		"<p id=a onclick=x() onclick=y()>x</p>":                    `<p id="a">x</p>`,
	} {
		if got := c.subset(ugc, in); got != want {
			t.Errorf("%q became %q, want %q", in, got, want)
		}
	}
}

// hostile are inputs that have made HTML parsers quadratic (CVE-2024-45338,
// CVE-2025-47911), as long as asked for.
func hostile(n int) map[string]string {
	fill := func(unit string) string { return strings.Repeat(unit, n/len(unit)+1)[:n] }
	return map[string]string{
		"open tags": fill("<b>"), "closed tags": fill("<b></b>"), "unfinished": fill("<"), "half tags": fill("<a "), "comments": fill("<!--"), "bangs": fill("<!"), "ends": fill("</p>"),
		"attributes": "<a " + fill("a=b "), "one attribute": "<a b=\"" + fill("x"), "same attributes": "<img " + fill("src=x "), "quotes": "<a " + fill("'\""), "entities": "<b>" + fill("&lt;"), "half entities": "<b>" + fill("&#"),
		"case": "<math>" + fill("<ſ"), "foreign": fill("<svg><math>"), "tables": fill("<table><td>"), "raw text": fill("<textarea></textare"), "scripts": fill("<script><!--<script>"), "doctypes": fill("<!doctype x \""), "cdata": fill("<![CDATA["),
		"controls": fill("<\x00"), "spaces": "<a" + fill(" "), "slashes": "<a" + fill("/"), "unclosed script": "<script>" + fill("</scrip"), "lists": fill("<ul><li>"), "links": fill("<a href=x>"),
	}
}

// A megabyte of it is refused before it is parsed, and what is parsed, up to the
// bound, is clean. The times are printed; the bound is what keeps them.
func TestHostileMarkup(t *testing.T) {
	slowest, what := time.Duration(0), ""
	j := newJudge(t, config.Sanitize{})
	for kind, s := range hostile(maxMarkup) {
		for _, mode := range []string{strip, formatting, ugc} {
			j.cleaned = 0
			start := time.Now()
			out, err := j.markup(mode, nil, s[:maxMarkup])
			if took := time.Since(start); took > slowest {
				slowest, what = took, fmt.Sprintf("%s (%s)", kind, mode)
			}
			if err != nil || mode == strip && hasMarkup(out) || mode != strip && live(out[:min(len(out), 1024)]) != "" {
				t.Errorf("%s, %s: %.80q, %v", kind, mode, out, err)
			}
		}
	}
	t.Logf("%d kinds of %d bytes; the slowest took %v: %s", len(hostile(1)), maxMarkup, slowest.Round(time.Millisecond), what)
	slowest = 0
	for kind, s := range hostile(1 << 20) {
		if !hasMarkup(s) {
			continue
		}
		doc := append(appendQuoted([]byte("["), s), ']')
		j.cleaned, j.parsed = 0, 0
		start := time.Now()
		_, err := rewriteJSON(doc, nil, j)
		slowest = max(slowest, time.Since(start))
		if !errors.As(err, new(*refused)) {
			t.Errorf("%s: a megabyte of it passed: %v", kind, err)
		}
	}
	t.Logf("a megabyte is refused within %v", slowest.Round(time.Millisecond))
}

// FuzzDocuments cleans whole documents twice, in every mode that cleans.
func FuzzDocuments(f *testing.F) {
	for _, list := range payloads() {
		for _, s := range list {
			f.Add(s, "b")
		}
	}
	judges := map[string]*judge{}
	for _, mode := range []string{strip, formatting, ugc} {
		judges[mode] = newJudge(f, config.Sanitize{HTML: mode, SQLInjection: off})
	}
	f.Fuzz(func(t *testing.T, a, b string) {
		a, b = strings.ToValidUTF8(a, "?"), strings.ToValidUTF8(b, "?")
		doc, _ := json.Marshal(map[string]any{"a": a, "n": 1.50, "list": []any{b, a + b, map[string]string{"x": b + a}}})
		form := []byte("a=" + url.QueryEscape(a) + "&b=" + url.QueryEscape(b) + "&a=" + url.QueryEscape(b+a))
		for mode, j := range judges {
			for _, tt := range []struct {
				in      []byte
				rewrite func([]byte) ([]byte, error)
			}{
				{doc, func(b []byte) ([]byte, error) { j.cleaned = 0; return rewriteJSON(b, nil, j) }},
				{form, func(b []byte) ([]byte, error) { j.cleaned = 0; return rewriteForm(b, j) }},
			} {
				once, err := tt.rewrite(tt.in)
				if err != nil {
					t.Fatalf("%s: %q: %v", mode, tt.in, err)
				}
				if twice, err := tt.rewrite(once); err != nil || !bytes.Equal(twice, once) {
					t.Fatalf("%s: %q became %q, and then %q, %v", mode, tt.in, once, twice, err)
				}
			}
		}
	})
}
