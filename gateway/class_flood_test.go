package gateway

import (
	"bytes"
	"compress/gzip"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/gatehouse-dev/gatehouse/middleware"

	"golang.org/x/net/http2"

	"github.com/gatehouse-dev/gatehouse/config"
	"github.com/gatehouse-dev/gatehouse/gateway/telemetry"
)

// floodClasses are G: too much of something. What they cost is measured by
// TestFloodsOfEachKind; here each ends the way it must.
func floodClasses() []failure {
	return []failure{
		{"A8b", "decompression bombs in requests", nil, classBombs},
		{"A9b", "unbounded reads of helpers: CVE-2026-26998", []proto{plainH1}, classHelpers},
		{"D49", "cookie floods: CVE-2025-58186, CVE-2026-25899", nil, classCookies},
		{"F60b", "handshakes that stall: CVE-2026-22045, CVE-2026-26999", []proto{tlsH1, tlsH2}, classHandshakes},
		{"G61", "frames: CVE-2023-39325, CVE-2023-45288, CVE-2022-41723, CVE-2025-8671", []proto{tlsH2}, classFrames},
		{"G62", "bodies and readers that are slow: CVE-2024-28869", nil, classSlow},
		{"G65", "inputs that cost more than they are long: GO-2026-6218, CVE-2024-45338, CVE-2025-47911", nil, classQuadratic},
	}
}

const judging = `
upstreams: {hr: {endpoints: ["{HR}"]}}
routes:
  - {name: plain, match: {path: /plain/}, upstream: hr, public: true, policy: off}
  - {name: sanitized, match: {path: /sanitized/}, upstream: hr, public: true, policy: off, sanitize: {html: strip}}
  - {name: uploads, match: {path: /uploads/}, upstream: hr, public: true, policy: off, upload: {extensions: [txt]}}
  - {name: judged, match: {path: /judged/}, upstream: hr, public: true, policy: {body: true}}
  - {name: graph, match: {path: /graph/}, upstream: hr, public: true, policy: on, mask: {graphql: {}}}
`

const judgingPolicy = `
allow if input.resource.route == "graph"

allow if {
	input.resource.route == "judged"
	not input.body.evil
}

mask contains {"path": "$.data.people[*].ssn", "action": "drop"} if input.resource.route == "graph"
`

// classBombs: no stage that judges a body unpacks one, or takes one for judged
// that is packed, whatever the coding is called. A route that judges no body lets
// it through as it is.
func classBombs(t *testing.T, p proto) (cases int) {
	w := open(t)
	hr := &witness{}
	w.backend("HR", hr.ServeHTTP)
	w.start(judging, judgingPolicy)
	var bomb bytes.Buffer
	z := gzip.NewWriter(&bomb)
	_, _ = z.Write(bytes.Repeat([]byte(" "), 8<<20))
	_ = z.Close()
	form := "multipart/form-data; boundary=b"
	for _, route := range []struct{ path, media string }{{"/sanitized/1", "application/json"}, {"/uploads/1", form}, {"/judged/1", "application/json"}} {
		for _, coding := range []string{"gzip", "GZIP", "x-gzip", "deflate", "br", "zstd", "compress", "gzip, gzip", "identity, gzip", "aes128gcm", "nonsense"} {
			for _, headers := range [][][2]string{
				{{"Content-Type", route.media}, {"Content-Encoding", coding}},
				{{"Content-Type", route.media}, {"Content-Encoding", "identity"}, {"Content-Encoding", coding}},
			} {
				cases++
				o := w.ask(p, raw{method: "POST", target: route.path, headers: headers, body: bomb.String()})
				if o.status != 415 && o.status != 400 {
					t.Errorf("%s, %v: %v", route.path, headers, o)
				}
			}
		}
	}
	// What is well-formed as it is might be something else unpacked.
	for _, path := range []string{"/sanitized/1", "/judged/1", "/graph/1"} {
		cases++
		headers := [][2]string{{"Content-Type", "application/json"}, {"Content-Encoding", "deflate"}}
		if o := w.ask(p, raw{method: "POST", target: path, headers: headers, body: `{"query": "{people {name}}"}`}); o.status != 415 {
			t.Errorf("%s: %v", path, o)
		}
	}
	if n := len(hr.requests()); n > 0 {
		t.Errorf("%d reached the backend", n)
	}
	cases++
	if o := w.ask(p, raw{method: "POST", target: "/plain/1", headers: [][2]string{{"Content-Encoding", "gzip"}}, body: bomb.String()}); o.status != 200 {
		t.Errorf("a body that nobody judges: %v", o)
	}
	return cases
}

// classHelpers: whoever answers the gateway's own questions without end is not
// listened to for long: key sets, and the metadata that name them.
func classHelpers(t *testing.T, _ proto) (cases int) {
	var sent atomic.Int64
	endless := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		if strings.HasPrefix(r.URL.Path, "/head") {
			rw.Header().Set("X-Long", strings.Repeat("x", 1<<20))
		}
		_, _ = io.WriteString(rw, `{"keys": [`)
		for r.Context().Err() == nil {
			n, err := rw.Write(bytes.Repeat([]byte(" "), 64<<10))
			if sent.Add(int64(n)); err != nil || sent.Load() > 64<<20 {
				return
			}
		}
	}))
	t.Cleanup(endless.Close)
	for _, source := range []string{"jwks_url: " + endless.URL + "/keys", "jwks_url: " + endless.URL + "/head"} {
		cases++
		sent.Store(0)
		w := open(t)
		w.backend("HR", echo("A"))
		settings := strings.Replace(preamble, `jwks_url: "{ISSUER}/jwks.json"`, source, 1) + one
		w.write("rego/gatehouse.rego", "package gatehouse\n\nallow := true\n")
		w.write("gatehouse.yaml", settings+"\npolicies: {path: rego}\n")
		c, err := config.Load(w.configFile())
		if err != nil {
			t.Fatal(err)
		}
		plan, err := Compile(t.Context(), c, &Deps{Metrics: telemetry.New()})
		if err == nil {
			for _, condition := range plan.Conditions(t.Context()) {
				if strings.HasPrefix(condition.Name, "issuer/") && condition.OK {
					t.Errorf("%s: %v", source, condition)
				}
			}
			plan.Close()
		}
		if n := sent.Load(); n > 16<<20 {
			t.Errorf("%s: %d bytes were read", source, n)
		}
	}
	return cases
}

// classCookies: they are counted before anybody makes something of them.
func classCookies(t *testing.T, p proto) (cases int) {
	w := open(t)
	hr := &witness{}
	w.backend("HR", hr.ServeHTTP)
	w.start(plain, "")
	for _, jar := range []string{strings.Repeat("a=;", 3000), strings.Repeat(";", 5000), strings.Repeat("a=b; ", 101) + "c=d", strings.Repeat("\t;", 2000)} {
		cases++
		if o := w.ask(p, raw{target: "/plain/1", headers: [][2]string{{"Cookie", jar}}}); o.String() != "431 header_too_large" {
			t.Errorf("%.20q: %v", jar, o)
		}
	}
	if n := len(hr.requests()); n > 0 {
		t.Errorf("%d reached the backend", n)
	}
	return cases
}

// classHandshakes: many that were begun are ended, and who comes then is served.
func classHandshakes(t *testing.T, p proto) (cases int) {
	w := open(t)
	w.backend("HR", echo("A"))
	w.start("timeouts: {header: 4s}\n"+plain, "")
	var open []net.Conn
	for _, text := range []string{"", "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03"} {
		for range 200 {
			c := dialRaw(t, w.base)
			_, _ = io.WriteString(c, text)
			open = append(open, c)
		}
		if o := w.ask(p, raw{target: "/plain/1"}); o.status != 200 {
			t.Errorf("meanwhile: %v", o)
		}
	}
	for _, c := range open {
		cases++
		_ = c.SetReadDeadline(time.Now().Add(20 * time.Second))
		if _, err := io.Copy(io.Discard, c); isTimeout(err) {
			t.Fatalf("handshake %d stays open", cases)
		}
	}
	return cases
}

// classFrames: no more runs at once than may be open, whatever is reset, and the
// connection ends where a head does not.
func classFrames(t *testing.T, _ proto) (cases int) {
	w := open(t)
	w.backend("HR", func(_ http.ResponseWriter, r *http.Request) {
		select {
		case <-r.Context().Done():
		case <-time.After(time.Second):
		}
	})
	// In the gateway: the backend hears late of those that were reset.
	var running, most atomic.Int64
	plan := w.compile("limits: {streams: 10}\n"+plain, "")
	for _, l := range plan.pipelines {
		l.handler = middleware.Chain(func(x *middleware.Exchange) (*http.Response, error) {
			n := running.Add(1)
			defer running.Add(-1)
			for m := most.Load(); n > m && !most.CompareAndSwap(m, n); m = most.Load() {
			}
			return l.upstream.Handle(x)
		}, l.stages...)
	}
	w.serve(plan)
	fields := raw{method: "GET", host: "localhost", target: "/plain/1"}.fields()
	for name, reset := range map[string]func(f *frames, id uint32) error{
		"rapid reset":       func(f *frames, id uint32) error { return f.WriteRSTStream(id, http2.ErrCodeCancel) },
		"a window of none":  func(f *frames, id uint32) error { return f.WriteWindowUpdate(id, 0) },
		"a window too wide": func(f *frames, id uint32) error { return f.WriteWindowUpdate(id, 1<<31-1) },
		"own priority":      func(f *frames, id uint32) error { return f.WritePriority(id, http2.PriorityParam{StreamDep: id}) },
		"data after":        func(f *frames, id uint32) error { return f.WriteData(id, true, []byte("x")) },
	} {
		f := w.frames()
		gone := make(chan struct{})
		go func() {
			defer close(gone)
			_, _ = io.Copy(io.Discard, f.Conn)
		}()
		for i := range uint32(2000) {
			cases++
			if f.open(2*i+1, f.head(fields...), true) != nil || reset(f, 2*i+1) != nil {
				break
			}
		}
		_ = f.Close()
		<-gone
		if o := w.ask(tlsH2, raw{target: "/nowhere"}); o.status != 404 {
			t.Errorf("after %s: %v", name, o)
		}
		eventually(t, "none runs after "+name, func() bool { return running.Load() == 0 })
	}
	if n := most.Load(); n == 0 || n > 10 {
		t.Errorf("%d ran at once, of ten that may be open", n)
	}
	cases++
	f := w.frames()
	_ = f.WriteHeaders(http2.HeadersFrameParam{StreamID: 1, BlockFragment: f.head(fields...)})
	if !ends(f.Conn, func() error {
		return f.WriteContinuation(1, false, f.head([2]string{"x-a", strings.Repeat("x", 8000)}))
	}) {
		t.Error("a head without an end is read on")
	}
	return cases
}

// classSlow: see also TestStalledConnections, TestTricklingBodies and
// TestClientsThatDoNotRead.
func classSlow(t *testing.T, p proto) (cases int) {
	w := open(t)
	hr := &witness{}
	w.backend("HR", hr.ServeHTTP)
	w.start("timeouts: {body: 200ms}\n"+judging, judgingPolicy)
	for _, target := range []string{"/plain/1", "/sanitized/1", "/judged/1", "/nowhere"} {
		cases++
		headers := [][2]string{{"content-type", "application/json"}, {"content-length", "1000"}}
		var o outcome
		if p == tlsH2 {
			f := w.frames()
			_ = f.open(1, f.head(raw{method: "POST", host: "localhost", target: target, headers: headers}.fields()...), false)
			o = f.answer(1)
			_ = f.Close()
		} else {
			o = w.ask(p, raw{method: "POST", target: target, headers: headers})
		}
		if want := map[bool]string{true: "404 route_unknown", false: "408 body_timeout"}[target == "/nowhere"]; o.String() != want {
			t.Errorf("%s: %v, want %s", target, o, want)
		}
	}
	eventually(t, "the memory is there again", func() bool { return w.g.Memory().Left() == 256<<20 })
	return cases
}

// classQuadratic: twice as much takes about twice as long, however it is made.
func classQuadratic(t *testing.T, p proto) (cases int) {
	w := open(t)
	w.backend("HR", echo("A"))
	w.start("limits: {header_bytes: 1MiB}\n"+judging, judgingPolicy)
	text := func(s string) string { return `{"a":"` + s + `"}` }
	for name, of := range map[string]func(n int) raw{
		"dots":    func(n int) raw { return raw{target: "/plain/" + strings.Repeat("../", n/3)} },
		"escapes": func(n int) raw { return raw{target: "/plain/" + strings.Repeat("%2e", n/3)} },
		"forwarded": func(n int) raw {
			return raw{headers: [][2]string{{"X-Forwarded-For", strings.Repeat("1.1.1.1,", n/8)}}}
		},
		"open tags":   func(n int) raw { return jsonBody("/sanitized/1", text(strings.Repeat("<a", n/2))) },
		"nested tags": func(n int) raw { return jsonBody("/sanitized/1", text(strings.Repeat("<b>", n/3))) },
		"comments":    func(n int) raw { return jsonBody("/sanitized/1", text(strings.Repeat("<!--", n/4))) },
		"tables":      func(n int) raw { return jsonBody("/sanitized/1", text(strings.Repeat("<table>", n/7))) },
		"attributes":  func(n int) raw { return jsonBody("/sanitized/1", text("<a "+strings.Repeat("b=c ", n/4)+">")) },
		"entities":    func(n int) raw { return jsonBody("/sanitized/1", text(strings.Repeat("&amp", n/4))) },
		"members": func(n int) raw {
			var b strings.Builder
			for i := range n / 12 {
				fmt.Fprintf(&b, `"k%d":1,`, i)
			}
			return jsonBody("/judged/1", "{"+b.String()+`"z":1}`)
		},
	} {
		cases++
		took := func(n int) time.Duration {
			least := time.Hour
			for range 2 {
				start := processorTime(t)
				if o := w.ask(p, of(n)); o.err != nil {
					t.Errorf("%s: %v", name, o)
				}
				least = min(least, processorTime(t)-start)
			}
			return least
		}
		small, large := took(48<<10), took(384<<10)
		// Eight times as much; sixty-four times were quadratic. What is quick either
		// way is the noise of the machine.
		if large > 32*small && large > time.Second {
			t.Errorf("%s: 48 KiB take %v, 384 KiB %v", name, small, large)
		}
	}
	return cases
}

func jsonBody(target, body string) raw {
	return raw{method: "POST", target: target, headers: [][2]string{{"Content-Type", "application/json"}}, body: body}
}
