package gateway

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/gatehouse-dev/gatehouse/config"
)

// What is counted, at the bound and one past it.
func TestCrowded(t *testing.T) {
	for _, tt := range []struct {
		name            string
		h               http.Header
		fields, cookies int
	}{
		{"nothing", http.Header{}, 0, 0},
		{"each value", http.Header{"A": {"1", "2"}, "B": {"x, y"}}, 3, 0},
		{"cookies of all fields", http.Header{"Cookie": {"a=1; b=2", "c=3"}}, 2, 3},
		{"a semicolon at the end", http.Header{"Cookie": {"a=1; b=2; "}}, 1, 2},
		{"empty pairs", http.Header{"Cookie": {";;;;;"}}, 1, 5},
		{"no cookie", http.Header{"Cookie": {"", " \t"}}, 2, 0},
		{"quoted", http.Header{"Cookie": {`a="1;2"`}}, 1, 2},
	} {
		for _, less := range []struct{ fields, cookies int }{{0, 0}, {1, 0}, {0, 1}} {
			l := config.Limits{HeaderFields: tt.fields - less.fields, Cookies: tt.cookies - less.cookies}
			refused := crowded(tt.h, l) != nil
			if want := less.fields+less.cookies > 0; refused != want {
				t.Errorf("%s, with %d fields and %d cookies: refused %v", tt.name, l.HeaderFields, l.Cookies, refused)
			}
		}
	}
}

// Too many fields or cookies are a refusal as any other: with its code, on
// record, and with nothing sent to the backend. A browser that splits its cookies
// over HTTP/2 sends no more of them than over HTTP/1.1.
func TestCrowdedHeads(t *testing.T) {
	for _, p := range []proto{plainH1, tlsH1, tlsH2} {
		t.Run(string(p), func(t *testing.T) {
			w := open(t)
			hr := &witness{}
			w.backend("HR", hr.ServeHTTP)
			w.start("limits: {header_fields: 30, cookies: 40}\n"+plain, "")
			many := func(n int, name, value string) (out [][2]string) {
				for i := range n {
					out = append(out, [2]string{strings.ReplaceAll(name, "N", fmt.Sprint(i)), value})
				}
				return out
			}
			jar := strings.Repeat("a=b; ", 39) + "a=b"
			for _, tt := range []struct {
				name    string
				headers [][2]string
				code    string
			}{
				{"thirty fields", many(30, "X-N", "1"), ""},
				{"one more", many(31, "X-N", "1"), "431 header_too_large"},
				{"all of one name", many(31, "X-A", "1"), "431 header_too_large"},
				{"forty cookies", [][2]string{{"Cookie", jar}}, ""},
				{"one more cookie", [][2]string{{"Cookie", jar + "; c=d"}}, "431 header_too_large"},
				{"cookies in fields", many(20, "Cookie", "a=b; c=d; e=f"), "431 header_too_large"},
			} {
				before := len(hr.requests())
				o := w.ask(p, raw{target: "/plain/1", headers: tt.headers})
				if got := strings.TrimPrefix(o.String(), "200 "); got != tt.code {
					t.Errorf("%s: %v, want %q", tt.name, o, tt.code)
				}
				if reached := len(hr.requests()) > before; reached != (tt.code == "") {
					t.Errorf("%s: the backend was asked: %v", tt.name, reached)
				}
			}
			if p == tlsH2 {
				if o := w.ask(p, raw{target: "/plain/1", headers: many(40, "Cookie", "a=b")}); o.status != 200 {
					t.Errorf("forty cookies, each a field: %v", o)
				}
				return
			}
			refusals := 0
			for _, e := range w.exchanges(6) {
				if e["code"] == "header_too_large" && e["status"] == 431.0 {
					refusals++
				}
			}
			if refusals != 4 {
				t.Errorf("%d refusals are on record", refusals)
			}
		})
	}
}
