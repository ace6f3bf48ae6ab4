package mask

import (
	"bytes"
	"cmp"
	"compress/gzip"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"runtime"
	"strings"
	"testing"

	"github.com/andybalholm/brotli"
	"github.com/klauspost/compress/zstd"

	"github.com/gatehouse-dev/gatehouse/config"
	"github.com/gatehouse-dev/gatehouse/middleware"
	"github.com/gatehouse-dev/gatehouse/middleware/middlewaretest"
	"github.com/gatehouse-dev/gatehouse/policies"
)

// upstreamOf answers with a body that it makes for each exchange.
func upstreamOf(header http.Header, body func() io.ReadCloser) middleware.Handler {
	return func(x *middleware.Exchange) (*http.Response, error) {
		return &http.Response{
			StatusCode: 200, ProtoMajor: 1, ProtoMinor: 1, Header: header.Clone(), ContentLength: -1,
			Body: body(), Request: x.Request,
		}, nil
	}
}

func typed(mediaType string) http.Header { return http.Header{"Content-Type": {mediaType}} }

// graphQL makes a stage of a route that speaks it.
func graphQL(t testing.TB, m config.Mask) *Stage {
	t.Helper()
	m.GraphQL = &config.GraphQL{Batch: 1, Depth: 20, Selections: 2000}
	s, err := New(config.Masking{}, &config.Route{Mask: m})
	if err != nil {
		t.Fatal(err)
	}
	return s.(*Stage)
}

func asking(query string) func(*middleware.Exchange) {
	return func(x *middleware.Exchange) { x.Request.URL.RawQuery = url.Values{"query": {query}}.Encode() }
}

// TestQueriesDoNotFillTheMemory: every query is a plan of its own. A caller who
// asks in hundreds of ways, each as large as it may be, does not make the
// gateway keep them.
func TestQueriesDoNotFillTheMemory(t *testing.T) {
	s := graphQL(t, config.Mask{})
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	for i := range 30 {
		var query, body strings.Builder
		query.WriteString("{")
		body.WriteString(`{"data":{"":0`)
		for k := range 600 {
			fmt.Fprintf(&query, " q%dx%d: x { y%d: y { s: ssn } }", i, k, k)
			fmt.Fprintf(&body, `,"q%dx%d":{"y%d":{"s":1}}`, i, k, k)
		}
		query.WriteString(" }")
		body.WriteString("}}")
		x := exchange(t, decision(), asking(query.String()))
		res, err := s.Handle(x, middlewaretest.NewUpstream(t, 200, "application/json", body.String()).Handle)
		if err != nil {
			t.Fatal(err)
		}
		got, err := io.ReadAll(res.Body)
		if err != nil || !strings.Contains(string(got), `"s":"***"`) || strings.Contains(string(got), `"s":1`) {
			t.Fatalf("%v %.100s", err, got)
		}
		_ = res.Body.Close()
	}
	runtime.GC()
	runtime.ReadMemStats(&after)
	if grown := int64(after.HeapAlloc) - int64(before.HeapAlloc); grown > 8<<20 {
		t.Errorf("%d MiB are held, of %d plans", grown>>20, s.plans.Len())
	}
	runtime.KeepAlive(s)
}

// packedIn gives a text in a coding.
func packedIn(coding, text string) string {
	var b bytes.Buffer
	var z io.WriteCloser
	switch coding {
	case "gzip":
		z = gzip.NewWriter(&b)
	case "br":
		z = brotli.NewWriter(&b)
	case "zstd":
		z, _ = zstd.NewWriter(&b)
	}
	_, _ = io.WriteString(z, text)
	_ = z.Close()
	return b.String()
}

// TestDecodersCountAsMemory: a few bytes make a decoder of br or zstd hold
// megabytes. What they may come to is taken of the budget, as a body is.
func TestDecodersCountAsMemory(t *testing.T) {
	const memory = 32 << 20
	text := `["` + strings.Repeat("0123456789abcdef", 20<<10) + `"]`
	for coding, most := range map[string]int{"gzip": 50, "zstd": 3, "br": 1} {
		budget := middleware.NewBudget(memory)
		header := typed("application/json")
		header.Set("Content-Encoding", coding)
		body := packedIn(coding, text)
		var open []io.Closer
		for range 50 {
			x := exchange(t, decision(), func(x *middleware.Exchange) { x.Memory = budget })
			res, err := newStage(t, 0).Handle(x, upstreamOf(header, func() io.ReadCloser { return io.NopCloser(strings.NewReader(body)) }))
			if err != nil {
				break
			}
			open = append(open, res.Body)
		}
		if len(open) != most {
			t.Errorf("%s: %d answers at once, want %d", coding, len(open), most)
		}
		for _, c := range open {
			_ = c.Close()
		}
		if !budget.Take(memory) {
			t.Errorf("%s: memory is missing", coding)
		}
	}
}

// TestHeadOfWhatPassesUnmasked: where rows are filtered HEAD is asked as GET,
// and what that brings is not read on for nobody.
func TestHeadOfWhatPassesUnmasked(t *testing.T) {
	s, err := New(config.Masking{}, &config.Route{Mask: config.Mask{PassthroughTypes: []string{"image/*"}}})
	if err != nil {
		t.Fatal(err)
	}
	x := exchange(t, byBranch(), func(x *middleware.Exchange) { x.Request.Method = http.MethodHead })
	u := middlewaretest.NewUpstream(t, 200, "image/png", "\x89PNG")
	res, err := s.Handle(x, u.Handle)
	if err != nil || res.Body != http.NoBody || res.ContentLength != 4 {
		t.Errorf("%v, %v", res, err)
	}
}

// askedWith gives a request of GraphQL.
func askedWith(query, variables string) func(*middleware.Exchange) {
	return func(x *middleware.Exchange) {
		body, _ := json.Marshal(map[string]any{"query": query, "variables": json.RawMessage(variables)})
		x.Request.Method, x.Request.Body = "POST", io.NopCloser(bytes.NewReader(body))
		x.Request.Header.Set("Content-Type", "application/json")
	}
}

// TestQueriesAskAboutMaskedFields: an argument that sorts or filters by what is
// masked is refused, wherever it stands and however it gets there.
func TestQueriesAskAboutMaskedFields(t *testing.T) {
	s := graphQL(t, config.Mask{OracleParameters: []string{"order_by", "sort", "where", "filter", "fields"}})
	d := &policies.Decision{Allow: true, Mask: []policies.Mask{
		{Path: "$..salary", Action: policies.ActionRedact}, {Path: "$..bank_account", Action: policies.ActionDrop},
	}}
	for _, tt := range []struct {
		query, variables string
		refused          bool
	}{
		{query: `{ e(orderBy: SALARY) { id } }`, refused: true},
		{query: `{ e(orderBy: SALARY_DESC_NULLS_LAST) { id } }`, refused: true},
		{query: `{ e(orderBy: [{id: asc}, {salary: desc}]) { id } }`, refused: true},
		{query: `{ e(sortField: Salary) { id } }`, refused: true},
		{query: `{ e(sorting: {field: "salary", op: "gt"}) { id } }`, refused: true},
		{query: `{ e(sorting: {field: "-sal\u0061ry"}) { id } }`, refused: true},
		{query: `{ e(where: {salary: {gt: 5}}) { id } }`, refused: true},
		{query: `{ e(where: {and: [{not: {salary_gt: 5}}]}) { id } }`, refused: true},
		{query: `{ e(where: {bankAccount: {starts: "1"}}) { id } }`, refused: true},
		{query: `{ e(filter: "id = 1 and salary > 5") { id } }`, refused: true},
		{query: `{ e(minSalary: 5) { id } }`, refused: true},
		{query: `{ x: e { id l(salary: 1) { id } } }`, refused: true},
		{query: `{ ...F } fragment F on Q { e { ... on E { id(salary_lt: 1) } } }`, refused: true},
		{query: `query($w: W) { e(where: $w) { id } }`, variables: `{"w":{"salary":{"gt":5}}}`, refused: true},
		{query: `query($w: W) { e(where: $w) { id } }`, variables: `{"w":"id = 1 and salary > 5"}`, refused: true},
		{query: `query($w: W) { e(a: $w) { id } }`, variables: `{"w":[["salary_DESC"]]}`, refused: true},
		{query: `query($w: W) { a(x: $w) { id } b(where: $w) { id } }`, variables: `{"w":"salary > 5"}`, refused: true},
		{query: `query($w: W = {salary: {gt: 1}}) { e(where: $w) { id } }`, refused: true},
		{query: `query($w: W = SALARY) { e(by: $w) { id } }`, variables: `{"w":"id"}`, refused: true},
		{query: `query($w: W) { e(where: {a: $w}) { id } }`, variables: `{"w":"id > 1 and salary > 5"}`, refused: true},
		{query: `mutation { add(id: 1) { all(orderBy: SALARY) { id } } }`, refused: true},
		{query: `query A { a { id } } query B { e(orderBy: SALARY) { id } }`, variables: `{}`, refused: true}, // which one is not said

		{query: `{ e(orderBy: NAME, first: 10, after: "salary in a text") { id salary } }`},
		{query: `{ e(where: {name: {eq: "Ada"}}) { id } }`},
		{query: `query($a: W, $b: W) { e(where: $a) { id } }`, variables: `{"a":{"id":1},"b":{"salary":5}}`}, // b is not used
		{query: `mutation($i: I) { set(input: $i, salary: 5) { id } }`, variables: `{"i":{"salary":5}}`},
	} {
		x := exchange(t, d, askedWith(tt.query, cmp.Or(tt.variables, "null")))
		u := middlewaretest.NewUpstream(t, 200, "application/json", `{"data":null}`)
		_, _, err := middlewaretest.Run(t, s, x, u.Handle)
		if refused := err != nil; refused != tt.refused || refused == (u.Calls.Load() == 1) {
			t.Errorf("%s %s: %v", tt.query, tt.variables, err)
		}
		if err != nil && !strings.Contains(tt.query, "query B") && middlewaretest.Code(err) != string(middleware.Forbidden) {
			t.Errorf("%s: %v", tt.query, err)
		}
	}
}

// TestHugeVariables: what is judged of an argument is bounded.
func TestHugeVariables(t *testing.T) {
	s := graphQL(t, config.Mask{})
	for name, variables := range map[string]string{
		"long": `{"w":[` + strings.Repeat(`"a",`, 20_000) + `"a"]}`,
		"deep": `{"w":` + strings.Repeat(`{"a":`, 200) + "1" + strings.Repeat("}", 200) + "}",
	} {
		for _, used := range []bool{true, false} {
			query := `query($w: W) { e { id } }`
			if used {
				query = `query($w: W) { e(w: $w) { id } }`
			}
			x := exchange(t, decision(), askedWith(query, variables))
			_, _, err := middlewaretest.Run(t, s, x, middlewaretest.NewUpstream(t, 200, "application/json", `{"data":null}`).Handle)
			if (err != nil) != used {
				t.Errorf("%s, used: %t: %v", name, used, err)
			}
		}
	}
}

// faulty panics at its second read, as a bug of an engine would.
type faulty struct {
	first  string
	read   bool
	closed int
}

func (f *faulty) Read(p []byte) (int, error) {
	if f.read {
		panic("a fault")
	}
	f.read = true
	return copy(p, f.first), nil
}

func (f *faulty) Close() error { f.closed++; return nil }

// TestPanicsGiveMemoryBack: a fault, before the head is sent or behind it, costs
// one answer and no memory.
func TestPanicsGiveMemoryBack(t *testing.T) {
	const memory = 4 << 20
	for mediaType, first := range map[string]string{
		"application/json":     `{"a":1`,
		"application/x-ndjson": "{}\n",
		"text/event-stream":    "data: {}\n\n",
	} {
		x := exchange(t, decision(), func(x *middleware.Exchange) { x.Memory = middleware.NewBudget(memory) })
		body := &faulty{first: first}
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("%s: no panic", mediaType)
				}
			}()
			res, err := newStage(t, 0).Handle(x, upstreamOf(typed(mediaType), func() io.ReadCloser { return body }))
			if err != nil {
				t.Fatal(err)
			}
			defer res.Body.Close() // as the proxy shell does
			_, _ = io.Copy(io.Discard, res.Body)
		}()
		if !x.Memory.Take(memory) {
			t.Errorf("%s: memory is missing", mediaType)
		}
		if body.closed == 0 {
			t.Errorf("%s: the body is left open", mediaType)
		}
	}
}

// TestCodingsHideNothing: what decoders pass over, or read in their own way, is
// no way around a mask.
func TestCodingsHideNothing(t *testing.T) {
	const clear = "123-45-6789"
	record := `{"ssn":"` + clear + `"}`
	zst, br := func(s string) string { return packedIn("zstd", s) }, func(s string) string { return packedIn("br", s) }
	skipped := "\x50\x2a\x4d\x18\x0b\x00\x00\x00" + clear
	for _, tt := range []struct {
		coding, body string
		masked       bool // and not refused
	}{
		{"zstd", zst(record), true},
		{"zstd", zst(`{"a":1,`) + zst(record[1:]), true},
		{"zstd", skipped + zst(record), true},
		{"zstd", zst(record) + skipped, true},
		{"zstd", skipped, false},
		{"zstd", zst(record) + record, false},
		{"zstd", record, false},
		{"zstd, zstd", zst(zst(record)), false},
		{"zstd", zst(zst(record)), false},
		{"br", br(record), true},
		{"br", br(record) + record, false},
		{"br", br(record) + br(record), false},
		{"br", "\x11\x1e" + br(record), false}, // a large window
		{"br", record, false},
		{"gzip", packedIn("gzip", record[:5]) + packedIn("gzip", record[5:]), true},
		{"gzip", packedIn("gzip", "") + packedIn("gzip", record), true},
		{"gzip", packedIn("gzip", record) + "\x00\x00", false},
	} {
		u := middlewaretest.NewUpstream(t, 200, "application/json", tt.body)
		u.Header.Set("Content-Encoding", tt.coding)
		res, got, err := middlewaretest.Run(t, newStage(t, 0), exchange(t, decision()), u.Handle)
		if (err == nil) != tt.masked || strings.Contains(got, clear) || tt.masked && !strings.Contains(got, `"ssn":"***"`) {
			t.Errorf("%s of %q: %s, %v", tt.coding, tt.body, got, err)
		}
		if err == nil && res.Header.Get("Content-Encoding") != "" {
			t.Errorf("%s: it is still said to be packed", tt.coding)
		}
	}
}

// TestQueriesAreAnsweredInJSON: the paths of a query are those of its answer as
// one JSON text. Events and lines have envelopes, in which they are others.
func TestQueriesAreAnsweredInJSON(t *testing.T) {
	const clear = "123-45-6789"
	s := graphQL(t, config.Mask{})
	wrapped := `{"id":"1","payload":{"data":{"x":"` + clear + `"}}}`
	for mediaType, body := range map[string]string{
		"application/json":                  `{"data":{"x":"` + clear + `"}}`,
		"application/graphql-response+json": `{"data":{"x":"` + clear + `"}}`,
		"text/event-stream":                 "event: next\ndata: " + wrapped + "\n\n",
		"application/x-ndjson":              wrapped + "\n",
		"application/jsonl":                 `{"incremental":[{"data":{"x":"` + clear + `"},"path":[]}]}` + "\n",
		"text/csv":                          "x\n" + clear + "\n",
		"multipart/mixed; boundary=-":       "---\r\nContent-Type: application/json\r\n\r\n" + wrapped + "\r\n-----\r\n",
	} {
		x := exchange(t, decision(), asking("{ x: ssn }"), middlewaretest.Header("Accept", mediaType))
		_, got, err := middlewaretest.Run(t, s, x, middlewaretest.NewUpstream(t, 200, mediaType, body).Handle)
		if whole := strings.HasPrefix(body, `{"data"`); whole != (err == nil) || strings.Contains(got, clear) {
			t.Errorf("%s: %s, %v", mediaType, got, err)
		}
		if asked := x.Request.Header.Get("Accept"); !strings.HasSuffix(asked, "json") || strings.HasSuffix(asked, "ndjson") {
			t.Errorf("the backend is asked for %s", asked)
		}
	}
}

// openStream begins a stream of events and gives what the backend writes to, and
// what the client reads it by.
func openStream(t *testing.T, budget *middleware.Budget) (*io.PipeWriter, io.ReadCloser) {
	t.Helper()
	pr, pw := io.Pipe()
	x := exchange(t, byTenant(), func(x *middleware.Exchange) { x.Memory = budget })
	res, err := newStage(t, 0).Handle(x, upstreamOf(typed("text/event-stream"), func() io.ReadCloser { return pr }))
	if err != nil {
		t.Fatal(err)
	}
	return pw, res.Body
}

// TestIdleStreamsTakeLittle: a stream of events takes memory as it needs it, so
// that many can be open.
func TestIdleStreamsTakeLittle(t *testing.T) {
	const memory = 16 << 20
	budget := middleware.NewBudget(memory)
	events := "data: {\"tenant\":\"t1\",\"x\":\"" + strings.Repeat("x", 100<<10) + "\"}\n\ndata: {\"tenant\":\"t1\"}\n\n"
	var open []io.Closer
	for range 100 {
		w, r := openStream(t, budget)
		open = append(open, r)
		for range 2 {
			go func() { _, _ = io.WriteString(w, events) }()
			got := make([]byte, len(events))
			if _, err := io.ReadFull(r, got); err != nil {
				t.Fatal(err)
			}
		}
		go func() { _, _ = io.WriteString(w, ":\n") }()
		if _, err := io.ReadFull(r, make([]byte, 2)); err != nil { // which is waited for behind the events
			t.Fatal(err)
		}
	}
	for _, c := range open {
		_ = c.Close()
	}
	if !budget.Take(memory) {
		t.Error("memory is missing")
	}
}

// TestLargeEventsTakeMemory: what has arrived of an event is paid for while the
// rest is waited for, and when there is nothing left the stream is cut.
func TestLargeEventsTakeMemory(t *testing.T) {
	const memory, streams = 16 << 20, 100
	budget := middleware.NewBudget(memory)
	part := "data: \"" + strings.Repeat("x", 200<<10)
	cut := make(chan error, streams)
	var open []*io.PipeWriter
	for range streams {
		w, r := openStream(t, budget)
		open = append(open, w)
		go func() {
			_, err := r.Read(make([]byte, 1))
			_ = r.Close()
			cut <- err
		}()
	}
	held := 0
	for _, w := range open {
		if _, err := io.WriteString(w, part); err != nil { // or it has been read
			break
		}
		held++
	}
	if held < 16 || held > memory/(200<<10) {
		t.Errorf("%d streams hold parts of %d bytes in a budget of %d", held, len(part), memory)
	}
	if err := <-cut; !errors.Is(err, errNoMemory) {
		t.Errorf("cut by %v", err)
	}
	for _, w := range open {
		_ = w.Close()
	}
	for range streams - 1 {
		<-cut
	}
	if !budget.Take(memory) {
		t.Error("memory is missing")
	}
}
