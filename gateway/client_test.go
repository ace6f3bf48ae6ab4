package gateway

import (
	"crypto/tls"
	"regexp"
	"sync"
	"testing"
)

func TestTLSVersion(t *testing.T) {
	for want, s := range map[string]*tls.ConnectionState{"": nil, "1.2": {Version: tls.VersionTLS12}, "1.3": {Version: tls.VersionTLS13}} {
		if got := tlsVersion(s); got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}

// No two requests have an id in common, from whatever goroutine, and none is a part
// of another: whoever sees one knows nothing of those before and after it.
func TestIDs(t *testing.T) {
	var source ids
	const lanes, each = 8, 500
	made := make(chan string, 3*lanes*each)
	var wg sync.WaitGroup
	for range lanes {
		wg.Go(func() {
			for range each {
				id, parent := source.make()
				trace := traceOf(parent)
				if len(id) != 32 || !regexp.MustCompile(`^00-[0-9a-f]{32}-[0-9a-f]{16}-00$`).MatchString(parent) {
					t.Errorf("%q, %q", id, parent)
				}
				made <- id
				made <- trace
				made <- parent[36:52] + "................"
			}
		})
	}
	wg.Wait()
	close(made)
	seen := map[string]bool{}
	for one := range made {
		for _, half := range []string{one[:16], one[16:]} {
			if seen[half] && half[0] != '.' {
				t.Fatalf("%q was there before", half)
			}
			seen[half] = true
		}
	}
}
