package sanitize_test

import (
	"net/http"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/gatehouse-dev/gatehouse/config"
	"github.com/gatehouse-dev/gatehouse/middleware"
	"github.com/gatehouse-dev/gatehouse/middleware/middlewaretest"
)

type fields = map[string]config.SanitizeField

// What is outside of the body is judged in its decoded form, and forwarded as it
// came or not at all.
func TestOutsideOfTheBody(t *testing.T) {
	rejecting := config.Sanitize{Query: "reject", Headers: []string{"X-Note"}, SQLInjection: "off"}
	sql := config.Sanitize{Query: "report", Headers: []string{"x-note"}, SQLInjection: "reject"}
	for name, tt := range map[string]struct {
		config       config.Sanitize
		query, note  string
		code, detail string
		notes        []middleware.Note
	}{
		"not asked for":         {config: config.Sanitize{HTML: "reject", SQLInjection: "reject"}, query: "q=%3Cscript%3E&id=1'+or+1=1--", note: "<script>"},
		"ordinary":              {config: rejecting, query: "q=AT%26T+5+%3C+6&&n=O'Brien&%E2%9C%93", note: "Siobhán O'Brien <3"},
		"value":                 {config: rejecting, query: "page=1&q=%3Cscript%3E", code: "input_rejected", detail: "the field query:q holds markup", notes: notes("sanitize_reject", "query:q")},
		"plus and semicolon":    {config: rejecting, query: "q=1;%3Cb+x", code: "input_rejected", detail: "the field query:q holds markup", notes: notes("sanitize_reject", "query:q")},
		"name":                  {config: rejecting, query: "%3Cb%3E=1", code: "input_rejected", detail: "a name in the query holds markup", notes: notes("sanitize_reject", "query")},
		"second of a name":      {config: rejecting, query: "q=a&q=%3Cb", code: "input_rejected", detail: "the field query:q holds markup", notes: notes("sanitize_reject", "query:q")},
		"header":                {config: rejecting, note: "<img src=x>", code: "input_rejected", detail: "the field header:x-note holds markup", notes: notes("sanitize_reject", "header:x-note")},
		"header not UTF-8":      {config: rejecting, note: "\xc0\xbcb>", code: "header_invalid", detail: "header:x-note is not UTF-8"},
		"query not UTF-8":       {config: rejecting, query: "q=%C0%BCb", code: "path_invalid", detail: "the query is not well-formed"},
		"broken escape":         {config: rejecting, query: "q=%3", code: "path_invalid", detail: "the query is not well-formed"},
		"reported":              {config: sql, query: "q=%3Cb%3E&%3Ci=1", notes: notes("sanitize_report", "query:q", "query")},
		"SQL in the query":      {config: sql, query: "id=1'+OR+'1'='1", code: "input_rejected", detail: "the field query:id looks like an SQL injection", notes: notes("sanitize_sql_injection", "query:id")},
		"SQL in a name":         {config: sql, query: "1+UNION+SELECT+1=x", code: "input_rejected", detail: "a name in the query looks like an SQL injection", notes: notes("sanitize_sql_injection", "query")},
		"SQL in a header":       {config: sql, note: "1 UNION SELECT 1,2", code: "input_rejected", detail: "the field header:x-note looks like an SQL injection", notes: notes("sanitize_sql_injection", "header:x-note")},
		"strip refuses":         {config: config.Sanitize{HTML: "strip", Headers: []string{"x-note"}}, note: "<b>x</b>", code: "input_rejected", detail: "the field header:x-note holds markup", notes: notes("sanitize_reject", "header:x-note")},
		"html off, header too":  {config: config.Sanitize{HTML: "off", Headers: []string{"x-note"}}, note: "<b>x</b>"},
		"off for one parameter": {config: config.Sanitize{Query: "reject", Fields: fields{"query:q": {HTML: "off", SQLInjection: "off"}}}, query: "q=%3Cb%3E"},
		"only one parameter":    {config: config.Sanitize{Fields: fields{"query:q": {HTML: "reject"}}}, query: "p=%3Cb%3E&q=%3Cb%3E", code: "input_rejected", detail: "the field query:q holds markup", notes: notes("sanitize_reject", "query:q")},
		"only one header":       {config: config.Sanitize{Fields: fields{"header:X-Note": {HTML: "report"}}}, note: "<b>", notes: notes("sanitize_report", "header:x-note")},
	} {
		t.Run(name, func(t *testing.T) {
			up := middlewaretest.NewUpstream(t, http.StatusOK, "", "")
			x := middlewaretest.Exchange(t, "GET", "http://api.example.com/x", nil)
			x.Request.URL.RawQuery = tt.query
			if tt.note != "" {
				x.Request.Header["X-Note"] = []string{"first", tt.note}
			}
			_, _, err := middlewaretest.Run(t, stage(t, tt.config), x, up.Handle)
			got := result{Code: middlewaretest.Code(err), Notes: x.Notes()}
			if r, ok := err.(*middleware.Refusal); ok {
				got.Detail = r.Detail
			}
			if d := cmp.Diff(result{Code: tt.code, Detail: tt.detail, Notes: tt.notes}, got); d != "" {
				t.Error(d)
			}
			if (up.Calls.Load() == 0) != (tt.code != "") {
				t.Errorf("%d requests were sent upstream", up.Calls.Load())
			}
			if x.Request.URL.RawQuery != tt.query || tt.note != "" && x.Request.Header["X-Note"][1] != tt.note {
				t.Error("something was changed")
			}
		})
	}
}
