package main

import (
	"runtime"
	"syscall"
	"time"
)

// schedule says on each connection's channel when its next request is due, at that
// moment, and closes them when the time is over. It sleeps by itself: the runtime's
// timers are late by up to a millisecond, which is several times what an answer takes.
func (s *ownSpec) schedule(begin time.Time) []chan time.Time {
	due := make([]chan time.Time, s.Connections)
	for i := range due {
		// Room for all of them: a system that stalls is not asked less.
		due[i] = make(chan time.Time, int(s.Rate*s.For.Seconds()/float64(s.Connections))+2)
	}
	go func() {
		runtime.LockOSThread() // and never unlocked: the thread ends with this
		const prSetTimerslack = 29
		_, _, _ = syscall.RawSyscall(syscall.SYS_PRCTL, prSetTimerslack, 1, 0) // else 50 us
		for n := 0; ; n++ {
			at := time.Duration(float64(n) / s.Rate * float64(time.Second))
			if at >= s.For {
				break
			}
			sleepUntil(begin.Add(at))
			due[n%len(due)] <- begin.Add(at)
		}
		for _, c := range due {
			close(c)
		}
	}()
	return due
}

func sleepUntil(t time.Time) {
	for d := time.Until(t); d > 0; d = time.Until(t) {
		ts := syscall.NsecToTimespec(d.Nanoseconds())
		_ = syscall.Nanosleep(&ts, nil) // a signal may end it sooner
	}
}
