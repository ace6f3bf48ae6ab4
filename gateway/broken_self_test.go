package gateway

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/gatehouse-dev/gatehouse/policies"
)

func brokenSelf() []broken {
	large := strings.Repeat("x", 64<<10)
	memory := strings.Replace(one, "\nroutes:", "\nlimits: {body_memory: 32KiB}\nroutes:", 1)
	return []broken{
		{
			name: "memory/of requests", settings: memory + "    sanitize: {html: strip}\n", status: 503, code: "overloaded",
			request: func(w *world) *http.Request {
				return w.request("POST", "/api/employees/7", strings.NewReader(`{"a": "`+large+`"}`), w.as("e2", "staff"), "Content-Type: application/json")
			},
		},
		{
			name: "memory/of answers", settings: memory, status: 503, code: "overloaded", saw: 1,
			backend: func(w http.ResponseWriter, _ *http.Request) {
				w.Header().Set("Content-Type", "application/json")
				fmt.Fprintf(w, `{"salary": %s, "name": %q}`, secret, large)
			},
		},
		{
			name: "a stage that panics", status: 500, code: "internal_error", closes: true,
			compile: func(w *world, p *Plan) { p.decideBy(w, panicking{p.decider, secret}) },
		},
		{
			name: "a stage that panics/is counted", compile: func(w *world, p *Plan) { p.decideBy(w, panicking{p.decider, secret}) },
			check: func(t *testing.T, w *world) {
				do(t, w.client(false), w.request("GET", "/api/employees/7", nil, w.as("e2", "staff")))
				if got := w.metric("gatehouse_panics_total"); got != "1" {
					t.Errorf("gatehouse_panics_total is %s", got)
				}
				lines := w.log("panic")
				if len(lines) != 1 || !strings.Contains(fmt.Sprint(lines[0]["stack"]), "panicking.Decide") {
					t.Errorf("logged: %v", lines)
				}
			},
		},
		{name: "a client that leaves/streamed", check: leave("/plain/", false), settings: plain},
		{name: "a client that leaves/held", check: leave("/api/employees/", true), settings: one + "    sanitize: {html: strip}\n"},
	}
}

// plain is a configuration with a route that nothing is done to.
const plain = `
upstreams: {hr: {endpoints: ["{HR}"]}}
routes:
  - name: plain
    match: {path: /plain/}
    upstream: hr
    public: true
    policy: "off"
`

// panicking is a decider with a fault.
type panicking struct {
	policies.Decider
	about string
}

func (p panicking) Decide(context.Context, *policies.Input) (*policies.Decision, error) {
	panic("a fault about " + p.about)
}

// leave sends half of a body and goes.
func leave(path string, held bool) func(*testing.T, *world) {
	return func(t *testing.T, w *world) {
		c := w.dial()
		c.send("POST " + path + "7 HTTP/1.1\nHost: localhost\nContent-Type: application/json\nContent-Length: 1000\n" + w.as("e2", "staff") + "\n\n{\"a\": \"")
		eventually(t, "the request runs", func() bool { return w.metric("gatehouse_requests_in_flight") == "1" })
		_ = c.Close()
		e := w.exchanges(1)[0]
		if e["aborted"] != true {
			t.Errorf("on record: %v", e)
		}
		_, forwarded := e["upstream"]
		if held && forwarded {
			t.Errorf("half a request was sent to %v", e["upstream"])
		}
		eventually(t, "no request runs", func() bool { return w.metric("gatehouse_requests_in_flight") == "0" })
	}
}

// metric gives the value of a metric without labels.
func (w *world) metric(name string) string {
	w.t.Helper()
	rec := httptest.NewRecorder()
	w.deps.Metrics.Handler().ServeHTTP(rec, httptest.NewRequest(http.MethodGet, "/metrics", nil))
	for line := range strings.Lines(rec.Body.String()) {
		if value, ok := strings.CutPrefix(line, name+" "); ok {
			return strings.TrimSpace(value)
		}
	}
	w.t.Fatalf("there is no metric %s", name)
	return ""
}
