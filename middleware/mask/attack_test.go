package mask

import (
	"bytes"
	"compress/gzip"
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
