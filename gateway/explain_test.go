package gateway

import (
	"bytes"
	"encoding/json"
	"flag"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

var update = flag.Bool("update", false, "write the golden files anew")

const explained = `
upstreams: {hr: {endpoints: ["{HR}"]}}
rate_limits: {few: {key: [client.address], rate: 1000/1m}}
routes:
  - name: employees
    match: {path: "/api/employees/{id}", methods: [GET, PUT]}
    upstream: hr
    authn: {issuers: [auth]}
    rate_limits: [few]
    policy: {masks: required, rows: required}
    rewrite: {strip_prefix: /api}
  - name: status
    match: {path: /status}
    upstream: hr
    public: true
    policy: "off"
`

const explainedPolicy = masking + `
deny contains {"code": "read_only", "message": "Staff only read."} if {
	input.subject.role == "staff"
	input.action.name != "read"
}
`

func TestExplain(t *testing.T) {
	w := open(t)
	w.vars["HR"] = "http://127.0.0.1:1"
	p := w.compile(explained, explainedPolicy)
	defer p.Close()
	staff := map[string]any{"iss": "https://auth.example.com", "sub": "e2", "role": "staff", "tenant": "acme"}
	for _, tt := range []struct {
		name, method, url string
		claims            map[string]any
	}{
		{"passes", "GET", "https://api.example.com/api/employees/e%3B2?x=1", staff},
		{"denied", "PUT", "/api/employees/e2", staff},
		{"unmet", "GET", "/api/employees/e2", map[string]any{"iss": "https://auth.example.com", "sub": "g1", "role": "guest"}},
		{"unknown", "GET", "/api/salaries/", nil},
	} {
		t.Run(tt.name, func(t *testing.T) {
			e, err := p.Explain(tt.method, tt.url, tt.claims, time.Date(2026, 11, 22, 14, 0, 0, 0, time.UTC))
			if err != nil {
				t.Fatal(err)
			}
			var got bytes.Buffer
			enc := json.NewEncoder(&got)
			enc.SetIndent("", "  ")
			enc.SetEscapeHTML(false)
			if err := enc.Encode(e); err != nil {
				t.Fatal(err)
			}
			golden := filepath.Join("testdata", "explain", tt.name+".json")
			if *update {
				if err := os.WriteFile(golden, got.Bytes(), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(golden)
			if err != nil {
				t.Fatal(err)
			}
			if d := cmp.Diff(string(want), got.String()); d != "" {
				t.Errorf("%s:\n%s", golden, d)
			}
		})
	}
	if _, err := p.Explain("GET", "http://[", nil, time.Now()); err == nil {
		t.Error("an address that is none was explained")
	}
}

// What is explained is what happens.
func TestExplainIsTrue(t *testing.T) {
	w := open(t)
	w.backend("HR", (&witness{}).ServeHTTP)
	w.start(explained, explainedPolicy)
	c := w.client(false)
	for _, tt := range []struct {
		method, path string
		claims       map[string]any
	}{
		{"GET", "/api/employees/e2", map[string]any{"sub": "e2", "role": "staff", "tenant": "acme"}},
		{"HEAD", "/api/employees/e2", map[string]any{"sub": "e2", "role": "staff", "tenant": "acme"}},
		{"PUT", "/api/employees/e2", map[string]any{"sub": "e2", "role": "staff", "tenant": "acme"}},
		{"GET", "/api/employees/e2", map[string]any{"sub": "e2", "role": "guest"}},
		{"GET", "/api/employees/e2", map[string]any{"role": "staff"}},
		{"GET", "/api/employees/e2", map[string]any{"sub": []any{"e2"}, "role": "staff"}},
		{"GET", "/api/employees/e2", nil},
		{"DELETE", "/api/employees/e2", nil},
		{"GET", "/status", nil},
		{"TRACE", "/status", nil},
		{"GET", "/status/", nil},
		{"GET", "/api/../status", nil},
		{"GET", "/status?a=%zz", nil},
	} {
		name := tt.method + " " + tt.path
		var headers []string
		claims := maps.Clone(tt.claims)
		if claims != nil {
			headers = append(headers, "Authorization: Bearer "+w.issuer.token(w.issuer.kid, claims))
			claims["iss"] = "https://auth.example.com"
		}
		e, err := w.g.Plan().Explain(tt.method, w.base+tt.path, claims, time.Now())
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		a := do(t, c, w.request(tt.method, tt.path, nil, headers...))
		want := ""
		if e.Refused != nil {
			want = e.Refused.Code
		}
		var got struct{ Code string }
		_ = json.Unmarshal([]byte(a.body), &got) // an answer of the backend has none
		if got.Code != want || e.Refused != nil && e.Refused.Status != a.StatusCode {
			t.Errorf("%s %v: explained as %q %+v, was %s %s", name, tt.claims, want, e.Refused, a.Status, a.body)
		}
		if forwarded := a.StatusCode == 200; forwarded && strings.Contains(e.Forward, "/api") {
			t.Errorf("%s: the path to the backend is explained as %s", name, e.Forward)
		}
	}
}
