package authn

import (
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

// Made-up keys while an issuer hangs: requests that name one wait for the fetch
// that is under way and no longer, those with known keys not at all, and the
// issuer is asked no more often than without.
func TestFloodOfUnknownKeys(t *testing.T) {
	bubble(t, func(t *testing.T, s *idp, send func(string, any) string, _ *Issuer) {
		k := keysOnce()
		s.publish(t, jwkOf(t, "k1", k.rsa, nil))
		expect(t, "before", send("k1", k.rsa), "")
		s.hang.Store(true)
		before := s.fetches.Load()
		var longest atomic.Int64
		var wg sync.WaitGroup
		for n := range 200 { // twenty seconds
			for m := range 2 {
				wg.Go(func() {
					start := time.Now()
					_ = send(fmt.Sprintf("made-up-%d-%d", n, m), k.rsa2)
					for d := int64(time.Since(start)); ; {
						if most := longest.Load(); d <= most || longest.CompareAndSwap(most, d) {
							break
						}
					}
				})
			}
			start := time.Now()
			expect(t, "a known key", send("k1", k.rsa), "")
			if d := time.Since(start); d != 0 {
				t.Errorf("a known key waited %v", d)
			}
			time.Sleep(100 * time.Millisecond)
		}
		wg.Wait()
		synctest.Wait()
		if n := s.fetches.Load() - before; n > 8 {
			t.Errorf("a hanging issuer was asked %d times", n)
		}
		if d := time.Duration(longest.Load()); d > fetchTimeout+time.Millisecond {
			t.Errorf("a request waited %v", d)
		}
		// Rotated meanwhile: used within half a minute.
		s.hang.Store(false)
		s.publish(t, jwkOf(t, "k2", k.rsa2, nil))
		got := ""
		for range 310 {
			if got = send("k2", k.rsa2); got == "" {
				break
			}
			_ = send("made-up", k.rsa)
			time.Sleep(100 * time.Millisecond)
		}
		expect(t, "a rotated key", got, "")
	})
}
