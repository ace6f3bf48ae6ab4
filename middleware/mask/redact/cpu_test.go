//go:build unix

package redact

import (
	"syscall"
	"testing"
	"time"
)

// cpuTime is the processor time that this process has used, on all its threads.
// Other load on the machine moves it far less than it moves the clock, and
// what the garbage collector does beside the measured code is in it.
func cpuTime(tb testing.TB) time.Duration {
	tb.Helper()
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		tb.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
