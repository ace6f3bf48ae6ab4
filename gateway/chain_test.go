package gateway

import (
	"bytes"
	"io"
	"net/http"
	"testing"

	"github.com/gatehouse-dev/gatehouse/middleware"
)

// What a request allocates in the full chain when all that can be remembered about
// it is: the stages' part, with the line that is logged of it. A stage that begins to
// make something for each request that it need not is noticed here, and which one it
// is tells BenchmarkChain.
func TestChainAllocations(t *testing.T) {
	if raceEnabled {
		t.Skip("the race detector allocates")
	}
	const most = 66
	c := newChain(t, 1)
	bare, full := middleware.Chain(c.upstream), middleware.Chain(c.upstream, c.bare...)
	for range 10 {
		if err := c.ask(full); err != nil {
			t.Fatal(err)
		}
	}
	count := func(h middleware.Handler) float64 {
		return testing.AllocsPerRun(300, func() {
			if err := c.ask(h); err != nil {
				t.Fatal(err)
			}
		})
	}
	if n := count(full) - count(bare); n > most {
		t.Errorf("%v allocations, want at most %d", n, most)
	}
}

// The chain that is measured is one that does what it is for.
func TestChainDoesItsWork(t *testing.T) {
	c := newChain(t, 1)
	full := middleware.Chain(c.upstream, c.bare...)
	for range 2 {
		x := c.exchange()
		res, err := full(x)
		if err != nil {
			t.Fatal(err)
		}
		text, err := io.ReadAll(res.Body)
		if err != nil {
			t.Fatal(err)
		}
		if err := res.Body.Close(); err != nil {
			t.Fatal(err)
		}
		x.Release()
		for _, secret := range []string{"123-45-6701", "9800000", "0123456701", "HX-1001"} {
			if !bytes.Contains(c.answer, []byte(secret)) || bytes.Contains(text, []byte(secret)) {
				t.Errorf("%s: %s", secret, text)
			}
		}
		if !bytes.Contains(text, []byte("Adaeze")) || len(x.Masked) == 0 || x.Served.Records != 1 {
			t.Errorf("%d masked, %d served: %s", len(x.Masked), x.Served.Records, text)
		}
		for _, name := range []string{"Ratelimit", "Ratelimit-Policy"} {
			if v := res.Header[name]; len(v) != 2 {
				t.Errorf("%s: %q", name, v)
			}
		}
		if x.Request.Header.Get("Authorization") != "" {
			t.Error("the token goes on")
		}
	}
	c.token = c.token[:len(c.token)-4] + "AAAA"
	res, err := full(c.exchange())
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	if res.StatusCode != http.StatusUnauthorized {
		t.Errorf("a made-up token: %s", res.Status)
	}
}
