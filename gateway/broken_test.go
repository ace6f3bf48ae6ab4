package gateway

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"

	"github.com/gatehouse-dev/gatehouse/middleware/headers"
)

// secret is what no client may ever receive a byte of.
const secret = "5400000"

// one is a configuration with one route that needs a token and is masked.
const one = `
upstreams: {hr: {endpoints: ["{HR}"]}}
routes:
  - name: employees
    match: {path: /api/employees/}
    upstream: hr
    authn: {issuers: [auth]}
    policy: {masks: required, rows: required}
`

// masking is a policy under which staff see no salary.
const masking = `
allow if input.subject.role == "staff"
mask contains {"path": "$..salary", "action": "redact"}
all_rows if true
headers["X-User-Id"] := {"input": "subject.id"}
`

// witness is a backend that remembers what it saw.
type witness struct {
	mu   sync.Mutex
	seen []string
	http.HandlerFunc
}

func (v *witness) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	var head bytes.Buffer
	fmt.Fprintf(&head, "%s %s\n", r.Method, r.RequestURI)
	_ = r.Header.Write(&head)
	_ = r.Trailer.Write(&head)
	fmt.Fprintf(&head, "%s%v", body, err)
	v.mu.Lock()
	v.seen = append(v.seen, head.String())
	v.mu.Unlock()
	if v.HandlerFunc != nil {
		v.HandlerFunc(w, r)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	fmt.Fprintf(w, `{"id": "e2", "salary": %s}`, secret)
}

func (v *witness) requests() []string {
	v.mu.Lock()
	defer v.mu.Unlock()
	return append([]string(nil), v.seen...)
}

// broken is one dependency that does not do its part.
type broken struct {
	name     string
	settings string // "": one
	policy   string // "": masking
	backend  http.HandlerFunc
	prepare  func(w *world)               // before the gateway starts
	compile  func(w *world, p *Plan)      // before the plan serves
	request  func(w *world) *http.Request // nil: GET of an employee by a staff member
	check    func(t *testing.T, w *world) // instead of one request
	status   int
	code     string
	saw      int // requests that reach the backend

	closes bool
}

func TestBrokenDependencies(t *testing.T) {
	t.Parallel() // it mostly waits
	for _, tests := range [][]broken{brokenPolicies(), brokenIssuers(), brokenUpstreams(), brokenSelf()} {
		for _, tt := range tests {
			t.Run(tt.name, func(t *testing.T) { tt.run(t) })
		}
	}
}

func (tt *broken) run(t *testing.T) {
	w := open(t)
	hr := &witness{HandlerFunc: tt.backend}
	w.backend("HR", hr.ServeHTTP)
	if tt.prepare != nil {
		tt.prepare(w)
	}
	settings, policy := tt.settings, tt.policy
	if settings == "" {
		settings = one
	}
	if policy == "" {
		policy = masking
	}
	p := w.compile(settings, policy)
	if tt.compile != nil {
		tt.compile(w, p)
	}
	w.serve(p)
	if tt.check != nil {
		tt.check(t, w)
	} else {
		for i, h2 := range []bool{false, true} {
			r := w.request("GET", "/api/employees/7", nil, w.as("e2", "staff"))
			if tt.request != nil {
				r = tt.request(w)
			}
			a := do(t, w.client(h2), r)
			refused(t, a, tt.status, tt.code)
			if closed := a.Close; !h2 && closed != tt.closes {
				t.Errorf("the connection is closed: %v, want %v", closed, tt.closes)
			}
			eventually(t, "the backend sees it", func() bool { return len(hr.requests()) >= (i+1)*tt.saw })
			if n := len(hr.requests()); n != (i+1)*tt.saw {
				t.Errorf("the backend saw %d requests, want %d: %q", n, (i+1)*tt.saw, hr.requests())
			}
			e := w.exchanges(i + 1)[i]
			if e["code"] != tt.code || e["status"] != float64(tt.status) {
				t.Errorf("on record: %v", e)
			}
		}
	}
	w.close()
	if left := p.memory; !left.Take(int64(p.config.Limits.BodyMemory)) {
		t.Error("memory of bodies was not given back")
	}
}

// refused verifies a refusal: its status and code, the form of RFC 9457, the
// headers that every answer has, and that nothing of the backend is in it.
func refused(t *testing.T, a answer, status int, code string) {
	t.Helper()
	var p struct {
		Type, Title, Code, Detail string
		Status                    int
		ID                        string `json:"request_id"`
	}
	if err := json.Unmarshal([]byte(a.body), &p); err != nil || a.err != nil {
		t.Fatalf("%s: the answer is no problem: %q %v", a.Status, a.body, a.err)
	}
	id := a.Header.Get("X-Request-Id")
	if a.StatusCode != status || p.Code != code || p.Status != status || p.Type != "about:blank" || p.Title != http.StatusText(status) || p.Detail == "" {
		t.Errorf("got %s %s, want %d %s", a.Status, a.body, status, code)
	}
	if len(id) != 32 || p.ID != id {
		t.Errorf("request id %q in the head, %q in the body", id, p.ID)
	}
	for name, want := range map[string]string{
		"Content-Type": "application/problem+json", "Strict-Transport-Security": headers.HSTS, "X-Content-Type-Options": "nosniff",
	} {
		if got := a.Header.Get(name); got != want {
			t.Errorf("%s: got %q, want %q", name, got, want)
		}
	}
	if !strings.Contains(a.Header.Get("Cache-Control"), "no-store") {
		t.Errorf("Cache-Control: %q", a.Header.Get("Cache-Control"))
	}
	whole := fmt.Sprint(a.Header, a.body)
	for _, word := range []string{secret, "127.0.0.1:", "panic", "goroutine", ".rego"} {
		if strings.Contains(whole, word) {
			t.Errorf("the answer tells %q: %s", word, whole)
		}
	}
}
