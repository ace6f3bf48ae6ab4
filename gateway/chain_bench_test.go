package gateway

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/netip"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"text/tabwriter"
	"time"

	"github.com/gatehouse-dev/gatehouse/certs"
	"github.com/gatehouse-dev/gatehouse/config"
	"github.com/gatehouse-dev/gatehouse/gateway/telemetry"
	"github.com/gatehouse-dev/gatehouse/gateway/upstream"
	"github.com/gatehouse-dev/gatehouse/middleware"
)

// chainSettings has everything on that a route of an application can have: it is
// what the full chain costs that is looked at here. Limits count and refuse nobody.
const chainSettings = `
upstreams: {hr: {endpoints: ["{HR}"], concurrency: {max: 1000, adaptive: true}}}
rate_limits:
  per-address: {key: [client.address], rate: 100000000/1m}
  per-user: {key: [subject.id], rate: 100000000/1m}
overload: {in_flight: 5000, roles: [oncall]}
csrf: {secret: 0123456789abcdef0123456789abcdef}
guard:
  auth_failures: {}
  token_failures: {}
  credential_stuffing: {}
  api_abuse: {}
  enumeration: {}
  data_volume: {records: 1000000000, sensitive: 1000000000}
  privilege_escalation: {}
policies: {path: "{REGO}", budget: 5s, tests: off, probes: off}
routes:
  - name: employees
    match: {path: /api/employees/}
    upstream: hr
    authn: {issuers: [auth], forward_token: false, cookie: __Host-session}
    session: {idle: 15m}
    rate_limits: [per-address, per-user]
    limits: {in_flight: 1000}
    acl: {deny: [203.0.113.0/24]}
    cors: {origins: ["https://app.example.com"]}
    sanitize: {html: strip, sql_injection: report}
    policy: {masks: required, rows: required}
`

// chain is the stages of a route, without a server and without an upstream: what
// is between the head of a request and its answer.
type chain struct {
	w        *world
	plan     *Plan
	stages   []middleware.Stage // as they are served: measured by the metrics
	bare     []middleware.Stage // the same without that
	upstream middleware.Handler
	answer   []byte
	token    string
	method   string
	target   string
	buffer   []byte
	n        int
}

// newChain builds the chain for a request that is answered with so many records.
func newChain(tb testing.TB, records int) *chain {
	tb.Helper()
	w := open(tb)
	w.backend("HR", func(http.ResponseWriter, *http.Request) {})
	rego, err := filepath.Abs("../policies/rego")
	if err != nil {
		tb.Fatal(err)
	}
	w.vars["REGO"] = rego
	w.write("gatehouse.yaml", preamble+chainSettings)
	c, err := config.Load(w.configFile())
	if err != nil {
		tb.Fatal(err)
	}
	w.deps = &Deps{Metrics: telemetry.New()}
	plan, err := Compile(tb.Context(), c, w.deps)
	if err != nil {
		tb.Fatal(err)
	}
	w.g = New(w.deps, plan)
	b := &builder{ctx: tb.Context(), config: c, deps: w.deps, plan: &Plan{
		config: c, tls: map[string]*certs.Server{}, upstreams: map[string]*upstream.Upstream{}, lease: &lease{from: &w.deps.Shared}, memory: plan.memory,
	}}
	b.build()
	if len(b.mistakes) > 0 {
		tb.Fatal(b.mistakes)
	}
	tb.Cleanup(b.plan.lease.release)
	tb.Cleanup(w.g.Close)
	ch := &chain{w: w, plan: plan, stages: plan.pipelines[0].stages, method: "GET", target: "/api/employees/m2", buffer: make([]byte, 32<<10)}
	for _, s := range b.stages(c.Routes[0]) {
		if s != nil {
			ch.bare = append(ch.bare, s)
		}
	}
	ch.answer = chainRecords(records)
	if records > 1 {
		ch.target = "/api/employees/"
	}
	ch.token = w.issuer.token("k1", map[string]any{
		"sub": "m1", "role": "staff", "tenant": "acme", "branch": "lagos", "amr": []string{"pwd", "otp"}, "auth_time": time.Now().Unix(),
	})
	ch.upstream = func(x *middleware.Exchange) (*http.Response, error) {
		x.Answered = http.StatusOK
		return &http.Response{
			Status: "200 OK", StatusCode: http.StatusOK, Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
			Header:        http.Header{"Content-Type": {"application/json"}, "Date": {"Sun, 22 Nov 2026 17:00:00 GMT"}, "Content-Length": {fmt.Sprint(len(ch.answer))}},
			Body:          io.NopCloser(bytes.NewReader(ch.answer)),
			ContentLength: int64(len(ch.answer)), Request: x.Request,
		}, nil
	}
	eventually(tb, "the issuer's keys", func() bool { return plan.issuers["auth"].Ready() == nil })
	return ch
}

// chainRecords is a record of about a kilobyte, of which a colleague sees two
// thirds, or a list of such.
func chainRecords(n int) []byte {
	record := func(i int) map[string]any {
		return map[string]any{
			"id": fmt.Sprintf("m%d", i+2), "tenant": "acme", "branch": "lagos", "name": "Adaeze O'Brien", "email": "adaeze@acme.example",
			"phone": "+234 803 555 0101", "job_title": "Partner, R&D", "hired": "2016-03-01",
			"bio":      strings.Repeat("Adaeze works in Lagos, likes R&D and knows that 5 < 6. ", 6),
			"personal": map[string]any{"ssn": "123-45-6701", "date_of_birth": "1981-04-12", "address": map[string]any{"street": "1 Marina Road", "city": "Lagos"}},
			"pay":      map[string]any{"salary": 9800000, "currency": "NGN", "bank": map[string]any{"name": "First Bank", "account": "0123456701"}},
			"health":   map[string]any{"blood_group": "O+", "conditions": []string{"none"}, "insurance_id": "HX-1001"},
			"education": []any{
				map[string]any{"school": "University of Lagos", "degree": "BSc", "gpa": 3.2, "transcript": "TR-0001"},
			},
		}
	}
	var v any = record(0)
	if n > 1 {
		all := make([]any, n)
		for i := range all {
			all[i] = record(i)
		}
		v = map[string]any{"count": n, "items": all}
	}
	b, err := json.Marshal(v)
	if err != nil {
		panic(err)
	}
	return b
}

// exchange makes what the gateway hands to a route's first stage.
func (c *chain) exchange() *middleware.Exchange {
	c.n++
	r, err := http.NewRequest(c.method, "http://hr.example"+c.target+"?page=2&page_size=50", nil)
	if err != nil {
		panic(err)
	}
	r.RemoteAddr = "192.0.2.7:1234"
	r.Header = http.Header{
		"Authorization": {"Bearer " + c.token}, "Accept": {"application/json"}, "Accept-Encoding": {"gzip, deflate"},
		"User-Agent": {"Mozilla/5.0 (X11; Linux x86_64)"}, "X-Request-Id": {"abc"}, "X-Forwarded-For": {"192.0.2.7"},
	}
	return &middleware.Exchange{
		ID: "0123456789abcdef", Start: time.Now(), Client: netip.AddrFrom4([4]byte{192, 0, 2, 7}), Listener: "public", TLS: "1.3", Secure: true,
		Route: c.plan.pipelines[0].route, Host: "hr.example", Path: c.target, Forward: c.target, Request: r,
		Memory: c.plan.memory, Spool: c.plan.spool,
	}
}

// ask makes one request and reads its answer.
func (c *chain) ask(h middleware.Handler) error {
	x := c.exchange()
	defer x.Release()
	res, err := h(x)
	if err != nil {
		return err
	}
	for {
		_, err := res.Body.Read(c.buffer)
		if err == io.EOF {
			break
		}
		if err != nil {
			return err
		}
	}
	return res.Body.Close()
}

// cost is what a request costs.
type cost struct {
	time   time.Duration
	allocs float64
}

// measure gives what each of some handlers costs: the least of rounds in which
// they take turns, for what else the machine does only ever adds. Rounds are short,
// so what the garbage collector does is mostly not in it: that is what the
// allocations are told for.
func (c *chain) measure(tb testing.TB, handlers []middleware.Handler, rounds int) []cost {
	const requests = 100
	out := make([]cost, len(handlers))
	for i, h := range handlers {
		if err := c.ask(h); err != nil {
			tb.Fatalf("%d: %v", i, err)
		}
		out[i] = cost{time.Hour, testing.AllocsPerRun(200, func() { _ = c.ask(h) })}
	}
	for range rounds {
		for i, h := range handlers {
			begin := processorTime(tb)
			for range requests {
				_ = c.ask(h)
			}
			out[i].time = min(out[i].time, (processorTime(tb)-begin)/requests)
		}
	}
	return out
}

// processorTime is what the process has taken so far, of all its threads: what else
// the machine does is not in it.
func processorTime(tb testing.TB) time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		tb.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// BenchmarkChain prints what each stage of the full chain costs for one request
// whose token, decision and plan of masks are known: the difference between the
// list that ends with the stage and the list that ends before it. It runs once,
// whatever -benchtime says.
func BenchmarkChain(b *testing.B) {
	for _, records := range []int{1, 100} {
		b.Run(fmt.Sprintf("records=%d", records), func(b *testing.B) {
			c := newChain(b, records)
			handlers := make([]middleware.Handler, len(c.bare)+2)
			for i := range len(c.bare) + 1 {
				handlers[i] = middleware.Chain(c.upstream, c.bare[:i]...)
			}
			handlers[len(c.bare)+1] = middleware.Chain(c.upstream, c.stages...)
			costs := c.measure(b, handlers, 200)
			var out strings.Builder
			t := tabwriter.NewWriter(&out, 0, 0, 2, ' ', tabwriter.AlignRight)
			fmt.Fprintln(t, "stage\tus\tallocs\t")
			line := func(name string, a, b cost) {
				fmt.Fprintf(t, "%s\t%.2f\t%.0f\t\n", name, float64((a.time-b.time).Nanoseconds())/1000, a.allocs-b.allocs)
			}
			line("nothing", costs[0], cost{})
			for i, s := range c.bare {
				line(s.Name(), costs[i+1], costs[i])
			}
			full := costs[len(c.bare)]
			line("all stages", full, costs[0])
			line("their metrics", costs[len(c.bare)+1], full)
			_ = t.Flush()
			fmt.Printf("\n%s\n", out.String())
			b.ReportMetric(float64((full.time-costs[0].time).Nanoseconds())/1000, "us/chain")
			b.ReportMetric(full.allocs-costs[0].allocs, "allocs/chain")
			b.ReportMetric(0, "ns/op")
		})
	}
}

// BenchmarkFullChain is the whole list, for profiles.
func BenchmarkFullChain(b *testing.B) {
	for _, records := range []int{0, 1, 100} {
		b.Run(fmt.Sprintf("records=%d", records), func(b *testing.B) {
			c := newChain(b, max(records, 1))
			stages := c.bare
			if records == 0 {
				stages = nil
			}
			h := middleware.Chain(c.upstream, stages...)
			b.ReportAllocs()
			for b.Loop() {
				if err := c.ask(h); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
