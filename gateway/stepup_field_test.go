package gateway

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
)

// freshly is a policy that shows health to hr within five minutes of a one-time
// password, and says to the backend how old the sign-in is that it judges. That is
// named, so that it keeps no decision from being shared.
const freshly = `
import data.stepup

allow if input.subject.role in {"hr", "staff"}

mask contains {"path": "$..health", "action": "drop"} if {
	input.resource.route == "employees"
	not stepup.health
}

mask contains {"path": "$..conditions", "action": "drop"} if {
	input.resource.route == "employees"
	not stepup.health
}

all_fields if {
	input.resource.route == "employees"
	stepup.health
}

all_fields if input.resource.route == "notices"

headers["X-Age"] := {"input": "subject.auth_age"} if {
	input.resource.route == "employees"
	input.subject.auth_age
}
`

const freshlyRule = `package stepup

health if {
	input.subject.role == "hr"
	"otp" in input.subject.amr
	input.subject.auth_age <= 300
}
`

const freshlyRoutes = `
upstreams: {hr: {endpoints: ["{HR}"]}}
routes:
  - {name: employees, match: {path: /api/employees/}, upstream: hr, authn: {issuers: [auth]}, policy: {masks: required}}
  - {name: notices, match: {path: /api/notices/}, upstream: hr, authn: {issuers: [auth]}, policy: {}}
decisions: {output: decisions.jsonl}
`

const ailing = `{"id":"e2","health":{"conditions":["asthma"]}}`

// openFreshly serves records with health in them, as JSON or as a table.
func openFreshly(t *testing.T) *world {
	t.Helper()
	w := open(t)
	w.backend("HR", func(rw http.ResponseWriter, r *http.Request) {
		rw.Header().Set("X-Judged", r.Header.Get("X-Age"))
		rw.Header().Set("ETag", `"e2-with-health"`)
		rw.Header().Set("Last-Modified", "Mon, 02 Nov 2026 10:00:00 GMT")
		rw.Header().Set("Cache-Control", "public, max-age=600")
		rw.Header().Set("Expires", "Mon, 02 Nov 2037 10:00:00 GMT")
		switch {
		case strings.HasSuffix(r.URL.Path, "/export"):
			rw.Header().Set("Content-Type", "text/csv; charset=utf-8")
			_, _ = io.WriteString(rw, "id,conditions\r\ne2,asthma\r\n")
		case strings.HasSuffix(r.URL.Path, "/stream"):
			rw.Header().Set("Content-Type", "application/x-ndjson")
			_, _ = io.WriteString(rw, ailing+"\n"+ailing+"\n")
		default:
			rw.Header().Set("Content-Type", "application/json")
			_, _ = io.WriteString(rw, ailing)
		}
	})
	w.write("rego/stepup/stepup.rego", freshlyRule)
	w.start(freshlyRoutes, freshly)
	return w
}

// bearer is a token of ada's, of hr, with claims of its own.
func (w *world) bearer(claims map[string]any) string {
	all := map[string]any{"sub": "ada", "role": "hr", "tenant": "acme"}
	for k, v := range claims {
		all[k] = v
	}
	return "Authorization: Bearer " + w.issuer.token(w.issuer.kid, all)
}

// TestFreshDecisionIsNeverTheStaleOnes: two tokens of one person, one with a fresh
// second factor, ask in turns over both protocols, and decisions are remembered.
func TestFreshDecisionIsNeverTheStaleOnes(t *testing.T) {
	w := openFreshly(t)
	now := time.Now().Unix()
	otp := []string{"pwd", "otp"}
	tokens := []struct {
		name   string
		bearer string
		shown  bool
	}{
		{"fresh", w.bearer(map[string]any{"amr": otp, "auth_time": now}), true},
		{"stale", w.bearer(map[string]any{"amr": otp, "auth_time": now - 301}), false},
		{"fresh again, another token", w.bearer(map[string]any{"amr": otp, "auth_time": now, "jti": "2"}), true},
		{"by password", w.bearer(map[string]any{"amr": []string{"pwd"}, "auth_time": now}), false},
		{"does not say when", w.bearer(map[string]any{"amr": otp}), false},
		{"a clock that is ahead", w.bearer(map[string]any{"amr": otp, "auth_time": now + 20}), true},
		{"another role", w.bearer(map[string]any{"amr": otp, "auth_time": now, "role": "staff"}), false},
	}
	for round := range 6 {
		client := w.client(round%2 == 0)
		for _, tt := range tokens {
			for _, path := range []string{"/api/employees/e2", "/api/employees/export", "/api/employees/stream"} {
				got := do(t, client, w.request("GET", path, nil, tt.bearer))
				if got.StatusCode != 200 || strings.Contains(got.body, "asthma") != tt.shown {
					t.Fatalf("round %d, %s, %s: %s %s", round, tt.name, path, got.Status, got.body)
				}
			}
		}
		slices.Reverse(tokens)
	}
	if hits := w.remembered(); hits < 50 {
		t.Errorf("%d decisions were remembered: this shows little", hits)
	}
}

// remembered counts the decisions on record that were. The log is written behind.
func (w *world) remembered() (hits int) {
	w.t.Helper()
	for range 1500 {
		hits = 0
		text, err := os.ReadFile(filepath.Join(w.dir, "decisions.jsonl"))
		if err != nil {
			w.t.Fatal(err)
		}
		for line := range strings.SplitSeq(string(text), "\n") {
			var r struct {
				MemoHit bool `json:"memo_hit"`
			}
			if json.Unmarshal([]byte(line), &r) == nil && r.MemoHit {
				hits++
			}
		}
		if hits >= 50 {
			return hits
		}
		time.Sleep(20 * time.Millisecond)
	}
	return hits
}

// TestOneTokenGoesStale: the same token, before and after its five minutes. Each
// answer says how old the sign-in was by which it was judged, and is held to that:
// no clock of the test's own has a say.
func TestOneTokenGoesStale(t *testing.T) {
	t.Parallel() // it mostly waits
	w := openFreshly(t)
	bearer := w.bearer(map[string]any{"amr": []string{"otp"}, "auth_time": time.Now().Unix() - 297})
	client := w.client(true)
	seen := map[bool]int{}
	for seen[false] < 3 {
		got := do(t, client, w.request("GET", "/api/employees/e2", nil, bearer))
		age, err := strconv.Atoi(got.Header.Get("X-Judged"))
		if err != nil || got.StatusCode != 200 || age < 297 || age > 600 {
			t.Fatalf("%s, age %q: %s", got.Status, got.Header.Get("X-Judged"), got.body)
		}
		shown := strings.Contains(got.body, "asthma")
		if shown != (age <= 300) {
			t.Fatalf("%d s after signing in: %s", age, got.body)
		}
		seen[shown]++
		time.Sleep(50 * time.Millisecond)
	}
	t.Logf("shown %d times, then masked", seen[true])
}

// TestFreshnessCannotBeMadeUp: claims that look like a fresh second factor, to
// somebody who reads loosely. Each is refused, or shows no health.
func TestFreshnessCannotBeMadeUp(t *testing.T) {
	w := openFreshly(t)
	now := time.Now().Unix()
	otp := []string{"otp"}
	for name, claims := range map[string]map[string]any{
		"a time in words":               {"amr": otp, "auth_time": fmt.Sprint(now)},
		"a time in a list":              {"amr": otp, "auth_time": []any{now}},
		"a time in an object":           {"amr": otp, "auth_time": map[string]any{"at": now}},
		"true":                          {"amr": otp, "auth_time": true},
		"null":                          {"amr": otp, "auth_time": nil},
		"nought":                        {"amr": otp, "auth_time": 0},
		"before there was time":         {"amr": otp, "auth_time": -now},
		"in an hour":                    {"amr": otp, "auth_time": now + 3600},
		"in the year 9999":              {"amr": otp, "auth_time": int64(253402300799)},
		"beyond all years":              {"amr": otp, "auth_time": json.Number("1e300")},
		"beyond what a number holds":    {"amr": otp, "auth_time": json.Number("18446744073709551617")},
		"so small that it is nought":    {"amr": otp, "auth_time": json.Number("1e-300")},
		"in milliseconds":               {"amr": otp, "auth_time": now * 1000},
		"an age":                        {"amr": otp, "auth_age": 0},
		"an age and an old time":        {"amr": otp, "auth_age": 0, "auth_time": now - 301},
		"a time elsewhere":              {"amr": otp, "updated_at": now, "claims": map[string]any{"auth_time": now}},
		"the time of issue":             {"amr": otp, "iat": now},
		"a name in other letters":       {"amr": otp, "Auth_Time": now, "auth-time": now, "authTime": now},
		"a method in other letters":     {"amr": []string{"OTP"}, "auth_time": now},
		"a method with a blank":         {"amr": []string{" otp"}, "auth_time": now},
		"methods in one text":           {"amr": "pwd otp", "auth_time": now},
		"methods in one text, by comma": {"amr": "pwd,otp", "auth_time": now},
		"methods in a list in a list":   {"amr": []any{[]any{"otp"}}, "auth_time": now},
		"methods as members":            {"amr": map[string]any{"otp": true}, "auth_time": now},
		"a method as a value":           {"amr": map[string]any{"method": "otp"}, "auth_time": now},
		"a number among methods":        {"amr": []any{"otp", 1}, "auth_time": now},
		"an empty method":               {"amr": []any{"otp", ""}, "auth_time": now},
		"no list":                       {"amr": nil, "auth_time": now},
		"the method elsewhere":          {"acr": "otp", "amr": []string{}, "auth_time": now, "roles": otp},
	} {
		got := do(t, w.client(false), w.request("GET", "/api/employees/e2", nil, w.bearer(claims)))
		if strings.Contains(got.body, "asthma") || got.StatusCode != 200 && got.StatusCode != 401 {
			t.Errorf("%s: %s %s", name, got.Status, got.body)
		}
	}
	for name, claims := range map[string]map[string]any{
		"the control":                    {"amr": otp, "auth_time": now},
		"a fraction, which RFC 7519 has": {"amr": otp, "auth_time": json.Number(fmt.Sprintf("%d.75", now))},
		"an exponent":                    {"amr": otp, "auth_time": json.Number(fmt.Sprintf("%de0", now))},
		"one method as a text":           {"amr": "otp", "auth_time": now},
	} {
		got := do(t, w.client(false), w.request("GET", "/api/employees/e2", nil, w.bearer(claims)))
		if got.StatusCode != 200 || !strings.Contains(got.body, "asthma") {
			t.Errorf("%s: %s %s", name, got.Status, got.body)
		}
	}
}

// TestMaskedUntilFreshLeavesNoTrace: what an answer that is masked carries besides
// its body tells nothing of what a fresh one would, and no cache may keep either:
// the shown one must not be there for the same person a while later.
func TestMaskedUntilFreshLeavesNoTrace(t *testing.T) {
	w := openFreshly(t)
	now := time.Now().Unix()
	fresh := w.bearer(map[string]any{"amr": []string{"otp"}, "auth_time": now})
	stale := w.bearer(map[string]any{"amr": []string{"otp"}, "auth_time": now - 301})
	for _, h2 := range []bool{true, false} {
		client := w.client(h2)
		for _, method := range []string{"GET", "HEAD"} {
			got := do(t, client, w.request(method, "/api/employees/e2", nil, stale, `If-None-Match: "e2-with-health"`, "Range: bytes=0-20"))
			h := got.Header
			if got.StatusCode != 200 || h.Get("ETag") != "" || strings.Contains(got.body, "asthma") ||
				!strings.Contains(h.Get("Cache-Control"), "no-store") || h.Get("Content-Length") == strconv.Itoa(len(ailing)) {
				t.Errorf("%s, masked: %s %v %s", method, got.Status, h, got.body)
			}
			got = do(t, client, w.request(method, "/api/employees/e2", nil, fresh))
			if cc := got.Header.Values("Cache-Control"); got.StatusCode != 200 || !slices.Equal(cc, []string{"private, no-store"}) || got.Header.Get("Expires") != "" {
				t.Errorf("%s, shown: %s %q", method, got.Status, cc)
			}
		}
	}
	// Where no decision depends on the sign-in the caller's own cache may keep what
	// the upstream lets it keep.
	if got := do(t, w.client(true), w.request("GET", "/api/notices/", nil, stale)); got.Header.Get("Cache-Control") != "private, max-age=600" {
		t.Errorf("notices: %s %q", got.Status, got.Header.Get("Cache-Control"))
	}
}

// TestMaskedUntilFreshIsNoOracle: a filter or an order over what is masked now is
// refused and does not reach the backend; after the factor it does.
func TestMaskedUntilFreshIsNoOracle(t *testing.T) {
	w := openFreshly(t)
	now := time.Now().Unix()
	fresh := w.bearer(map[string]any{"amr": []string{"otp"}, "auth_time": now})
	stale := w.bearer(map[string]any{"amr": []string{"otp"}, "auth_time": now - 301})
	for _, query := range []string{"ordering=-conditions", "conditions__contains=asthma", "filter[health.conditions]=asthma", "sort=health"} {
		got := do(t, w.client(true), w.request("GET", "/api/employees/?"+query, nil, stale))
		if got.Header.Get("X-Judged") != "" || got.StatusCode < 400 {
			t.Errorf("%s: %s, the backend saw it: %s", query, got.Status, got.body)
		}
		got = do(t, w.client(true), w.request("GET", "/api/employees/?"+query, nil, fresh))
		if got.StatusCode != 200 || !strings.Contains(got.body, "asthma") {
			t.Errorf("%s, after the factor: %s %s", query, got.Status, got.body)
		}
	}
}
