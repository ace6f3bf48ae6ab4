package main

import (
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"strconv"
	"strings"
	"time"

	"github.com/gatehouse-dev/gatehouse/bench/peers"
)

// gapsVariable makes this program look at the clock: its value is for how long.
const gapsVariable = "GATEHOUSE_BENCH_GAPS"

// gap is a time that is long beside that of an answer.
const gap = 500 * time.Microsecond

// stolen is the share of its time, in percent, that a program which never waits is
// without the processor of the systems, a gap or longer at a stretch. All that is
// asked within has to wait, whatever system it is asked of: where the share is about
// one percent or more, a 99th percentile is the machine's.
func (w *world) stolen(_ *row, _ peers.Peer, o options) (float64, error) {
	self, err := os.Executable()
	if err != nil {
		return 0, err
	}
	args := pinned(peerCPU, []string{self})
	cmd := exec.Command(args[0], args[1:]...)
	cmd.Env = append(os.Environ(), gapsVariable+"="+max(o.slice, 2*time.Second).String())
	cmd.Stderr = os.Stderr
	out, err := cmd.Output()
	if err != nil {
		return 0, fmt.Errorf("looking for gaps: %w", err)
	}
	return strconv.ParseFloat(strings.TrimSpace(string(out)), 64)
}

// printGaps looks at the clock for a while and prints the share of the gaps.
func printGaps(text string) error {
	d, err := time.ParseDuration(text)
	if err != nil {
		return err
	}
	runtime.LockOSThread()
	begin := time.Now()
	last, lost := begin, time.Duration(0)
	for last.Sub(begin) < d {
		now := time.Now()
		if without := now.Sub(last); without >= gap {
			lost += without
		}
		last = now
	}
	_, err = fmt.Println(100 * lost.Seconds() / last.Sub(begin).Seconds())
	return err
}
