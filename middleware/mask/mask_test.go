package mask

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/gatehouse-dev/gatehouse/config"
	"github.com/gatehouse-dev/gatehouse/middleware"
	"github.com/gatehouse-dev/gatehouse/middleware/mask/redact"
	"github.com/gatehouse-dev/gatehouse/middleware/middlewaretest"
	"github.com/gatehouse-dev/gatehouse/policies"
)

// decision masks $..ssn and filters $.items[*] by the caller's branches.
func decision() *policies.Decision {
	return &policies.Decision{
		Allow: true,
		Mask:  []policies.Mask{{Path: "$..ssn", Action: policies.ActionRedact, Class: "pii"}},
	}
}

func byBranch() *policies.Decision {
	d := decision()
	d.Rows = []policies.Row{{Path: "$.items[*]", Where: []policies.Condition{
		{Field: "branch", Op: "in", Input: "subject.branches"},
	}}}
	return d
}

func byTenant() *policies.Decision {
	d := decision()
	d.Rows = []policies.Row{{Path: "$", Where: []policies.Condition{
		{Field: "tenant", Op: "eq", Input: "subject.tenant"},
	}}}
	return d
}

// newStage makes a stage that streams, or, with a limit, one that holds answers
// whole.
func newStage(t testing.TB, limit config.Size) middleware.Stage {
	t.Helper()
	keys := map[string]config.Secret{"k1": config.Secret(strings.Repeat("s", 32))}
	m := config.Mask{Max: limit}
	if limit > 0 {
		m.Buffer = "full"
	}
	s, err := New(config.Masking{Keys: keys}, &config.Route{Mask: m})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func exchange(t testing.TB, d *policies.Decision, opts ...func(*middleware.Exchange)) *middleware.Exchange {
	return middlewaretest.Exchange(t, "GET", "https://api.example.com/x", nil, append([]func(*middleware.Exchange){
		func(x *middleware.Exchange) {
			x.Decision = d
			x.Subject = &policies.Subject{ID: "u7", Tenant: "t1", Branches: []string{"lagos", "abuja"}}
			x.Input = &policies.Input{Subject: x.Subject}
		},
	}, opts...)...)
}

func gzipped(t testing.TB, s string) string {
	t.Helper()
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	if _, err := io.WriteString(z, s); err != nil {
		t.Fatal(err)
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

const (
	jsonType = "application/json"
	body     = `{"ssn":"123-45-6789","n":1}`
	masked   = `{"ssn":"***","n":1}`
)

// TestAnswers has a line for every kind of answer an upstream may give under a
// plan.
func TestAnswers(t *testing.T) {
	list := `{"items":[{"branch":"lagos","ssn":1},{"branch":"kano","ssn":2},{"ssn":3}]}`
	big := `{"n":"` + strings.Repeat("x", 2000) + `"}`
	tests := []struct {
		name     string
		decision *policies.Decision
		method   string
		status   int
		typ      string
		header   http.Header
		body     string
		want     string
		code     middleware.Code
	}{
		{name: "json", typ: jsonType, body: body, want: masked},
		{name: "json with parameters", typ: `application/json; profile="a;b"; charset=UTF-8`, body: body, want: masked},
		{name: "text/json", typ: "text/json", body: body, want: masked},
		{name: "+json", typ: "application/vnd.api+json", body: body, want: masked},
		{name: "problem", status: 400, typ: "application/problem+json", body: body, want: masked},
		{name: "ndjson", typ: "application/x-ndjson", body: body + "\n" + body + "\n", want: masked + "\n" + masked + "\n"},
		{name: "jsonl", typ: "application/jsonl", body: body, want: masked},
		{name: "charset", typ: "application/json; charset=utf-7", body: body, code: middleware.ResponseUnmaskable},
		{name: "no type", body: body, code: middleware.ResponseUnmaskable},
		{name: "two types", typ: jsonType, header: http.Header{"Content-Type": {jsonType, jsonType}}, body: body, code: middleware.ResponseUnmaskable},
		{name: "bad type", typ: "application/json; charset", body: body, code: middleware.ResponseUnmaskable},
		{name: "html", typ: "text/html", body: body, code: middleware.ResponseUnmaskable},
		{name: "only +json", typ: "application/+json", body: body, code: middleware.ResponseUnmaskable},
		{name: "events", typ: "text/event-stream", body: "data: " + body + "\n\n", want: "data: " + masked + "\n\n"},
		{name: "csv", typ: "text/csv", body: "ssn,n\n1,2\n", want: "ssn,n\n***,2\n"},
		{name: "csv without a header", typ: "text/csv; header=absent", body: "ssn,n\n1,2\n", code: middleware.ResponseUnmaskable},
		{name: "csv in another charset", typ: "text/csv; charset=windows-1252", body: "ssn,n\n1,2\n", code: middleware.ResponseUnmaskable},
		{name: "jsonp", typ: "application/javascript", body: "cb({})", code: middleware.ResponseUnmaskable},
		{name: "grpc", typ: "application/grpc", body: "\x00", code: middleware.ResponseUnmaskable},

		{name: "bad json", typ: jsonType, body: `{"ssn":NaN}`, code: middleware.ResponseUnmaskable},
		{name: "guard prefix", typ: jsonType, body: ")]}'\n" + body, code: middleware.ResponseUnmaskable},
		{name: "truncated json", typ: jsonType, body: body[:20], code: middleware.ResponseUnmaskable},
		{name: "trailing", typ: jsonType, body: body + body, code: middleware.ResponseUnmaskable},
		{name: "utf-16", typ: jsonType, body: "\xff\xfe{\x00}\x00", code: middleware.ResponseUnmaskable},
		{name: "bad utf-8", typ: jsonType, body: "\"\xc0\xaf\"", code: middleware.ResponseUnmaskable},
		{name: "bom", typ: jsonType, body: "\ufeff" + body, want: masked},
		{name: "too large", typ: jsonType, body: big, code: middleware.ResponseUnmaskable},

		{name: "identity", typ: jsonType, header: http.Header{"Content-Encoding": {"identity"}}, body: body, want: masked},
		{name: "gzip", typ: jsonType, header: http.Header{"Content-Encoding": {"GZIP"}}, body: gzipped(t, body), want: masked},
		{name: "gzip too large", typ: jsonType, header: http.Header{"Content-Encoding": {"gzip"}}, body: gzipped(t, big), code: middleware.ResponseUnmaskable},
		{name: "gzip that is none", typ: jsonType, header: http.Header{"Content-Encoding": {"gzip"}}, body: body, code: middleware.ResponseUnmaskable},
		{name: "gzip cut", typ: jsonType, header: http.Header{"Content-Encoding": {"gzip"}}, body: gzipped(t, body)[:30], code: middleware.ResponseUnmaskable},
		{name: "brotli", typ: jsonType, header: http.Header{"Content-Encoding": {"br"}}, body: body, code: middleware.ResponseUnmaskable},
		{name: "stacked", typ: jsonType, header: http.Header{"Content-Encoding": {"gzip", "identity"}}, body: gzipped(t, body), code: middleware.ResponseUnmaskable},

		{name: "101", status: 101, code: middleware.ResponseUnmaskable},
		{name: "204", status: 204, want: ""},
		{name: "205 with a body", status: 205, typ: "text/html", body: "secret", want: ""},
		{name: "206", status: 206, typ: jsonType, body: body, code: middleware.ResponseUnmaskable},
		{name: "304", status: 304, code: middleware.ResponseUnmaskable},
		{name: "416", status: 416, typ: jsonType, body: body, code: middleware.ResponseUnmaskable},
		{name: "empty", typ: "text/html", want: ""},
		{name: "redirect", status: 302, typ: "text/html", want: ""},
		{name: "redirect with a page", status: 302, typ: "text/html", body: "<a>", code: middleware.ResponseUnmaskable},
		{name: "head", method: "HEAD", typ: "application/pdf", want: ""},
		{name: "head with a body", method: "HEAD", typ: jsonType, body: body, want: ""},
		{name: "error", status: 422, typ: jsonType, body: body, want: masked},
		{name: "error page", status: 500, typ: "text/html", body: "Traceback ssn=1", code: middleware.ResponseUnmaskable},
		{name: "error text", status: 404, typ: "text/plain", body: "no", code: middleware.ResponseUnmaskable},

		{name: "rows", decision: byBranch(), typ: jsonType, body: list, want: `{"items":[{"branch":"lagos","ssn":"***"}]}`},
		{name: "no rows", decision: byBranch(), typ: jsonType, body: `{"items":[]}`, want: `{"items":[]}`},
		{name: "rows absent", decision: byBranch(), typ: jsonType, body: body, code: middleware.ResponseUnmaskable},
		{name: "rows absent in an error", decision: byBranch(), status: 400, typ: jsonType, body: body, want: masked},
		{name: "rows in an error", decision: byBranch(), status: 400, typ: jsonType, body: list, want: `{"items":[{"branch":"lagos","ssn":"***"}]}`},
		{name: "rows without a body", decision: byBranch(), typ: jsonType, want: ""},
		{name: "own record", decision: byTenant(), typ: jsonType, body: `{"tenant":"t1"}`, want: `{"tenant":"t1"}`},
		{name: "row denied", decision: byTenant(), typ: jsonType, body: `{"tenant":"t2"}`, code: middleware.RowDenied},
		{name: "lines denied", decision: byTenant(), typ: "application/x-ndjson", body: "{\"tenant\":\"t2\"}\n{\"tenant\":\"t1\"}\n", want: "{\"tenant\":\"t1\"}\n"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if tt.decision == nil {
				tt.decision = decision()
			}
			u := middlewaretest.NewUpstream(t, max(tt.status, 100), tt.typ, tt.body)
			if tt.status == 0 {
				u.Status = 200
			}
			for k, v := range tt.header {
				u.Header[k] = v
			}
			const memory = 20 << 20
			x := exchange(t, tt.decision, func(x *middleware.Exchange) {
				x.Memory = middleware.NewBudget(memory)
				if tt.method != "" {
					x.Request.Method = tt.method
				}
			})
			limit := config.Size(0)
			if strings.Contains(tt.name, "too large") {
				limit = 1024
			}
			res, got, err := middlewaretest.Run(t, newStage(t, limit), x, u.Handle)
			if middlewaretest.Code(err) != string(tt.code) || err != nil && tt.code == "" {
				t.Fatalf("got %v, want code %q", err, tt.code)
			}
			if !x.Memory.Take(memory) {
				t.Error("memory was not given back")
			}
			if err != nil {
				return
			}
			if got != tt.want {
				t.Errorf("got  %s\nwant %s", got, tt.want)
			}
			if res.Header.Get("Cache-Control") != "private, no-store" || res.StatusCode != u.Status {
				t.Errorf("status %d, header %v", res.StatusCode, res.Header)
			}
		})
	}
}

func TestWithoutDuty(t *testing.T) {
	u := middlewaretest.NewUpstream(t, 206, "text/html", "<p>")
	x := exchange(t, &policies.Decision{Allow: true, AllFields: true}, middlewaretest.Header("Range", "bytes=0-2"))
	res, got, err := middlewaretest.Run(t, newStage(t, 0), x, u.Handle)
	if err != nil || got != "<p>" || x.Request.Header.Get("Range") == "" || res.Header.Get("Cache-Control") != "" {
		t.Errorf("not passed through: %q, %v", got, err)
	}
}

// No decision is not a decision that demands nothing.
func TestWithoutDecision(t *testing.T) {
	x := exchange(t, nil)
	_, err := newStage(t, 0).Handle(x, func(*middleware.Exchange) (*http.Response, error) {
		t.Error("the upstream was asked")
		return nil, errors.New("asked")
	})
	if middlewaretest.Code(err) != string(middleware.PolicyError) {
		t.Errorf("got %v, want policy_error", err)
	}
}

func TestRequestHeaders(t *testing.T) {
	u := middlewaretest.NewUpstream(t, 200, jsonType, body)
	x := exchange(t, decision())
	for _, h := range []string{"Range", "If-Range", "If-None-Match", "If-Modified-Since", "If-Match", "If-Unmodified-Since", "Te"} {
		x.Request.Header.Set(h, "x")
	}
	x.Request.Header.Set("Accept-Encoding", "br, gzip")
	x.Request.Header["Accept"] = []string{"application/json, text/html;q=0.5"}
	x.Request.Header.Set("X-Other", "stays")
	if _, _, err := middlewaretest.Run(t, newStage(t, 0), x, u.Handle); err != nil {
		t.Fatal(err)
	}
	want := http.Header{"Accept": {jsonType}, "Accept-Encoding": {"identity"}, "X-Other": {"stays"}}
	if diff := cmp.Diff(want, x.Request.Header); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
	s := newStage(t, 0).(*Stage)
	s.passthrough = []string{"image/*"}
	for accept, want := range map[string]string{
		"application/vnd.api+json;q=0.9, application/json": "application/vnd.api+json;q=0.9, application/json",
		"application/x-ndjson":                             "application/x-ndjson",
		"text/csv":                                         "text/csv",
		"text/event-stream":                                "text/event-stream",
		"image/png, image/*;q=0.5":                         "image/png, image/*;q=0.5",
		"*/*":                                              jsonType + ", image/*",
		"image/png, text/html":                             jsonType + ", image/*",
		"application/json,":                                jsonType + ", image/*",
		"":                                                 jsonType + ", image/*",
	} {
		r := &http.Request{Method: http.MethodGet, URL: &url.URL{}, Header: http.Header{"Accept": {accept}}}
		if s.prepare(r); r.Header.Get("Accept") != want {
			t.Errorf("Accept %q became %q, want %q", accept, r.Header.Get("Accept"), want)
		}
	}
}

// A client that guards against a lost update must not lose its guard.
func TestConditionsOnWritingStay(t *testing.T) {
	for _, method := range []string{http.MethodPut, http.MethodPatch, http.MethodDelete, http.MethodPost} {
		h := http.Header{"If-Match": {`"v1"`}, "If-None-Match": {"*"}, "Range": {"bytes=0-1"}}
		newStage(t, 0).(*Stage).prepare(&http.Request{Method: method, URL: &url.URL{}, Header: h})
		if h.Get("If-Match") != `"v1"` || h.Get("If-None-Match") != "*" || h.Get("Range") != "" {
			t.Errorf("%s: %v", method, h)
		}
	}
}

// HEAD must not tell of records that GET denies.
func TestHeadJudgesRows(t *testing.T) {
	rows := []policies.Row{{Path: "$", Where: []policies.Condition{{Field: "tenant", Op: "eq", Value: "t1"}}}}
	for answer, code := range map[string]string{`{"tenant":"t1"}`: "", `{"tenant":"t2"}`: "row_denied", `{"tenant":`: "response_unmaskable"} {
		u := middlewaretest.NewUpstream(t, 200, jsonType, answer)
		x := exchange(t, &policies.Decision{Allow: true, Rows: rows})
		x.Request.Method = http.MethodHead
		asked := ""
		res, got, err := middlewaretest.Run(t, newStage(t, 0), x, func(x *middleware.Exchange) (*http.Response, error) {
			asked = x.Request.Method
			return u.Handle(x)
		})
		if middlewaretest.Code(err) != code || asked != http.MethodGet || x.Request.Method != http.MethodHead {
			t.Errorf("%s: %v, want %q; asked by %s", answer, err, code, asked)
		}
		if err == nil && (got != "" || res.Header.Get("Content-Length") != strconv.Itoa(len(answer))) {
			t.Errorf("%s: body %q, headers %v", answer, got, res.Header)
		}
	}
}

// endless is a body that never ends, and fails when it is read.
type endless struct {
	t      *testing.T
	closed bool
}

func (e *endless) Read([]byte) (int, error) {
	e.t.Error("a stream of events is read for HEAD")
	return 0, io.ErrUnexpectedEOF
}

func (e *endless) Close() error {
	e.closed = true
	return nil
}

func TestHeadDoesNotFollowEvents(t *testing.T) {
	x := exchange(t, byTenant())
	x.Request.Method = http.MethodHead
	feed := &endless{t: t}
	res, got, err := middlewaretest.Run(t, newStage(t, 0), x, func(*middleware.Exchange) (*http.Response, error) {
		return &http.Response{StatusCode: 200, Header: http.Header{"Content-Type": {"text/event-stream"}}, Body: feed, ContentLength: -1}, nil
	})
	if err != nil || got != "" || !feed.closed {
		t.Errorf("%q, %v, closed: %v", got, err, feed.closed)
	}
	if err == nil && (res.ContentLength != -1 || res.Header.Get("Content-Length") != "") {
		t.Errorf("an answer without a length is told to have one: %v", res.Header)
	}
}

func TestResponseHeaders(t *testing.T) {
	u := middlewaretest.NewUpstream(t, 200, jsonType, body)
	for k, v := range map[string]string{
		"Cache-Control": "public, max-age=60", "Vary": "Accept, cookie", "Etag": `"1"`, "Last-Modified": "x", "Expires": "x",
		"Content-Md5": "x", "Digest": "x", "Repr-Digest": "x", "Accept-Ranges": "bytes", "Surrogate-Control": "x",
		"Cdn-Cache-Control": "x", "Cloudflare-Cdn-Cache-Control": "x", "Trailer": "X-Sum",
		"Link": "</next>", "Location": "/x", "Set-Cookie": "a=b",
	} {
		u.Header.Set(k, v)
	}
	var trailer http.Header
	x := exchange(t, decision())
	res, _, err := middlewaretest.Run(t, newStage(t, 0), x, func(x *middleware.Exchange) (*http.Response, error) {
		res, err := u.Handle(x)
		res.Trailer = http.Header{"X-Sum": {"1"}}
		return res, err
	})
	if err != nil {
		t.Fatal(err)
	}
	want := http.Header{
		"Accept-Ranges": {"none"}, "Cache-Control": {"private, no-store"}, "Content-Length": {"19"}, "Content-Type": {jsonType},
		"Link": {"</next>"}, "Location": {"/x"}, "Set-Cookie": {"a=b"}, "Vary": {"Accept, cookie, Authorization"},
	}
	if diff := cmp.Diff(want, res.Header); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
	if diff := cmp.Diff(trailer, res.Trailer); diff != "" || res.ContentLength != 19 {
		t.Errorf("trailer %v, length %d", res.Trailer, res.ContentLength)
	}
	notes := []middleware.Note{
		{Key: "masked", Value: 1}, {Key: "masked_paths", Value: []string{"$..ssn=1"}}, {Key: "rows_dropped", Value: 0}, {Key: "hidden", Value: 0},
	}
	if diff := cmp.Diff([]middleware.Finding{{Path: "$..ssn", Class: "pii", Count: 1}}, x.Masked); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
	if diff := cmp.Diff(notes, x.Notes()); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
}

// TestPolicyErrors: a plan that does not compile refuses before the upstream
// is asked.
func TestPolicyErrors(t *testing.T) {
	where := func(c policies.Condition) *policies.Decision {
		return &policies.Decision{Rows: []policies.Row{{Path: "$", Where: []policies.Condition{c}}}}
	}
	for name, d := range map[string]*policies.Decision{
		"action":   {Mask: []policies.Mask{{Path: "$.a", Action: "blur"}}},
		"path":     {Mask: []policies.Mask{{Path: "$.a[0]", Action: "null"}}},
		"show":     {Mask: []policies.Mask{{Path: "a", Action: "show"}}},
		"bucket":   {Mask: []policies.Mask{{Path: "$.a", Action: "generalize", Bucket: -1}}},
		"expose":   {Expose: []string{"$.a[?@.b]"}},
		"row path": {Rows: []policies.Row{{Path: "items", Where: []policies.Condition{{Field: "a", Op: "exists"}}}}},
		"no where": {Rows: []policies.Row{{Path: "$"}}},
		"op":       where(policies.Condition{Field: "a", Op: "like", Value: "x"}),
		"field":    where(policies.Condition{Field: "a[*]", Op: "eq", Value: "x"}),
		"list":     where(policies.Condition{Field: "a", Op: "eq", Value: []any{"x"}}),
		"scalar":   where(policies.Condition{Field: "a", Op: "in", Value: "x"}),
		"object":   where(policies.Condition{Field: "a", Op: "eq", Value: map[string]any{}}),
		"number":   where(policies.Condition{Field: "a", Op: "eq", Value: json.Number("1e99999999999999")}),
	} {
		u := middlewaretest.NewUpstream(t, 200, jsonType, body)
		_, _, err := middlewaretest.Run(t, newStage(t, 0), exchange(t, d), u.Handle)
		if middlewaretest.Code(err) != string(middleware.PolicyError) || u.Calls.Load() != 0 {
			t.Errorf("%s: %v, %d calls", name, err, u.Calls.Load())
		}
	}
	s, err := New(config.Masking{}, &config.Route{})
	if err != nil {
		t.Fatal(err)
	}
	u := middlewaretest.NewUpstream(t, 200, jsonType, body)
	d := &policies.Decision{Mask: []policies.Mask{{Path: "$.a", Action: "hash"}}}
	if _, _, err := middlewaretest.Run(t, s, exchange(t, d), u.Handle); middlewaretest.Code(err) != string(middleware.PolicyError) {
		t.Errorf("hash without a key: %v", err)
	}
}

func TestNamedValues(t *testing.T) {
	const rows = `[{"b":"lagos","t":"t1"},{"b":"kano","t":"t2"}]`
	tests := []struct {
		name string
		cond policies.Condition
		want string
	}{
		{"list", policies.Condition{Field: "b", Op: "in", Input: "subject.branches"}, `[{"b":"lagos","t":"t1"}]`},
		{"text", policies.Condition{Field: "t", Op: "eq", Input: "subject.tenant"}, `[{"b":"lagos","t":"t1"}]`},
		{"missing", policies.Condition{Field: "b", Op: "ne", Input: "subject.branch"}, `[]`},
		{"unknown", policies.Condition{Field: "b", Op: "ne", Input: "subject.shoe"}, `[]`},
		{"list where one is wanted", policies.Condition{Field: "b", Op: "ne", Input: "subject.branches"}, `[]`},
		{"one where a list is wanted", policies.Condition{Field: "t", Op: "not_in", Input: "subject.tenant"}, `[]`},
	}
	for _, tt := range tests {
		d := &policies.Decision{Rows: []policies.Row{{Path: "$", Where: []policies.Condition{tt.cond}}}}
		u := middlewaretest.NewUpstream(t, 200, jsonType, rows)
		if _, got, err := middlewaretest.Run(t, newStage(t, 0), exchange(t, d), u.Handle); err != nil || got != tt.want {
			t.Errorf("%s: %s, %v", tt.name, got, err)
		}
	}
}

type failing struct {
	io.Reader
	err error
}

func (f failing) Read(p []byte) (int, error) {
	n, err := f.Reader.Read(p)
	if err == io.EOF {
		err = f.err
	}
	return n, err
}

func (failing) Close() error { return nil }

// TestBrokenBodies: lengths that lie, connections that break, bodies of
// unknown length.
func TestBrokenBodies(t *testing.T) {
	tests := []struct {
		name   string
		body   string
		err    error
		length int64
		coding string
		code   middleware.Code
		cut    bool
	}{
		{name: "unknown length", body: body, err: io.EOF, length: -1},
		{name: "unknown length, empty", err: io.EOF, length: -1},
		{name: "breaks off", body: body, err: io.ErrUnexpectedEOF, length: -1, code: middleware.ResponseUnmaskable},
		{name: "breaks at once", err: errors.New("reset"), length: -1, code: middleware.ResponseUnmaskable},
		{name: "shorter than it says", body: body, err: io.EOF, length: 100, code: middleware.ResponseUnmaskable},
		{name: "longer than it says", body: body, err: io.EOF, length: 5, code: middleware.ResponseUnmaskable},
		{name: "nothing where something was said", err: io.EOF, length: 5, code: middleware.ResponseUnmaskable},
		{name: "bomb", body: gzipped(t, `"`+strings.Repeat("x", 3<<20)+`"`), err: io.EOF, length: -1, coding: "gzip", cut: true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			x := exchange(t, decision())
			_, got, err := middlewaretest.Run(t, newStage(t, 0), x, func(*middleware.Exchange) (*http.Response, error) {
				res := &http.Response{
					StatusCode: 200, Header: http.Header{"Content-Type": {jsonType}},
					Body: failing{strings.NewReader(tt.body), tt.err}, ContentLength: tt.length,
				}
				if tt.coding != "" {
					res.Header.Set("Content-Encoding", tt.coding)
				}
				return res, nil
			})
			if middlewaretest.Code(err) != string(tt.code) || tt.cut && err == nil {
				t.Fatalf("got %q, %v", got, err)
			}
			if strings.Contains(got, "6789") {
				t.Errorf("leaked: %s", got)
			}
		})
	}
}

// An answer that a client leaves is not one that was cut.
func TestCutIsNoted(t *testing.T) {
	for _, gone := range []bool{false, true} {
		ctx, leave := context.WithCancel(t.Context())
		x := exchange(t, decision(), func(x *middleware.Exchange) { x.Request = x.Request.WithContext(ctx) })
		res, err := newStage(t, 0).Handle(x, func(*middleware.Exchange) (*http.Response, error) {
			long := io.MultiReader(strings.NewReader(`"`), strings.NewReader(strings.Repeat("x", 2*prefetched)))
			return &http.Response{
				StatusCode: 200, Header: http.Header{"Content-Type": {jsonType}},
				Body: failing{long, io.ErrUnexpectedEOF}, ContentLength: -1,
			}, nil
		})
		if err != nil {
			t.Fatal(err)
		}
		if gone {
			leave()
		}
		if _, err := io.Copy(io.Discard, res.Body); err == nil {
			t.Error("the answer did not break off")
		}
		if err := res.Body.Close(); err != nil {
			t.Error(err)
		}
		noted := slices.ContainsFunc(x.Notes(), func(n middleware.Note) bool { return n.Key == "answer_cut" })
		if noted == gone {
			t.Errorf("client gone: %v, noted: %v", gone, noted)
		}
		leave()
	}
}

func TestMemory(t *testing.T) {
	const memory, length = 100_000, 8000
	text := `"` + strings.Repeat("x", length) + `"`
	for limit, least := range map[config.Size]int64{0: windows, 1 << 20: windows + length} {
		u := middlewaretest.NewUpstream(t, 200, jsonType, text)
		x := exchange(t, decision(), func(x *middleware.Exchange) { x.Memory = middleware.NewBudget(memory) })
		res, err := newStage(t, limit).Handle(x, u.Handle)
		if err != nil {
			t.Fatal(err)
		}
		if x.Memory.Take(memory - least + 1) {
			t.Errorf("limit %d: the answer holds less than %d bytes", limit, least)
		}
		if err := res.Body.Close(); err != nil {
			t.Fatal(err)
		}
		if !x.Memory.Take(memory) {
			t.Error("the memory was not given back on close")
		}
		_, _, err = middlewaretest.Run(t, newStage(t, limit), x, u.Handle)
		var r *middleware.Refusal
		if !errors.As(err, &r) || r.Code != string(middleware.Overloaded) || r.Header.Get("Retry-After") == "" {
			t.Errorf("without memory: %v", err)
		}
	}
}

// Under a row filter no header tells how many records there are.
func TestCountsAreNotTold(t *testing.T) {
	u := middlewaretest.NewUpstream(t, 200, jsonType, `{"items":[]}`)
	for _, name := range []string{"X-Total-Count", "X-Total", "Total-Count", "X-Pagination-Pages", "X-Page-Count", "X-Results-Total"} {
		u.Header.Set(name, "7")
	}
	u.Header["Link"] = []string{`</a?page=2>; rel="next", </a?x=1,2&page=9>; rel="last"`, `<https://x/>; rel=first; title="a, b"`, `</b>`}
	u.Header.Set("X-Country", "NG")
	res, _, err := middlewaretest.Run(t, newStage(t, 0), exchange(t, byBranch()), u.Handle)
	if err != nil {
		t.Fatal(err)
	}
	want := http.Header{
		"Accept-Ranges": {"none"}, "Cache-Control": {"private, no-store"}, "Content-Length": {"12"}, "Content-Type": {jsonType},
		"Link": {`</a?page=2>; rel="next"`, `<https://x/>; rel=first; title="a, b"`}, "Vary": {"Authorization, Cookie"}, "X-Country": {"NG"},
	}
	if diff := cmp.Diff(want, res.Header); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
}

func TestFormatParameters(t *testing.T) {
	for query, want := range map[string]string{
		"":                                  "",
		"page=2&format=json":                "page=2&format=json",
		"page=2&format=CSV&x=a%20b":         "page=2&format=CSV&x=a%20b",
		"format=api":                        "",
		"a=1;2&format=%68tml&b=%zz":         "a=1;2&b=%zz",
		"_accept=text/html&_format=x&f=%20": "f=%20",
		"_accept=application%2Fjson":        "_accept=application%2Fjson",
		"reformat=xml&formats=xml":          "reformat=xml&formats=xml",
	} {
		if got := withoutFormat(query); got != want {
			t.Errorf("%q became %q, want %q", query, got, want)
		}
	}
}

// Two demands have one key only if they are the same.
func TestKeysTellDemandsApart(t *testing.T) {
	rule := func(r redact.Rule) redact.Spec { return redact.Spec{Rules: []redact.Rule{r}} }
	where := func(c ...redact.Cond) redact.Spec {
		return redact.Spec{Rows: []redact.RowFilter{{Path: "$", Where: c}}}
	}
	a, b := redact.Cond{Field: "a", Op: "eq", Value: "1"}, redact.Cond{Field: "b", Op: "eq", Value: json.Number("1")}
	seen := map[string]int{}
	for i, s := range []redact.Spec{
		{},
		rule(redact.Rule{Path: "$.a"}), rule(redact.Rule{Path: "$.a", Action: redact.Null}), rule(redact.Rule{Path: "$.a", Bucket: 1}),
		rule(redact.Rule{Path: "$.a", Class: "x"}), rule(redact.Rule{Path: "$.a", Domain: "x"}), rule(redact.Rule{Path: "$.a1:x"}),
		{Expose: []string{"$.a"}},
		{Known: []string{"$.a"}},
		{Expose: []string{"$.a", "$.b"}},
		{Expose: []string{"$.a4:$.b"}},
		where(a), where(b), where(a, b), where(b, a), where(redact.Cond{Any: []redact.Cond{a, b}}), where(redact.Cond{All: []redact.Cond{a, b}}),
		where(redact.Cond{Not: &a}), where(redact.Cond{Field: "a", Op: "eq", Value: json.Number("1")}), where(redact.Cond{Field: "a", Op: "eq", Value: true}),
		where(redact.Cond{Field: "a", Op: "eq"}), where(redact.Cond{Field: "a", Op: "eq", Missing: true}), where(redact.Cond{Field: "a", Op: "in", Value: []any{"1"}}),
		where(redact.Cond{Field: "a", Op: "in", Value: []any{"1", "2"}}), where(redact.Cond{Field: "a", Op: "in", Value: []any{"12"}}),
	} {
		for _, tenant := range []string{"", "t"} {
			k := string(appendKey(nil, &s, tenant))
			if first, ok := seen[k]; ok {
				t.Errorf("demands %d and %d have one key: %q", first, i, k)
			}
			seen[k] = i
		}
	}
}

func TestNew(t *testing.T) {
	s, err := New(config.Masking{}, &config.Route{Policy: config.Policy{Off: true}})
	if s != nil || err != nil {
		t.Errorf("a route without a policy has the stage %v, %v", s, err)
	}
	if _, err := New(config.Masking{Keys: map[string]config.Secret{"a": "short"}}, &config.Route{}); err == nil || strings.Contains(err.Error(), "short\"") {
		t.Errorf("a short key: %v", err)
	}
	st := newStage(t, 0).(*Stage)
	if got, want := st.Name()+": "+st.Describe(), "mask: answers as a stream, keys k1"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

// FuzzStage: whatever an upstream says of its answer, either the planted value
// is masked or nothing is sent.
func FuzzStage(f *testing.F) {
	for _, typ := range []string{
		jsonType, "application/json; charset=utf-7", "text/json;charset=\"utf-8\"", "a/b+json", "application/x-ndjson",
		"text/html", "multipart/byteranges", "APPLICATION/JSON", "",
	} {
		f.Add(typ, "", "", 200, body)
		f.Add(typ, "", "gzip", 404, body)
	}
	f.Add(jsonType, jsonType, "identity", 206, "\ufeff"+body)
	f.Add(jsonType, "", "", 200, `{"s\u0073n":"123-45-6789"}`)
	s := newStage(f, 0)
	f.Fuzz(func(t *testing.T, typ, second, coding string, status int, text string) {
		if strings.Contains(text, marker) {
			t.Skip()
		}
		text += "\n" + `{"a":[{"ssn":"` + marker + `"}]}`
		if status%2 == 0 {
			text = `{"a":[{"ssn":"` + marker + `"}]}`
		}
		x := exchange(t, decision())
		_, got, err := middlewaretest.Run(t, s, x, func(*middleware.Exchange) (*http.Response, error) {
			h := http.Header{"Content-Type": {typ}}
			if second != "" {
				h.Add("Content-Type", second)
			}
			if coding != "" {
				h.Set("Content-Encoding", coding)
			}
			return &http.Response{StatusCode: status, Header: h, Body: io.NopCloser(strings.NewReader(text)), ContentLength: int64(len(text))}, nil
		})
		if strings.Contains(got, marker) {
			t.Errorf("leaked through %q %q %q %d", typ, second, coding, status)
		}
		if err != nil && middlewaretest.Code(err) != string(middleware.ResponseUnmaskable) {
			t.Errorf("refused with %v", err)
		}
	})
}

const marker = "987-65-4321-planted"
