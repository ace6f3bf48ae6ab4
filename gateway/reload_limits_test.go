package gateway

import (
	"net/http"
	"strings"
	"testing"
)

// A reload of a gateway that serves keeps what every limit whose definition did not
// change has counted, whatever else changed, and begins anew for the one that did.
func TestReloadKeepsCounts(t *testing.T) {
	w := open(t)
	w.backend("HR", (&witness{}).ServeHTTP)
	names := []string{"bucket", "tight", "window", "log", "changed", "watched"}
	routes := ""
	for _, n := range names {
		routes += "  - {name: " + n + ", match: {path: /" + n + "/}, upstream: hr, public: true, policy: off, rate_limits: [" + n + "]}\n"
	}
	settings := func(changed string) string {
		return one + routes + `rate_limits:
  bucket:  {key: [client.address], rate: 3/1h}
  tight:   {key: [client.address, route], rate: 10/1h, burst: 3, strict: true}
  window:  {key: [client.address], rate: 3/1h, algorithm: fixed_window}
  log:     {key: [client.address], rate: 3/1h, algorithm: sliding_log}
` + changed
	}
	const rest = "  changed: {key: [client.address], rate: 3/1h}\n  watched: {key: [client.address], rate: 3/1h, mode: shadow}\n"
	w.start(settings(rest), masking)
	c := w.client(false)
	ask := func(name string) int {
		return do(t, c, w.request("GET", "/"+name+"/", nil)).StatusCode
	}
	for _, n := range names {
		for range 3 {
			if got := ask(n); got != http.StatusOK {
				t.Fatalf("%s: %d", n, got)
			}
		}
	}
	next := strings.Replace(strings.Replace(rest, "changed: {key: [client.address], rate: 3/1h", "changed: {key: [client.address], rate: 4/1h", 1), "shadow", "enforce", 1)
	for range 2 { // and once more with nothing changed
		w.write("gatehouse.yaml", preamble+settings(next)+"policies: {path: rego}\n")
		if err := w.reloader.Reload(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	for _, n := range names {
		want := http.StatusTooManyRequests
		if n == "changed" {
			want = http.StatusOK
		}
		if got := ask(n); got != want {
			t.Errorf("%s: %d after a reload, want %d", n, got, want)
		}
	}
}
