package gateway

import (
	"encoding/json"
	"fmt"
	"net/http"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// numbered is a policy that says its number to the backend and masks the field
// that goes with it.
func numbered(i int) string {
	return fmt.Sprintf(`package gatehouse

allow if input.subject.role == "staff"

mask contains {"path": "$..v%d", "action": "redact"}

headers["X-Policy"] := "%d"
`, i%10, i)
}

// TestPolicySwapsUnderLoad: an answer is masked as the policies say that decided
// about it, whichever these were, and what swapping leaves behind does not
// grow. Decisions are remembered all the while.
func TestPolicySwapsUnderLoad(t *testing.T) {
	swaps := 1000
	if raceEnabled {
		swaps = 300
	}
	w := open(t)
	w.backend("HR", func(rw http.ResponseWriter, r *http.Request) {
		rw.Header().Set("Content-Type", "application/json")
		var b strings.Builder
		for i := range 10 {
			fmt.Fprintf(&b, `,"v%d":%d`, i, i)
		}
		fmt.Fprintf(rw, `{"policy":%q%s}`, r.Header.Get("X-Policy"), b.String())
	})
	w.write("rego/gatehouse.rego", numbered(0))
	w.start(`
upstreams: {hr: {endpoints: ["{HR}"]}}
policies: {path: rego, budget: 10s, memo: {audit_every: 10}}
routes: [{name: all, match: {path: /}, upstream: hr, authn: {issuers: [auth]}}]
`, "")
	token := w.as("e2", "staff")
	var sent, wrong atomic.Int64
	stop := make(chan struct{})
	var clients sync.WaitGroup
	for i := range 3 {
		client := w.client(i == 0)
		clients.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
				}
				sent.Add(1)
				if err := maskedAsDecided(do(t, client, w.request("GET", "/x", nil, token))); err != nil && wrong.Add(1) <= 5 {
					t.Error(err)
				}
			}
		})
	}
	heap := func() int64 {
		var m runtime.MemStats
		runtime.GC()
		runtime.ReadMemStats(&m)
		return int64(m.HeapAlloc)
	}
	var early int64
	for i := 1; i <= swaps; i++ {
		w.write("rego/gatehouse.rego", numbered(i))
		if err := w.reloader.Reload(t.Context()); err != nil {
			t.Fatal(err)
		}
		if i == swaps/5 {
			early = heap()
		}
	}
	close(stop)
	clients.Wait()
	const most = 8 << 20
	grown := heap() - early
	for range 300 { // plans that were replaced are closed when their last request is over
		if grown <= most {
			break
		}
		time.Sleep(100 * time.Millisecond)
		grown = heap() - early
	}
	stats := w.g.Plan().memoStats()
	t.Logf("%d swaps under %d requests: %d wrong, %d mismatches of the memo, the heap grew by %d KiB", swaps, sent.Load(), wrong.Load(), stats.Mismatches, grown>>10)
	if grown > most || stats.Mismatches > 0 {
		t.Errorf("the heap grew by %d bytes, %d mismatches", grown, stats.Mismatches)
	}
}

// maskedAsDecided checks that the field is masked that goes with the policy of
// the number, and no other.
func maskedAsDecided(a answer) error {
	var body map[string]any
	if err := json.Unmarshal([]byte(a.body), &body); err != nil || a.StatusCode != http.StatusOK {
		return fmt.Errorf("%s: %.200s", a.Status, a.body)
	}
	var policy int
	if _, err := fmt.Sscan(body["policy"].(string), &policy); err != nil {
		return fmt.Errorf("no policy: %.200s", a.body)
	}
	for i := range 10 {
		want := any(float64(i))
		if i == policy%10 {
			want = "***"
		}
		if got := body[fmt.Sprint("v", i)]; got != want {
			return fmt.Errorf("policy %d: v%d is %v, want %v", policy, i, got, want)
		}
	}
	return nil
}
