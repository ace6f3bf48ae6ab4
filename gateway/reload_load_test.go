package gateway

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// Two plans that differ in everything a request can notice. An answer must be
// of one of them in all respects: the policy's header, the mask, the rewrite
// and the backend.
const (
	policyA = `
allow if input.subject.role == "staff"
mask contains {"path": "$..salary", "action": "redact"}
rows contains {"path": "$", "where": [{"field": "tenant", "op": "eq", "input": "subject.tenant"}]}
headers["X-Marker"] := "A"
`
	policyB = `
allow if input.subject.role == "staff"
mask contains {"path": "$..salary", "action": "drop"}
all_rows if true
headers["X-Marker"] := "B"
`
	settingsA = `
upstreams: {hr: {endpoints: ["{A}"]}}
policies: {path: rego, budget: 10s}
routes:
  - name: employees
    match: {path: /api/employees/}
    upstream: hr
    authn: {issuers: [auth]}
    policy: {masks: required, rows: required}
    sanitize: {html: strip}
    rewrite: {strip_prefix: /api}
  - {name: plain, match: {path: /plain/}, upstream: hr, public: true, policy: "off"}
`
	settingsB = `
upstreams: {hr: {endpoints: ["{B}"]}}
policies: {path: rego, budget: 10s}
rate_limits: {wide: {key: [client.address], rate: 1000000/1s}}
routes:
  - name: employees
    match: {path: /api/employees/}
    upstream: hr
    authn: {issuers: [auth]}
    rate_limits: [wide]
    policy: {masks: required, rows: required}
    sanitize: {html: strip}
  - {name: plain, match: {path: /plain/}, upstream: hr, public: true, policy: "off", rate_limits: [wide], rewrite: {strip_prefix: /plain}}
`
)

// view is what an answer shows of the plan that made it.
type view struct {
	Backend string `json:"backend"`
	Marker  string `json:"marker"`
	Path    string `json:"path"`
	Salary  any    `json:"salary"`
	Body    string `json:"body"`
}

// echo is a backend that tells what it was asked.
func echo(name string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			return
		}
		w.Header().Set("Content-Type", "application/json")
		w.Header().Set("X-Backend", name)
		fmt.Fprintf(w, `{"tenant": "acme", "salary": 5400000, "backend": %q, "marker": %q, "path": %q, "body": %q}`,
			name, r.Header.Get("X-Marker"), r.URL.Path, body)
	}
}

func TestReloadUnderLoad(t *testing.T) {
	reloads := 200
	if os.Getenv("GATEHOUSE_SOAK") != "" {
		reloads = 5000
	}
	w := open(t)
	w.backend("A", echo("A"))
	w.backend("B", echo("B"))
	w.write("rego/gatehouse.rego", "package gatehouse\n"+policyA)
	w.start(settingsA, "")

	var sent, wrong atomic.Int64
	var seen [2]atomic.Int64
	stop := make(chan struct{})
	var clients sync.WaitGroup
	loads := w.loads()
	for _, l := range loads {
		clients.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
				}
				sent.Add(1)
				plan, err := l.send()
				if err != nil {
					if wrong.Add(1) <= 10 {
						t.Errorf("%s: %v", l.name, err)
					}
					continue
				}
				seen[plan].Add(1)
			}
		})
	}
	begin := time.Now()
	good, refused := w.reloadMany(reloads)
	took := time.Since(begin)
	close(stop)
	clients.Wait()
	for _, l := range loads { // one more of each, after the last reload
		if _, err := l.send(); err != nil {
			t.Errorf("%s: %v", l.name, err)
		}
	}
	t.Logf("%d reloads (%d swapped in, %d refused) in %.1fs under %d requests: %d by plan A, %d by plan B, %d failed",
		good+refused, good, refused, took.Seconds(), sent.Load(), seen[0].Load(), seen[1].Load(), wrong.Load())
	if seen[0].Load() == 0 || seen[1].Load() == 0 {
		t.Error("only one of the plans has answered")
	}
	w.close() // verifies that nothing is held; that no goroutine is left, TestMain does
}

// reloadMany goes back and forth between the plans. Every fifth time what is
// there is wrong in one way or another, and must change nothing.
func (w *world) reloadMany(n int) (good, refused int) {
	w.t.Helper()
	bad := []func(){
		func() { w.write("gatehouse.yaml", preamble+"routes: [") },
		func() {
			w.write("gatehouse.yaml", preamble+strings.Replace(settingsA, "upstream: hr", "upstream: hrr", 1))
		},
		func() { w.write("rego/gatehouse.rego", "package gatehouse\n\nallow if input.subject.rol == 1\n") },
		func() {
			w.write("gatehouse.yaml", strings.Replace(preamble, `plain: {address: "127.0.0.1:0"}`, `other: {address: "127.0.0.1:0"}`, 1)+settingsB)
		},
	}
	for i := range n {
		before := w.g.Plan()
		if i%5 == 4 {
			bad[i/5%len(bad)]()
			if err := w.reloader.Reload(w.t.Context()); err == nil || w.g.Plan() != before || w.reloader.Last().OK {
				w.t.Fatalf("reload %d: a mistake was swapped in: %v", i, err)
			}
			refused++
			continue
		}
		policy, settings := policyA, settingsA
		if i%2 == 0 {
			policy, settings = policyB, settingsB
		}
		w.write("rego/gatehouse.rego", "package gatehouse\n"+policy)
		w.write("gatehouse.yaml", preamble+settings)
		if err := w.reloader.Reload(w.t.Context()); err != nil {
			w.t.Fatalf("reload %d: %v", i, err)
		}
		if w.g.Plan() == before {
			w.t.Fatalf("reload %d changed nothing", i)
		}
		good++
	}
	return good, refused
}

// load is one client that sends the same request again and again.
type load struct {
	name   string
	client *http.Client
	make   func() *http.Request
	masked bool
	body   string
}

func (w *world) loads() []*load {
	token := w.as("e2", "staff")
	h1, h2 := w.client(false), w.client(true)
	get := func(path string, headers ...string) func() *http.Request {
		return func() *http.Request { return w.request("GET", path, nil, headers...) }
	}
	post := func(path, body string, headers ...string) func() *http.Request {
		return func() *http.Request { return w.request("POST", path, strings.NewReader(body), headers...) }
	}
	long := strings.Repeat("0123456789abcdef", 8<<10)
	return []*load{
		{"GET masked HTTP/1.1", h1, get("/api/employees/7", token), true, ""},
		{"GET masked HTTP/2", h2, get("/api/employees/7", token), true, ""},
		{"GET plain HTTP/1.1", h1, get("/plain/employees/7"), false, ""},
		{"GET plain HTTP/2", h2, get("/plain/employees/7"), false, ""},
		{"POST masked HTTP/2", h2, post("/api/employees/7", `{"a":1}`, token, "Content-Type: application/json"), true, `{"a":1}`},
		{"POST streamed HTTP/1.1", h1, func() *http.Request {
			return w.request("POST", "/plain/employees/7", struct{ io.Reader }{strings.NewReader(long)}) // chunked
		}, false, long},
		{"POST new connections", w.client(false), func() *http.Request {
			r := w.request("POST", "/plain/employees/7", strings.NewReader("x"))
			r.Close = true
			return r
		}, false, "x"},
	}
}

// send sends the request once and tells which plan has answered.
func (l *load) send() (plan int, err error) {
	res, err := l.client.Do(l.make())
	if err != nil {
		return 0, err
	}
	defer res.Body.Close()
	b, err := io.ReadAll(res.Body)
	if err != nil {
		return 0, err
	}
	var v view
	if err := json.Unmarshal(b, &v); err != nil || res.StatusCode != http.StatusOK {
		return 0, fmt.Errorf("%s: %.200s", res.Status, b)
	}
	want := []view{{"A", "", "/plain/employees/7", 5.4e6, l.body}, {"B", "", "/employees/7", 5.4e6, l.body}}
	if l.masked {
		want = []view{{"A", "A", "/employees/7", "***", l.body}, {"B", "B", "/api/employees/7", nil, l.body}}
	}
	for i := range want {
		if v == want[i] && res.Header.Get("X-Backend") == want[i].Backend {
			return i, nil
		}
	}
	return 0, fmt.Errorf("a mix of plans: %.200s", b)
}
