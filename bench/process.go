package main

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// Where things run: what is measured has a processor of its own, and the load
// and the backend share another. With a single processor nothing is pinned, and
// the ratios tell less.
const (
	peerCPU = "0"
	loadCPU = "1"
)

// ticks of the kernel's clock in a second, the unit of /proc/PID/stat. It is 100
// on every architecture that Go runs on.
const ticks = 100

// pinned is the command on one processor.
func pinned(cpu string, args []string) []string {
	if runtime.NumCPU() < 2 {
		return args
	}
	if _, err := exec.LookPath("taskset"); err != nil {
		return args
	}
	return append([]string{"taskset", "-c", cpu}, args...)
}

// A group is a group of processes that the runner has started: one system.
type group struct {
	id   int // of the group, which is the first process's
	cmds []*exec.Cmd
	log  string // the file that they write to; empty: nowhere
}

// start adds a process to the group.
func (g *group) start(cpu string, args, env []string, files ...*os.File) error {
	args = pinned(cpu, args)
	cmd := exec.Command(args[0], args[1:]...)
	cmd.Env = append(os.Environ(), env...)
	if cpu == peerCPU {
		cmd.Env = append(cmd.Env, "GOMAXPROCS=1")
	}
	if g.log != "" {
		f, err := os.OpenFile(g.log, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
		if err != nil {
			return err
		}
		defer f.Close()
		cmd.Stdout, cmd.Stderr = f, f
	}
	cmd.ExtraFiles = files
	// The kernel ends them where the runner cannot.
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pgid: g.id, Pdeathsig: syscall.SIGKILL}
	if err := cmd.Start(); err != nil {
		return err
	}
	if g.id == 0 {
		g.id = cmd.Process.Pid
	}
	g.cmds = append(g.cmds, cmd)
	return nil
}

// stop ends the group: politely, and after three seconds not. It waits until all
// of them are gone.
func (g *group) stop() {
	if g.id == 0 {
		return
	}
	_ = syscall.Kill(-g.id, syscall.SIGTERM)
	late := time.AfterFunc(3*time.Second, func() { _ = syscall.Kill(-g.id, syscall.SIGKILL) })
	for _, cmd := range g.cmds {
		_ = cmd.Wait()
	}
	late.Stop()
	_ = syscall.Kill(-g.id, syscall.SIGKILL) // workers that outlived their master
	g.id, g.cmds = 0, nil
}

// tail is the last that they wrote.
func (g *group) tail() string {
	text, _ := os.ReadFile(g.log)
	return strings.TrimSpace(string(text[max(0, len(text)-600):]))
}

// dead says which of its processes has ended by itself.
func (g *group) dead() error {
	members, err := g.members()
	if err != nil {
		return err
	}
	alive := map[int]bool{}
	for _, m := range members {
		alive[m.pid] = m.state != "Z"
	}
	for _, cmd := range g.cmds {
		if !alive[cmd.Process.Pid] {
			return fmt.Errorf("%s has ended", filepath.Base(cmd.Path))
		}
	}
	return nil
}

type member struct {
	pid   int
	state string
	cpu   time.Duration // its own and that of children it has waited for
	rss   int64         // the most memory it has had, in bytes
}

// members are the group's processes, children included.
func (g *group) members() ([]member, error) {
	dirs, err := filepath.Glob("/proc/[0-9]*")
	if err != nil {
		return nil, err
	}
	var out []member
	for _, dir := range dirs {
		stat, err := os.ReadFile(dir + "/stat")
		if err != nil {
			continue // it has ended since
		}
		// The name stands in parentheses and may hold anything: fields count from
		// the last one. See proc(5).
		_, rest, found := strings.Cut(string(stat[bytes.LastIndexByte(stat, ')'):]), " ")
		f := strings.Fields(rest)
		if !found || len(f) < 15 || f[2] != strconv.Itoa(g.id) {
			continue
		}
		m := member{state: f[0]}
		m.pid, _ = strconv.Atoi(filepath.Base(dir))
		for _, i := range []int{11, 12, 13, 14} { // utime, stime, cutime, cstime
			n, _ := strconv.ParseInt(f[i], 10, 64)
			m.cpu += time.Duration(n) * time.Second / ticks
		}
		m.rss = status(dir, "VmHWM:")
		out = append(out, m)
	}
	return out, nil
}

// status is a value of /proc/PID/status in bytes.
func status(dir, name string) int64 {
	text, err := os.ReadFile(dir + "/status")
	if err != nil {
		return 0
	}
	for line := range strings.Lines(string(text)) {
		if rest, ok := strings.CutPrefix(line, name); ok {
			kb, _ := strconv.ParseInt(strings.Fields(rest)[0], 10, 64)
			return kb << 10
		}
	}
	return 0
}

// used is the processor time that the whole group has taken so far, and the sum
// of the most memory that each of its processes has had.
func (g *group) used() (time.Duration, int64, error) {
	members, err := g.members()
	if err != nil {
		return 0, 0, err
	}
	if len(members) == 0 {
		return 0, 0, errors.New("no process is left")
	}
	var cpu time.Duration
	var rss int64
	for _, m := range members {
		cpu += m.cpu
		rss += m.rss
	}
	return cpu, rss, nil
}
