package detect

import (
	"math"
	"regexp/syntax"
	"testing"
)

func TestNationalIDs(t *testing.T) {
	d := newDetector(t, map[string]string{
		"nin":  `\d{11}`,
		"nino": `(?i)[A-CEGHJ-PR-TW-Z]{2}\d{6}[A-D]`,
		"alt":  `a|bc`,
		"z":    `\d{11}|\d{13}`,
	})
	tests := []struct {
		text, str, num string
	}{
		{"12345678901", "national_id:nin", "national_id:nin"},
		{"1234567890", "", ""},
		{"123456789012", "", ""},
		{" 12345678901", "", ""},
		{"12345678901\n", "", ""},
		{"nin 12345678901", "", ""},
		{"4222222222222", "national_id:z", "national_id:z"}, // a card otherwise
		{"AB123456C", "national_id:nino", "national_id:nino"},
		{"ab123456c", "national_id:nino", "national_id:nino"},
		{"a", "national_id:alt", "national_id:alt"},
		{"bc", "national_id:alt", "national_id:alt"},
		{"ac", "", ""}, // the whole of one alternative
	}
	for _, tt := range tests {
		if got := d.Class([]byte(tt.text), true); got != tt.str {
			t.Errorf("%q is %q, want %q", tt.text, got, tt.str)
		}
		if got := d.Class([]byte(tt.text), false); got != tt.num {
			t.Errorf("the number %q is %q, want %q", tt.text, got, tt.num)
		}
	}
	for _, expr := range []string{"(", "a)|(b", "a*", "", "x|", `(?=a)`} {
		if _, err := New(map[string]string{"bad": expr}); err == nil {
			t.Errorf("%q was accepted", expr)
		}
	}
}

func TestBounds(t *testing.T) {
	tests := []struct {
		expr string
		want bound
	}{
		{`\d{11}`, bound{11, 11, 11}},
		{`[0-9]{2}-[A-F0-9]{3}`, bound{6, 6, 2}},
		{`a1?`, bound{1, 2, 0}},
		{`a+1*`, bound{1, math.MaxInt32, 0}},
		{`(12|345x)\b`, bound{2, 4, 2}},
		{`ü(?i)ks`, bound{3, 10, 0}},
		{`[a-ü]{2}`, bound{2, 4, 0}},
		{`1{2,}`, bound{2, math.MaxInt32, 2}},
		{`(?s:.)[^a]`, bound{2, 8, 0}},
		{`(?:x{0,30}){2}|y`, bound{0, 60, 0}},
	}
	for _, tt := range tests {
		re, err := syntax.Parse(tt.expr, syntax.Perl)
		if err != nil {
			t.Fatal(err)
		}
		if got := boundOf(re); got != tt.want {
			t.Errorf("%s: %+v, want %+v", tt.expr, got, tt.want)
		}
	}
}

// FuzzBounds holds the bounds against the expression itself: a value they keep
// away must not match.
func FuzzBounds(f *testing.F) {
	for _, s := range [][2]string{{`\d{3}`, "123"}, {`(?i)k1`, "\u212a1"}, {`a|b7*`, "b77"}, {`.\D`, "\xffa"}, {`[a-\x{d900}]`, "\u00fc"}} {
		f.Add(s[0], s[1])
	}
	f.Fuzz(func(t *testing.T, expr, text string) {
		n, err := newNational("x", expr)
		if err != nil || !n.re.MatchString(text) {
			return
		}
		if digits, _ := survey([]byte(text)); !n.bound.takes(len(text)) || digits < n.bound.digits {
			t.Errorf("%q matches %q, and its bounds %+v do not", expr, text, n.bound)
		}
	})
}
