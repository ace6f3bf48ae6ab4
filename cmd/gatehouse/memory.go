package main

import (
	"io/fs"
	"math"
	"path"
	"runtime/debug"
	"strconv"
	"strings"
)

// A process that takes more memory than its control group has is killed, and the
// collector of the Go runtime does not know of such a bound. It is told of nine
// tenths: the rest is for what it does not count, such as the program itself and
// what the kernel holds for sockets.
const memoryShare = 0.9

// limitMemory bounds the memory of the Go runtime by that of the control group,
// unless GOMEMLIMIT says what is wanted. It gives the bound that it has set, in
// bytes; 0 where it has set none.
func limitMemory(root fs.FS, env func(string) string) int64 {
	if env("GOMEMLIMIT") != "" {
		return 0
	}
	limit := memoryLimit(root)
	if limit == 0 {
		return 0
	}
	limit = int64(float64(limit) * memoryShare)
	debug.SetMemoryLimit(limit)
	return limit
}

// heapGrowth is by how much the heap may grow between two collections, in percent of
// what is alive. The gateway keeps little alive, some 10 MB, and makes much that
// lives for one request: with the runtime's own 100 it would collect twice as often,
// for some percent of its processor time.
const heapGrowth = 200

// relaxCollector lets the heap grow so far, unless GOGC says what is wanted. A memory
// limit comes first: the nearer it is, the less the heap grows.
func relaxCollector(env func(string) string) {
	if env("GOGC") == "" {
		debug.SetGCPercent(heapGrowth)
	}
}

// memoryLimit is the least of the memory limits of the control groups that this
// process is in, of both versions, in bytes; 0 where there is none.
func memoryLimit(root fs.FS) int64 {
	groups, err := fs.ReadFile(root, "proc/self/cgroup")
	if err != nil {
		return 0 // there are no control groups here
	}
	least := int64(math.MaxInt64)
	for line := range strings.Lines(string(groups)) {
		// hierarchy:controllers:path (cgroups(7))
		parts := strings.SplitN(strings.TrimSpace(line), ":", 3)
		if len(parts) != 3 {
			continue
		}
		switch {
		case parts[1] == "": // version 2, beside version 1 under "unified"
			least = min(least, limitOf(root, "sys/fs/cgroup", parts[2], "memory.max"), limitOf(root, "sys/fs/cgroup/unified", parts[2], "memory.max"))
		case hasController(parts[1], "memory"):
			least = min(least, limitOf(root, "sys/fs/cgroup/memory", parts[2], "memory.limit_in_bytes"))
		}
	}
	if least == math.MaxInt64 {
		return 0
	}
	return least
}

func hasController(list, name string) bool {
	for c := range strings.SplitSeq(list, ",") {
		if c == name {
			return true
		}
	}
	return false
}

// limitOf is the least limit of a group and of those that it is in. In a container
// its path may be that of the host, which is not there; the group of the container
// is then what the hierarchy begins with.
func limitOf(root fs.FS, mount, group, file string) int64 {
	least := int64(math.MaxInt64)
	for at := path.Clean("/" + group); ; at = path.Dir(at) {
		text, err := fs.ReadFile(root, path.Join(mount, at, file))
		// Version 2 says "max" for none, and version 1 a number that no machine has.
		n, wrong := strconv.ParseInt(strings.TrimSpace(string(text)), 10, 64)
		if err == nil && wrong == nil && n > 0 && n < 1<<60 {
			least = min(least, n)
		}
		if at == "/" {
			return least
		}
	}
}
