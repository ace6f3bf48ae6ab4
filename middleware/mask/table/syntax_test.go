package table

import (
	"bytes"
	"errors"
	"io"
	"strings"
	"testing"

	"github.com/gatehouse-dev/gatehouse/middleware/mask/redact"
)

// TestSyntax has a case for every rule of what is CSV. Plans do not matter.
func TestSyntax(t *testing.T) {
	good := []string{
		"a", "a\n", "a\r\n", "a,b", "a\n1\n\n2\n\n\n", "a\n\"\"\n", "a,b\n\n", "a,b\r\n1,2\n3,4\r\n\r\n", "a,b\n,\n", "a,b\n1,", "\"a\"\n\"\"",
		"a,b\n\"1\n2\",\"\r\"\n", "a,b\n\"\"\"\",\",\"\n", "a,b\n 1 ,\t\n", "a\n'\n", "a,b\n\x01,\x7f\u2028\u0085\ufeff\n", "\ufeffa\n\ufeff\n", "\ufeff\"a\"\n1\n",
		"\"a;b|c\td\"\n", "a,b\n;,|\n1\t2,3\n", "a\n1\n2024-05\n@\n", "№,#,%\n", "Q1,1st,x2024,E,e5\n1,2,3,4,5\n",
	}
	for _, in := range good {
		if got, _, err := run(t, compile(t, redact.Spec{}), in, redact.Limits{}); got != in || err != nil {
			t.Errorf("%q: %q, %v", in, got, err)
		}
	}
	for _, tt := range []struct {
		in  string
		err error
		at  int
	}{
		{"", ErrSyntax, 0},
		{"\ufeff", ErrSyntax, 3},
		{"\xef\xbb", redact.ErrUTF8, 0},
		{"\n", ErrHeader, 0},
		{"\r\na\n", ErrHeader, 0},
		{"a,b\n1\n", ErrFields, 5},
		{"a,b\n1", ErrFields, 5},
		{"a,b\n1,2,3\n", ErrFields, 7},
		{"a,b\n1,2,", ErrFields, 7},
		{"a\n1,2\n", ErrFields, 3},
		{"a,b\n\n\n", ErrSyntax, 5},
		{"a,b\n\n1,2\n", ErrSyntax, 5},
		{"a,b\n \n", ErrFields, 5},
		{"a,b\n\"\"\n", ErrFields, 6},
		{"a,b\n1\"2,3\n", ErrSyntax, 5},
		{"a,b\n1\",3\n", ErrSyntax, 5},
		{"a,b\n \"1\",3\n", ErrSyntax, 5},
		{"a,b\n\"1\" ,3\n", ErrSyntax, 7},
		{"a,b\n\"1\"2,3\n", ErrSyntax, 7},
		{"\"a\";\"b\"\n", ErrSyntax, 3},
		{"\ufeff\ufeff\"a\"\n", ErrSyntax, 6},
		{"a,b\n\"1,2\n", ErrSyntax, 9},
		{"a,b\n\"1\"\",2\n", ErrSyntax, 11},
		{"a,b\n\"", ErrSyntax, 5},
		{"a,b\r1,2\n", ErrSyntax, 3},
		{"a,b\n1\r,2\n", ErrSyntax, 5},
		{"a,b\n1,2\r", ErrSyntax, 7},
		{"a,b\n\"1\"\r\r\n", ErrSyntax, 7},
		{"a,b\n1,\x002\n", ErrSyntax, 6},
		{"a,b\n1,\"\x002\"\n", ErrSyntax, 7},
		{"a,\x00\n", ErrSyntax, 2},
		{"a,b\n1,\xff\n", redact.ErrUTF8, 6},
		{"a,b\n1,\"é\xc3\"\n", redact.ErrUTF8, 9},
		{"a,b\n1,\xed\xa0\x80\n", redact.ErrUTF8, 6},
		{"a,b\n\ufffd,\xc0\x80\n", redact.ErrUTF8, 8},
		{"a,\xff\n", redact.ErrUTF8, 2},
		{"\xff\xfea\x00\n\x00", ErrSyntax, 3},
		{"a,b\n1,2\n3,4\n5\"", ErrSyntax, 13},
		{"a,,b\n", ErrHeader, 2},
		{"a,\"\"\n", ErrHeader, 2},
		{"a,\" \"\n", ErrHeader, 2},
		{",a\n", ErrHeader, 0},
		{"a,1\n", ErrHeader, 2},
		{"a,-1.5\n", ErrHeader, 2},
		{"a,1e5\n", ErrHeader, 2},
		{"a,1e999\n", ErrHeader, 2},
		{"a,\"1,234\"\n", ErrHeader, 2},
		{"a, 12 \n", ErrHeader, 2},
		{"a,NaN\n", ErrHeader, 2},
		{"a,123-45-6789\n", ErrHeader, 2},
		{"a,+44 20 7946 0000\n", ErrHeader, 2},
		{"a,٣٤\n", ErrHeader, 2},
		{"a,2024-05-17\n", ErrHeader, 2},
		{"a,2024-05-17T10:00:00Z\n", ErrHeader, 2},
		{"a,2024-05 (May)\n", ErrHeader, 2},
		{"a,ada@example.com\n", ErrHeader, 2},
		{"a,@id\n", ErrHeader, 2},
		{"a;b\n", ErrDelimiter, 0},
		{"x,a;b\n", ErrDelimiter, 2},
		{"a|b\n", ErrDelimiter, 0},
		{"a\tb\n", ErrDelimiter, 0},
		{"sep=;\na;b\n", ErrDelimiter, 0},
		{"sep=,\na,b\n", ErrHeader, 5},
	} {
		for _, spec := range []redact.Spec{{}, {Rules: rules(t, "$..* drop")}, {Expose: []string{"$.none"}}} {
			_, _, err := run(t, compile(t, spec), tt.in, redact.Limits{})
			var at *redact.Error
			if !errors.As(err, &at) || at.Err != tt.err || at.Offset != tt.at {
				t.Errorf("%q: %v, want %v at %d", tt.in, err, tt.err, tt.at)
			}
			if isSyntax := tt.err != redact.ErrUTF8; errors.Is(err, redact.ErrSyntax) != isSyntax {
				t.Errorf("%q: %v", tt.in, err)
			}
		}
	}
}

// TestLimits: what is too large, to the byte.
func TestLimits(t *testing.T) {
	x := func(n int) string { return strings.Repeat("x", n) }
	names := func(n int) string { return strings.Repeat("x,", n-1) + "x" }
	small := redact.Limits{Element: 10, Scalar: 4}
	masked := compile(t, redact.Spec{Rules: rules(t, "$.a hash", "$.b redact")})
	for _, tt := range []struct {
		name, in string
		plan     *redact.Plan
		limits   redact.Limits
		at       int // of the record that is too large, or -1
	}{
		{"record", "a,b\n" + x(8) + ",1\r\n", masked, small, -1},
		{"longer record", "a,b\n1,2\n" + x(9) + ",1\n", masked, small, 8},
		{"longer record and CRLF", "a,b\n1,2\n" + x(9) + ",1\r\n", masked, small, 8},
		{"at the end", "a,b\n1,2\n" + x(9) + ",1", masked, small, 8},
		{"in quotes", "a,b\n1,2\n\"" + x(11), masked, small, 8},
		{"columns that are removed", "a,b\n1,2\n" + x(9) + ",1", compile(t, redact.Spec{Rules: rules(t, "$..* drop")}), small, 8},
		{"default", "a\n" + x(1<<20) + "\n", masked, redact.Limits{}, -1},
		{"more than the default", "a\n" + x(1<<20+1) + "\n", masked, redact.Limits{}, 2},
		{"header", x(64<<10) + "\n", masked, small, -1},
		{"longer header", x(64<<10+1) + "\n", masked, redact.Limits{}, 0},
		{"longer header with a mark", "\ufeff" + x(64<<10+1) + "\n", masked, redact.Limits{}, 3},
		{"columns", names(4096) + "\n", masked, small, -1},
		{"more columns", names(4097) + "\n", masked, redact.Limits{}, 2*4096 - 1},
	} {
		// Not byte by byte, which takes long for what is long.
		_, err := io.ReadAll(NewReader(tt.plan, strings.NewReader(tt.in), tt.limits))
		var at *redact.Error
		switch {
		case tt.at < 0 && err != nil:
			t.Errorf("%s: %v", tt.name, err)
		case tt.at >= 0 && (!errors.As(err, &at) || at.Err != redact.ErrTooLarge || at.Offset != tt.at):
			t.Errorf("%s: %v, want byte %d", tt.name, err, tt.at)
		}
	}
	// The end of the window does not matter.
	for n := range 20 {
		run(t, masked, "a\n1\n"+x(n)+"\r\n", small)
		run(t, masked, "a\n1\n\""+x(n), small)
		run(t, masked, "a\n1\n"+x(n)+"\r", small)
	}
}

// TestScalar: what is longer than actions and conditions work on.
func TestScalar(t *testing.T) {
	for _, tt := range []struct {
		action, in string
		redacted   bool
	}{
		{"partial", "123456789012", false},
		{"partial", "1234567890123", true},
		{"hash", `"123456789"",1"`, false},
		{"hash", "1234567890123", true},
		{"tokenize", "1234567890123", true},
		{"generalize", "2024-05-17 1", false},
		{"generalize", "2024-05-17 12", true},
		{"generalize", "1234567890123", true},
	} {
		plan := compile(t, redact.Spec{Rules: rules(t, "$.a "+tt.action)})
		got, _, err := run(t, plan, "a\n"+tt.in+"\n", redact.Limits{Scalar: 12})
		if (got == "a\n***\n") != tt.redacted || err != nil {
			t.Errorf("%s of %s: %q, %v", tt.action, tt.in, got, err)
		}
	}
	for _, c := range []redact.Cond{
		{Field: "a", Op: "ne", Value: "x"},
		{Field: "a", Op: "exists"},
		{Not: &redact.Cond{Field: "a", Op: "eq", Value: "x"}},
	} {
		plan := compile(t, redact.Spec{Rows: []redact.RowFilter{{Path: "$", Where: []redact.Cond{c}}}})
		got, _, err := run(t, plan, "a\n1234\n12345\n", redact.Limits{Scalar: 4})
		if got != "a\n1234\n" || err != nil {
			t.Errorf("%+v: %q, %v", c, got, err)
		}
	}
}

// TestNoValues: errors hold nothing of the text.
func TestNoValues(t *testing.T) {
	for _, in := range []string{"planted@x\n", "planted;a\n", "a\nplanted\"\n", "a\n\"planted\n", "a\nplanted,1\n", "a\nplanted\x00\n", "a\nplanted\xff\n", "a,b\nplanted\n"} {
		_, _, err := run(t, compile(t, redact.Spec{}), in, redact.Limits{})
		if err == nil || bytes.Contains([]byte(err.Error()), []byte("planted")) {
			t.Errorf("%q: %v", in, err)
		}
	}
}
