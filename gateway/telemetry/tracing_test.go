package telemetry

import (
	"bytes"
	"compress/gzip"
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"sync"
	"testing"

	"github.com/gatehouse-dev/gatehouse/config"
	"github.com/gatehouse-dev/gatehouse/middleware"
	"github.com/gatehouse-dev/gatehouse/middleware/middlewaretest"
)

const parent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"

func tracing(t *testing.T, c config.Tracing) *Tracing {
	t.Helper()
	tr, err := OpenTracing(t.Context(), c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = tr.Shutdown(context.WithoutCancel(t.Context())) })
	return tr
}

// collecting is a collector that keeps what it is sent.
type collecting struct {
	url    string
	status int

	mu    sync.Mutex
	paths []string
	types []string
	data  bytes.Buffer
}

func newCollector(t *testing.T, status int) *collecting {
	c := &collecting{status: status}
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body := io.Reader(r.Body)
		if r.Header.Get("Content-Encoding") == "gzip" {
			z, err := gzip.NewReader(r.Body)
			if err != nil {
				t.Error(err)
				return
			}
			body = z
		}
		c.mu.Lock()
		defer c.mu.Unlock()
		c.paths, c.types = append(c.paths, r.URL.Path), append(c.types, r.Header.Get("Content-Type"))
		_, _ = c.data.ReadFrom(body)
		w.WriteHeader(c.status)
	}))
	t.Cleanup(s.Close)
	c.url = s.URL
	return c
}

func TestTraceparentIsMadeOrContinued(t *testing.T) {
	collector := newCollector(t, 200)
	const id, state = "0af7651916cd43dd8448eb211c80319c", "vendor=1"
	for name, tt := range map[string]struct {
		c      config.Tracing
		header http.Header
		trace  string // "" for a new one
		flags  string
		state  string
	}{
		"new, no collector":       {config.Tracing{Sample: 1}, http.Header{}, "", "00", ""},
		"new, sampled":            {config.Tracing{OTLP: collector.url, Sample: 1}, http.Header{}, "", "01", ""},
		"new, not sampled":        {config.Tracing{OTLP: collector.url, Sample: 0}, http.Header{}, "", "00", ""},
		"continued":               {config.Tracing{OTLP: collector.url, Sample: 0}, http.Header{"Traceparent": {parent}, "Tracestate": {state}}, id, "01", state},
		"continued, no collector": {config.Tracing{}, http.Header{"Traceparent": {parent}, "Tracestate": {state}}, id, "01", state},
		"continued, not sampled":  {config.Tracing{OTLP: collector.url, Sample: 1}, http.Header{"Traceparent": {parent[:53] + "00"}}, id, "00", ""},
		"garbage":                 {config.Tracing{}, http.Header{"Traceparent": {"00-xyz"}, "Tracestate": {state}}, "", "00", ""},
		"all zero":                {config.Tracing{}, http.Header{"Traceparent": {"00-" + strings.Repeat("0", 32) + "-b7ad6b7169203331-01"}}, "", "00", ""},
		"two":                     {config.Tracing{}, http.Header{"Traceparent": {parent, parent}}, "", "00", ""},
		"state alone":             {config.Tracing{}, http.Header{"Tracestate": {state}}, "", "00", ""},
	} {
		t.Run(name, func(t *testing.T) {
			tr := tracing(t, tt.c)
			ctx, end := tr.Start(t.Context(), tt.header, "request")
			defer end(middlewaretest.Exchange(t, "GET", "/", nil), 200)
			out := tt.header.Clone()
			tr.Inject(ctx, out)
			m := regexp.MustCompile(`^00-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})$`).FindStringSubmatch(strings.Join(out.Values("Traceparent"), ","))
			if m == nil {
				t.Fatalf("traceparent %q", out.Values("Traceparent"))
			}
			if tt.trace == "" && m[1] == id || tt.trace != "" && m[1] != tt.trace || m[2] == "b7ad6b7169203331" || m[3] != tt.flags {
				t.Errorf("got %s, want trace %q and flags %s", m[0], tt.trace, tt.flags)
			}
			if got := out.Get("Tracestate"); got != tt.state {
				t.Errorf("tracestate %q, want %q", got, tt.state)
			}
			if TraceID(ctx) != m[1] {
				t.Errorf("TraceID is %s, the header says %s", TraceID(ctx), m[1])
			}
		})
	}
	if TraceID(t.Context()) != "" {
		t.Error("a trace id from nowhere")
	}
}

func TestSpansReachTheCollector(t *testing.T) {
	c := newCollector(t, 200)
	tr := tracing(t, config.Tracing{OTLP: c.url, Sample: 1})
	m := New()
	x := middlewaretest.Exchange(t, "GET", "/secret-path", nil)
	ctx, end := tr.Start(t.Context(), x.Request.Header, "request")
	tr.Inject(ctx, x.Request.Header)
	before := x.Request.Header.Get("Traceparent")
	x.Request = x.Request.WithContext(ctx)
	up := m.Upstream("hr", middlewaretest.NewUpstream(t, 200, "", "").Handle)
	if _, _, err := middlewaretest.Run(t, m.Stage(sleeper{name: "authn"}), x, up); err != nil {
		t.Fatal(err)
	}
	after := x.Request.Header.Get("Traceparent")
	if before[:36] != after[:36] || before == after {
		t.Errorf("the upstream's parent is %s, the exchange's span is %s", after, before)
	}
	x.Refusal = middleware.Refuse("mask", middleware.ResponseUnmaskable, "")
	end(x, 502)
	if err := tr.Shutdown(t.Context()); err != nil {
		t.Fatal(err)
	}
	if len(c.paths) == 0 || c.paths[0] != "/v1/traces" || c.types[0] != "application/x-protobuf" {
		t.Fatalf("the collector got %v %v", c.paths, c.types)
	}
	for _, text := range []string{"stage authn", "upstream hr", "GET test", "gatehouse.request_id", "test-1", "response_unmaskable"} {
		if !bytes.Contains(c.data.Bytes(), []byte(text)) {
			t.Errorf("no %q in what was sent", text)
		}
	}
	if bytes.Contains(c.data.Bytes(), []byte("secret-path")) {
		t.Error("the path was sent to the collector")
	}
	if n, err := tr.Lost(); n != 0 || err != nil {
		t.Errorf("lost %d: %v", n, err)
	}
}

func TestUnsampledExchangesSendNothing(t *testing.T) {
	c := newCollector(t, 200)
	tr := tracing(t, config.Tracing{OTLP: c.url, Sample: 0})
	x := middlewaretest.Exchange(t, "GET", "/", nil)
	ctx, end := tr.Start(t.Context(), x.Request.Header, "request")
	x.Request = x.Request.WithContext(ctx)
	_, _, _ = middlewaretest.Run(t, New().Stage(sleeper{name: "authn"}), x, middlewaretest.NewUpstream(t, 200, "", "").Handle)
	end(x, 200)
	if err := tr.Shutdown(t.Context()); err != nil {
		t.Fatal(err)
	}
	if len(c.paths) != 0 {
		t.Errorf("the collector got %v", c.paths)
	}
}

func TestSpansThatAreNotTakenAreCounted(t *testing.T) {
	tr := tracing(t, config.Tracing{OTLP: newCollector(t, 400).url, Sample: 1})
	_, end := tr.Start(t.Context(), http.Header{}, "request")
	end(middlewaretest.Exchange(t, "GET", "/", nil), 200)
	if err := tr.Shutdown(t.Context()); err == nil {
		t.Error("the loss is not told")
	}
	if n, err := tr.Lost(); n != 1 || err == nil {
		t.Errorf("lost %d: %v", n, err)
	}
	m := New()
	m.WatchTracing(func() int64 {
		n, _ := tr.Lost()
		return n
	})
	want(t, m, "gatehouse_trace_spans_lost_total 1")
}

func TestCollectorURL(t *testing.T) {
	for in, want := range map[string]string{
		"http://127.0.0.1:4318":             "http://127.0.0.1:4318/v1/traces",
		"https://otel.example.com/":         "https://otel.example.com/v1/traces",
		"https://otel.example.com/api/otlp": "https://otel.example.com/api/otlp",
		"127.0.0.1:4318":                    "",
		"localhost:4317":                    "",
		"grpc://localhost:4317":             "",
		"http://":                           "",
		"http://[":                          "",
	} {
		got, err := collector(in)
		if got != want || (err == nil) != (want != "") {
			t.Errorf("%s: got %q, %v", in, got, err)
		}
		if want != "" {
			continue
		}
		if _, err := OpenTracing(t.Context(), config.Tracing{OTLP: in}); err == nil {
			t.Errorf("%s was accepted", in)
		}
	}
}

func FuzzStart(f *testing.F) {
	f.Add(parent, "vendor=1")
	f.Add("00-xyz", "")
	f.Add("ff-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01-more", ",,=")
	tr, err := OpenTracing(f.Context(), config.Tracing{})
	if err != nil {
		f.Fatal(err)
	}
	shape := regexp.MustCompile(`^00-[0-9a-f]{32}-[0-9a-f]{16}-0[0-3]$`)
	f.Fuzz(func(t *testing.T, traceparent, tracestate string) {
		h := http.Header{"Traceparent": {traceparent}, "Tracestate": {tracestate}}
		ctx, end := tr.Start(t.Context(), h, "request")
		defer end(&middleware.Exchange{}, 200)
		tr.Inject(ctx, h)
		if got := h.Get("Traceparent"); !shape.MatchString(got) {
			t.Errorf("traceparent %q became %q", traceparent, got)
		}
		if strings.ContainsAny(h.Get("Tracestate"), "\r\n\x00") {
			t.Errorf("tracestate %q", h.Get("Tracestate"))
		}
	})
}
