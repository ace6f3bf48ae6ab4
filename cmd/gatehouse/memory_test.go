package main

import (
	"math"
	"runtime/debug"
	"testing"
	"testing/fstest"
)

// files makes a file system of paths and contents.
func files(pairs ...string) fstest.MapFS {
	out := fstest.MapFS{}
	for i := 0; i < len(pairs); i += 2 {
		out[pairs[i]] = &fstest.MapFile{Data: []byte(pairs[i+1])}
	}
	return out
}

func TestMemoryLimit(t *testing.T) {
	const mine, v2, v1 = "proc/self/cgroup", "sys/fs/cgroup/", "sys/fs/cgroup/memory/"
	for name, tt := range map[string]struct {
		root fstest.MapFS
		want int64
	}{
		"no control groups":       {files(), 0},
		"garbage":                 {files(mine, "what\n::\n0::\n"), 0},
		"v2, in a container":      {files(mine, "0::/\n", v2+"memory.max", "1073741824\n"), 1 << 30},
		"v2, no limit":            {files(mine, "0::/\n", v2+"memory.max", "max\n"), 0},
		"v2, a service":           {files(mine, "0::/system.slice/gatehouse.service\n", v2+"system.slice/gatehouse.service/memory.max", "1000000\n"), 1_000_000},
		"v2, the slice has less":  {files(mine, "0::/a/b\n", v2+"a/b/memory.max", "3000\n", v2+"a/memory.max", "2000\n"), 2000},
		"v2, the slice has more":  {files(mine, "0::/a/b\n", v2+"a/b/memory.max", "2000\n", v2+"a/memory.max", "3000\n"), 2000},
		"v2, the path of a host":  {files(mine, "0::/docker/0123\n", v2+"memory.max", "5000\n"), 5000},
		"v2, no number":           {files(mine, "0::/\n", v2+"memory.max", "lots\n"), 0},
		"v2, nothing at all":      {files(mine, "0::/\n", v2+"memory.max", "0\n"), 0},
		"v2, out of the tree":     {files(mine, "0::/../../a\n", v2+"a/memory.max", "7000\n", "a/memory.max", "1\n"), 7000},
		"v1":                      {files(mine, "5:cpu:/x\n4:memory:/x\n", v1+"x/memory.limit_in_bytes", "4000\n"), 4000},
		"v1, with others":         {files(mine, "4:cpu,memory:/x\n", v1+"x/memory.limit_in_bytes", "4000\n"), 4000},
		"v1, no limit":            {files(mine, "4:memory:/\n", v1+"memory.limit_in_bytes", "9223372036854771712\n"), 0},
		"v1, memory is not in it": {files(mine, "4:cpu:/\n", v1+"memory.limit_in_bytes", "4000\n"), 0},
		"both":                    {files(mine, "4:memory:/\n0::/\n", v1+"memory.limit_in_bytes", "4000\n", v2+"unified/memory.max", "3000\n"), 3000},
	} {
		t.Run(name, func(t *testing.T) {
			if got := memoryLimit(tt.root); got != tt.want {
				t.Errorf("got %d, want %d", got, tt.want)
			}
		})
	}
}

func TestLimitMemory(t *testing.T) {
	before := debug.SetMemoryLimit(-1)
	t.Cleanup(func() { debug.SetMemoryLimit(before) })
	root := files("proc/self/cgroup", "0::/\n", "sys/fs/cgroup/memory.max", "100000000000\n")
	for name, tt := range map[string]struct {
		variable string
		root     fstest.MapFS
		want     int64
		in       int64 // in force afterwards
	}{
		"nine tenths":     {"", root, 90_000_000_000, 90_000_000_000},
		"GOMEMLIMIT says": {"1GiB", root, 0, math.MaxInt64},
		"off":             {"off", root, 0, math.MaxInt64},
		"no limit":        {"", files(), 0, math.MaxInt64},
	} {
		t.Run(name, func(t *testing.T) {
			debug.SetMemoryLimit(math.MaxInt64)
			got := limitMemory(tt.root, func(string) string { return tt.variable })
			if in := debug.SetMemoryLimit(-1); got != tt.want || in != tt.in {
				t.Errorf("it has set %d and %d is in force, want %d and %d", got, in, tt.want, tt.in)
			}
		})
	}
}

func TestHeapGrowth(t *testing.T) {
	usual := debug.SetGCPercent(100)
	defer debug.SetGCPercent(usual)
	for variable, want := range map[string]int{"": heapGrowth, "50": 100, "off": 100} { // the runtime has read the variable itself
		debug.SetGCPercent(100)
		relaxCollector(func(string) string { return variable })
		if in := debug.SetGCPercent(100); in != want {
			t.Errorf("GOGC=%q: %d is in force, want %d", variable, in, want)
		}
	}
}
