package edge

import (
	"net/url"
	"strings"
	"testing"
	"unicode/utf8"
)

func TestQuery(t *testing.T) {
	for q, ok := range map[string]bool{
		"": true, "a=1&b=2": true, "a=%20": true, "a": true, "=": true, "=1": true, "&&": true, "a==b": true, "a[]=1&a[b]=2": true, "a=b?c/d": true, "a=1%26b": true, "a=%3b": true,
		"q=caf%C3%A9": true, "q=café": true, "a=%0D%0A%09": true, "a=1+2": true, "a={\"b\":[1]}|^`": true, "a=%EF%BF%BD": true,
		strings.Repeat("a&", 998) + "a": true, strings.Repeat("a&", 999) + "a": true, strings.Repeat("a&", 1000) + "a": false, strings.Repeat("&", 1000): false,
		"a=%zz": false, "a=%": false, "a=%4": false, "a=%u0041": false, "%": false, "a=1;b=2": false, ";": false,
		"a=\x01": false, "a=\x7f": false, "a= b": false, "a=\r\nb": false, "a=1#b": false, "a=%00": false, "%00": false,
		"a=%ff": false, "a=\xff": false, "a=%c0%af": false, "a=%c3": false, "a=%c3&b=%a9": false, "a=%c3\xa9": true,
	} {
		if err := checkQuery(q); (err == nil) != ok {
			t.Errorf("%.20q: %v", q, err)
		}
	}
}

// FuzzQuery holds that what is let in can be shown to a policy as it is: it
// parses, all of it is text, and programs that split it in other ways find the
// same.
func FuzzQuery(f *testing.F) {
	for _, s := range []string{"", "a=1&b=%20", "a=%c3%a9", "a=%c3&b=%a9", "a;b", "%", "a=%zz", "a=%00", "&&=", "a=%26b", "a\u0085"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, raw string) {
		if checkQuery(raw) != nil {
			return
		}
		judged, err := url.ParseQuery(raw)
		if err != nil {
			t.Fatalf("%q does not parse: %v", raw, err)
		}
		n := 0
		for name, values := range judged {
			for _, v := range append(values, name) {
				if !utf8.ValidString(v) || strings.ContainsRune(v, 0) {
					t.Errorf("%q holds %q", raw, v)
				}
			}
			n += len(values)
		}
		if n > maxParameters {
			t.Errorf("%d parameters", n)
		}
		// As many servers split: at & and at ; both, then at the first =.
		other := url.Values{}
		for part := range strings.FieldsFuncSeq(raw, func(r rune) bool { return r == '&' || r == ';' }) {
			name, value, _ := strings.Cut(part, "=")
			name, err1 := url.QueryUnescape(name)
			value, err2 := url.QueryUnescape(value)
			if err1 != nil || err2 != nil {
				t.Errorf("%q: %v %v", raw, err1, err2)
			}
			other.Add(name, value)
		}
		if other.Encode() != judged.Encode() {
			t.Errorf("%q is judged as %q and may be read as %q", raw, judged.Encode(), other.Encode())
		}
		u, err := url.ParseRequestURI("/?" + raw)
		if err != nil || u.RawQuery != raw || u.Path != "/" {
			t.Errorf("%q is read as %+v, %v", raw, u, err)
		}
	})
}
