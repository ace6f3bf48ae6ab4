package middlewaretest

import (
	"testing"
	"time"
)

// Eventually waits for what others are about to do, for a minute in pieces: the time
// for which a machine stops everybody does not count.
func Eventually(t testing.TB, what string, ok func() bool) {
	t.Helper()
	for range 12_000 {
		if ok() {
			return
		}
		time.Sleep(5 * time.Millisecond)
	}
	t.Fatal("never: ", what)
}
