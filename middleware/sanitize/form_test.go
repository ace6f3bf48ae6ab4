package sanitize

import (
	"bytes"
	"errors"
	"net/url"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/gatehouse-dev/gatehouse/config"
)

func TestFormRewrite(t *testing.T) {
	for name, tt := range map[string]struct{ in, want string }{
		"order and bytes": {"b=%41+x&a=<b>1</b>&c=~%7e", "b=%41+x&a=1&c=~%7e"},
		"decoded":         {"a=%3Cscript%3Ealert(1)%3C/script%3EAda", "a=Ada"},
		"repeated":        {"a=%3Cb%3Ex&a=y&a=%3Ci%3Ez", "a=x&a=y&a=z"},
		"empty pairs":     {"&&a=1&&", "&&a=1&&"},
		"no value":        {"a&b=&=c", "a&b=&=c"},
		"semicolon":       {"a=1;b=%3Cb%3E2", "a=1%3Bb%3D2"},
		"reencoded":       {"a=%3Cb%3EAT%26T+100%25", "a=AT%26T+100%25"},
		"emptied":         {"a=%3Cb%3E&c=d", "a=&c=d"},
		"equals in value": {"a=b=c", "a=b=c"},
	} {
		got, err := rewriteForm([]byte(tt.in), newJudge(t, config.Sanitize{}))
		if err != nil || string(got) != tt.want {
			t.Errorf("%s: %s, %v; want %s", name, got, err, tt.want)
		}
	}
}

func TestFormRefused(t *testing.T) {
	for _, in := range []string{"a=%", "a=%4", "a=%zz", "%=1", "a=%ff", "a=%c0%bcb%3e", "a=\xff", "b=1&%C3=2"} {
		if _, err := rewriteForm([]byte(in), &seen{}); !errors.Is(err, errMalformed) {
			t.Errorf("%s: %v", in, err)
		}
	}
	var no *refused
	if _, err := rewriteForm([]byte("%3Cb%3E=1"), newJudge(t, config.Sanitize{})); !errors.As(err, &no) {
		t.Errorf("a name with markup: %v", err)
	}
}

func TestFormFields(t *testing.T) {
	j := newJudge(t, config.Sanitize{Fields: map[string]config.SanitizeField{"/a~1b": {HTML: off}, "/q": {SQLInjection: off}}})
	in := "a/b=<b>&q=1'+or+1=1--&r=1'+or+1=1--"
	got, err := rewriteForm([]byte(in), j)
	if err != nil || string(got) != in {
		t.Errorf("%s, %v", got, err)
	}
	if d := cmp.Diff(map[string][]string{"sanitize_sql_injection": {"/r"}}, j.found); d != "" {
		t.Error(d)
	}
}

func TestOrdinaryFormsStay(t *testing.T) {
	for _, s := range ordinary() {
		doc := []byte("x=1&name=" + url.QueryEscape(s) + "&y=%32")
		got, err := rewriteForm(doc, newJudge(t, config.Sanitize{}))
		if err != nil || !bytes.Equal(got, doc) {
			t.Errorf("%s became %s, %v", doc, got, err)
		}
	}
}

func FuzzForm(f *testing.F) {
	for _, s := range []string{"a=b&c=d", "a=%3Cb%3E&&=", "a+b=%41", "%", "a=<script>&b"} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, doc []byte) {
		var v seen
		same, err := rewriteForm(doc, &v)
		if err != nil {
			return
		}
		if !bytes.Equal(same, doc) {
			t.Fatalf("%q became %q", doc, same)
		}
		if want, err := url.ParseQuery(string(doc)); err == nil {
			n := 0
			for _, values := range want {
				n += len(values)
			}
			if n > len(v.texts) {
				t.Fatalf("%q has %d values, seen were %q", doc, n, v.texts)
			}
		}
		j := newJudge(t, config.Sanitize{SQLInjection: off})
		out, err := rewriteForm(doc, j)
		if err != nil || j.found["sanitize_report"] != nil {
			return // a name with markup, or a password
		}
		again, err := rewriteForm(out, newJudge(t, config.Sanitize{HTML: reject, SQLInjection: off}))
		if err != nil || !bytes.Equal(again, out) {
			t.Fatalf("%q became %q, which is not clean: %v", doc, out, err)
		}
	})
}
