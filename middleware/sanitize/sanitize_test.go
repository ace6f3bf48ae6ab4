package sanitize_test

import (
	"errors"
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/gatehouse-dev/gatehouse/config"
	"github.com/gatehouse-dev/gatehouse/middleware"
	"github.com/gatehouse-dev/gatehouse/middleware/middlewaretest"
	"github.com/gatehouse-dev/gatehouse/middleware/sanitize"
)

func stage(t testing.TB, c config.Sanitize) middleware.Stage {
	t.Helper()
	s, err := sanitize.New(&c)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// result is what a request led to.
type result struct {
	Code, Detail, Got string
	Notes             []middleware.Note
}

// send passes a request through the stage to an upstream.
func send(t testing.TB, s middleware.Stage, mediaType, body string, opts ...func(*middleware.Exchange)) result {
	t.Helper()
	up := middlewaretest.NewUpstream(t, http.StatusOK, "", "")
	if mediaType != "" {
		opts = append([]func(*middleware.Exchange){middlewaretest.Header("Content-Type", mediaType)}, opts...)
	}
	x := middlewaretest.Exchange(t, "POST", "http://api.example.com/x", strings.NewReader(body), opts...)
	_, _, err := middlewaretest.Run(t, s, x, up.Handle)
	r := result{Code: middlewaretest.Code(err), Got: up.Got, Notes: x.Notes()}
	var refusal *middleware.Refusal
	if errors.As(err, &refusal) {
		r.Detail = refusal.Detail
		if up.Calls.Load() != 0 {
			t.Error("refused and sent upstream")
		}
	} else if err != nil {
		t.Error(err)
	} else if x.Request.ContentLength != int64(len(up.Got)) {
		t.Errorf("Content-Length is %d for %d bytes", x.Request.ContentLength, len(up.Got))
	}
	return r
}

func notes(key string, pointers ...string) []middleware.Note {
	return []middleware.Note{{Key: key, Value: pointers}}
}

func TestModes(t *testing.T) {
	const js = "application/json"
	const marked, sql = `{"bio":"<b>x</b>"}`, `{"q":"1' OR '1'='1' --"}`
	for name, tt := range map[string]struct {
		config    config.Sanitize
		media, in string
		want      result
	}{
		"strip is the default":   {config.Sanitize{}, js, marked, result{Got: `{"bio":"x"}`, Notes: notes("sanitize_strip", "/bio")}},
		"off":                    {config.Sanitize{HTML: "off"}, js, marked, result{Got: marked}},
		"report":                 {config.Sanitize{HTML: "report"}, js, marked, result{Got: marked, Notes: notes("sanitize_report", "/bio")}},
		"reject":                 {config.Sanitize{HTML: "reject"}, js, marked, result{Code: "input_rejected", Detail: "the field /bio holds markup", Notes: notes("sanitize_reject", "/bio")}},
		"ugc":                    {config.Sanitize{HTML: "ugc"}, js, `{"bio":"<b>x</b><script>"}`, result{Got: marked, Notes: notes("sanitize_ugc", "/bio")}},
		"formatting":             {config.Sanitize{HTML: "formatting"}, js, `{"bio":"<p class=x>a <a href=https://a.example>b</a> & <b>c</b><img src=x></p>"}`, result{Got: `{"bio":"<p>a b &amp; <b>c</b></p>"}`, Notes: notes("sanitize_formatting", "/bio")}},
		"ugc with nothing to do": {config.Sanitize{HTML: "ugc"}, js, marked, result{Got: marked}},
		"sql is reported":        {config.Sanitize{}, js, sql, result{Got: sql, Notes: notes("sanitize_sql_injection", "/q")}},
		"sql off":                {config.Sanitize{SQLInjection: "off"}, js, sql, result{Got: sql}},
		"sql rejected":           {config.Sanitize{SQLInjection: "reject"}, js, sql, result{Code: "input_rejected", Detail: "the field /q looks like an SQL injection", Notes: notes("sanitize_sql_injection", "/q")}},
		"problem in form":        {config.Sanitize{HTML: "reject"}, "application/x-www-form-urlencoded", "a=1&b=%3Cp%3E", result{Code: "input_rejected", Detail: "the field /b holds markup", Notes: notes("sanitize_reject", "/b")}},
		"suffix":                 {config.Sanitize{}, "application/merge-patch+json; charset=UTF-8", marked, result{Got: `{"bio":"x"}`, Notes: notes("sanitize_strip", "/bio")}},
		"malformed":              {config.Sanitize{}, js, `{"a":NaN}`, result{Code: "body_malformed", Detail: "malformed body: a value is expected at byte 5"}},
		"no colon":               {config.Sanitize{}, js, `{"a"=1}`, result{Code: "body_malformed", Detail: "malformed body: a colon is expected at byte 4"}},
		"malformed though off":   {config.Sanitize{HTML: "off", SQLInjection: "off"}, js, `{"a":1,"a":2}`, result{Code: "body_malformed", Detail: "malformed body: the name of a member is repeated at byte 10"}},
		"whole document":         {config.Sanitize{HTML: "reject"}, js, `"<b>"`, result{Code: "input_rejected", Detail: "the field / holds markup", Notes: notes("sanitize_reject", "/")}},
		"plain text":             {config.Sanitize{MediaTypes: []string{"text/plain"}}, "text/plain", "<b>x", result{Got: "x", Notes: notes("sanitize_strip", "/")}},
		"emptied":                {config.Sanitize{MediaTypes: []string{"text/*"}}, "text/plain", "<b>", result{Notes: notes("sanitize_strip", "/")}},
		"unread":                 {config.Sanitize{MediaTypes: []string{"application/pdf"}}, "application/pdf", "%PDF <b>", result{Got: "%PDF <b>", Notes: []middleware.Note{{Key: "sanitize_unread", Value: "application/pdf"}}}},
	} {
		t.Run(name, func(t *testing.T) {
			if d := cmp.Diff(tt.want, send(t, stage(t, tt.config), tt.media, tt.in)); d != "" {
				t.Error(d)
			}
		})
	}
}

func TestMediaTypes(t *testing.T) {
	const ok, no = "", "media_type_unsupported"
	for media, want := range map[string]string{
		"application/json":                     ok,
		"Application/JSON;charset=utf-8":       ok,
		`application/json; charset="US-ASCII"`: ok,
		"application/vnd.api+json; profile=x":  ok,
		"":                                     no,
		"json":                                 no,
		"text/plain":                           no,
		"text/html":                            no,
		"application/xml":                      no,
		"application/jsonx":                    no,
		"application/json; charset=utf-7":      no,
		"application/json; charset=utf-16":     no,
		"application/json; charset=utf-8; charset=x":    no,
		"application/json; charset*0=utf-; charset*1=7": no,
		"application/json, text/html":                   no,
		"application/json;;;=":                          no,
		"multipart/mixed; boundary=b":                   no,
	} {
		if r := send(t, stage(t, config.Sanitize{}), media, "{}"); r.Code != want {
			t.Errorf("%q: %q, want %q", media, r.Code, want)
		}
	}
	twice := func(x *middleware.Exchange) { x.Request.Header.Add("Content-Type", "application/json") }
	if r := send(t, stage(t, config.Sanitize{}), "application/json", "{}", twice); r.Code != no {
		t.Errorf("two types: %q", r.Code)
	}
	for coding, want := range map[string]string{"gzip": no, "identity, gzip": no, "br": no, "Identity": ok} {
		r := send(t, stage(t, config.Sanitize{}), "application/json", "{}", middlewaretest.Header("Content-Encoding", coding))
		if r.Code != want {
			t.Errorf("Content-Encoding %s: %q, want %q", coding, r.Code, want)
		}
	}
}

func TestNoBodyNoType(t *testing.T) {
	if r := send(t, stage(t, config.Sanitize{}), "", ""); r.Code != "" {
		t.Errorf("no body: %+v", r)
	}
	unknown := func(x *middleware.Exchange) { x.Request.ContentLength = -1 }
	if r := send(t, stage(t, config.Sanitize{}), "", "", unknown, func(x *middleware.Exchange) {
		x.Request.Body = http.MaxBytesReader(nil, http.NoBody, 1)
	}); r.Code != "" {
		t.Errorf("a chunked body of nothing: %+v", r)
	}
	if r := send(t, stage(t, config.Sanitize{}), "", "{}", unknown); r.Code != "media_type_unsupported" {
		t.Errorf("a chunked body without a type: %+v", r)
	}
}

// Records of a personnel system, as clients of all kinds write them.
func TestProseStays(t *testing.T) {
	for _, doc := range []string{
		`{"name":"Siobhán O'Brien","employer":"AT&T","unit":"R&D","note":"5 < 6, I <3 it","greeting":"Ẹ káàárọ̀ 👋🏾"}`,
		`{ "salary" : 1234567890123456789.10, "rate":1E2,"tags":[ "a < b", "x && y" ], "u":"\u00e9\ud83d\ude00\/" }` + "\n",
		`{"review":"Please select from the union of the two lists; drop me a line -- thanks","p":"a'b\"c"}`,
	} {
		r := send(t, stage(t, config.Sanitize{HTML: "reject"}), "application/json", doc)
		if r.Code != "" || r.Got != doc || len(r.Notes) > 0 {
			t.Errorf("%s: %+v", doc, r)
		}
	}
}

func TestNew(t *testing.T) {
	if s, err := sanitize.New(nil); s != nil || err != nil {
		t.Errorf("not configured: %v, %v", s, err)
	}
	s := stage(t, config.Sanitize{Fields: map[string]config.SanitizeField{"/bio": {HTML: "ugc"}}})
	if got := s.(middleware.Describer).Describe(); s.Name() != "sanitize" || got != "html strip, sql_injection report, 1 fields" {
		t.Errorf("%s: %s", s.Name(), got)
	}
	s = stage(t, config.Sanitize{Query: "report", Headers: []string{"x-note"}})
	if got := s.(middleware.Describer).Describe(); got != "html strip, sql_injection report, 0 fields, query report, 1 headers" {
		t.Error(got)
	}
	for want, c := range map[string]config.Sanitize{
		`sanitize: query is "strip", which is none of off, report, reject`:                                                            {Query: "strip"},
		`sanitize: field "query:q": html is "strip", and what is outside of the body is not changed: it is off, report or reject`:     {Fields: fields{"query:q": {HTML: "strip"}}},
		`sanitize: field "header:x-note": html is "ugc", and what is outside of the body is not changed: it is off, report or reject`: {Fields: fields{"header:x-note": {HTML: "ugc"}}},
		`sanitize: html is "stripp", which is none of off, report, strip, reject, formatting, ugc`:                                    {HTML: "stripp"},
		`sanitize: sql_injection is "strip", which is none of off, report, reject`:                                                    {SQLInjection: "strip"},
		`sanitize: field "bio": a JSON pointer starts with /`:                                                                         {Fields: map[string]config.SanitizeField{"bio": {}}},
		`sanitize: field "/a~b": ~ in a JSON pointer is written ~0`:                                                                   {Fields: map[string]config.SanitizeField{"/a~b": {}}},
		`sanitize: field "/a": html is "x", which is none of off, report, strip, reject, formatting, ugc`:                             {Fields: map[string]config.SanitizeField{"/a": {HTML: "x"}}},
		`sanitize: "json" is not a media type; write it like application/json or application/*+json`:                                  {MediaTypes: []string{"json"}},
		`sanitize: "text/[" is not a media type; write it like application/json or application/*+json`:                                {MediaTypes: []string{"text/["}},
	} {
		if _, err := sanitize.New(&c); err == nil || err.Error() != want {
			t.Errorf("%v, want %s", err, want)
		}
	}
}

func BenchmarkJSON(b *testing.B) {
	for _, sql := range []string{"report", "off"} {
		b.Run("sql_"+sql, func(b *testing.B) { benchmarkJSON(b, config.Sanitize{SQLInjection: sql}) })
	}
}

func benchmarkJSON(b *testing.B, c config.Sanitize) {
	s := stage(b, c)
	doc := `[` + strings.Repeat(`{"id":7,"name":"Adébáyọ̀ O'Brien","unit":"R&D","bio":"a longer text of some forty characters"},`, 99) + `{}]`
	b.SetBytes(int64(len(doc)))
	b.ReportAllocs()
	for b.Loop() {
		if r := send(b, s, "application/json", doc); r.Code != "" {
			b.Fatal(r.Code)
		}
	}
}
