package main

import "syscall"

// mostConnections is how many there can be: the gateway has a descriptor for
// each, and may have one to the backend for each too.
func mostConnections() int {
	var limit syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &limit); err != nil {
		return 1000
	}
	return int(min(limit.Max, 1<<20)-200) / 2
}
