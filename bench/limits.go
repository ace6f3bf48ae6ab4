package main

import (
	"fmt"
	"syscall"
)

// tooMany says why so many connections cannot be had: the gateway has a
// descriptor for each, and may have one to the backend for each too.
func tooMany(n int) string {
	var limit syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &limit); err != nil {
		return err.Error()
	}
	if want := uint64(2*n + 200); want > limit.Max {
		return fmt.Sprintf("a process may open %d files here, and this takes %d", limit.Max, want)
	}
	return ""
}
