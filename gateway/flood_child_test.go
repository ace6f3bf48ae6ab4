package gateway

import (
	"bufio"
	"context"
	"crypto/x509"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"testing"

	"github.com/gatehouse-dev/gatehouse/config"
	"github.com/gatehouse-dev/gatehouse/gateway/telemetry"
)

// childConfig names the configuration that this binary serves by when it is
// started once more, as a gateway in a process of its own.
const childConfig = "GATEHOUSE_TEST_CHILD"

// TestChild is a gateway in a process of its own, so that its memory and time can
// be told from those of who attacks it. It serves until its input ends, and for
// every line it is sent it tells how many goroutines there are.
func TestChild(t *testing.T) {
	file := os.Getenv(childConfig)
	if file == "" {
		t.Skip("is started by other tests")
	}
	c, err := config.Load(file)
	if err != nil {
		t.Fatal(err)
	}
	deps := &Deps{Metrics: telemetry.New()}
	p, err := Compile(t.Context(), c, deps)
	if err != nil {
		t.Fatal(err)
	}
	g := New(deps, p)
	defer g.Close()
	s, err := Listen(g)
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- s.Serve(ctx) }()
	fmt.Printf("CHILD %s %s\n", s.Addresses()["public"], s.Addresses()["plain"])
	in := bufio.NewScanner(os.Stdin)
	for in.Scan() {
		runtime.GC()
		fmt.Printf("CHILD %d %d\n", runtime.NumGoroutine(), g.Memory().Left())
	}
	stop()
	if err := <-done; err != nil {
		t.Error(err)
	}
}

// child is a gateway in another process.
type child struct {
	*world
	cmd *exec.Cmd
	in  io.WriteCloser
	out *bufio.Scanner

	pool *x509.CertPool
}

// child starts one that serves by the settings.
func (w *world) child(settings string) *child {
	w.t.Helper()
	w.compile(settings, "").Close() // finds what is wrong with them
	c := &child{world: w, pool: w.roots(), cmd: exec.Command(os.Args[0], "-test.run=^TestChild$", "-test.timeout=30m")}
	c.cmd.Env = append(os.Environ(), childConfig+"="+w.configFile())
	c.cmd.Stderr = os.Stderr
	var err error
	if c.in, err = c.cmd.StdinPipe(); err != nil {
		w.t.Fatal(err)
	}
	out, err := c.cmd.StdoutPipe()
	if err != nil {
		w.t.Fatal(err)
	}
	c.out = bufio.NewScanner(out)
	if err := c.cmd.Start(); err != nil {
		w.t.Fatal(err)
	}
	w.t.Cleanup(func() {
		_ = c.in.Close()
		for c.out.Scan() {
		}
		if err := c.cmd.Wait(); err != nil {
			w.t.Errorf("the gateway: %v", err)
		}
	})
	told := c.told()
	w.base, w.plain = "https://"+told[0], "http://"+told[1]
	return c
}

// told gives the next thing that the gateway tells.
func (c *child) told() [2]string {
	c.t.Helper()
	for c.out.Scan() {
		if f := strings.Fields(c.out.Text()); len(f) == 3 && f[0] == "CHILD" {
			return [2]string{f[1], f[2]}
		}
	}
	c.t.Fatal("the gateway has ended")
	return [2]string{}
}

// usage is what a process uses.
type usage struct {
	goroutines int
	memory     int64 // what is left of the budget for bodies
	files      int   // connections, mostly
}

func (c *child) usage() (u usage) {
	c.t.Helper()
	if _, err := fmt.Fprintln(c.in); err != nil {
		c.t.Fatal(err)
	}
	told := c.told()
	u.goroutines, _ = strconv.Atoi(told[0])
	u.memory, _ = strconv.ParseInt(told[1], 10, 64)
	files, err := os.ReadDir(c.proc("fd"))
	if err != nil {
		c.t.Skip("there is no /proc to measure a process by")
	}
	u.files = len(files)
	return u
}

func (c *child) proc(name string) string {
	return filepath.Join("/proc", strconv.Itoa(c.cmd.Process.Pid), name)
}

// peak gives the most memory, in KiB, that the process had in RAM since forget.
func (c *child) peak() int {
	b, _ := os.ReadFile(c.proc("status"))
	_, rest, _ := strings.Cut(string(b), "VmHWM:")
	n, _ := strconv.Atoi(strings.Fields(rest + " 0")[0])
	return n
}

// forget lets the process begin a new peak, where the system allows that.
func (c *child) forget() { _ = os.WriteFile(c.proc("clear_refs"), []byte("5"), 0o200) }

// ticks gives the time, in hundredths of a second, that the process has had of
// the processors.
func (c *child) ticks() int {
	b, _ := os.ReadFile(c.proc("stat"))
	_, rest, _ := strings.Cut(string(b), ") ") // the name of the program may hold spaces
	f := strings.Fields(rest)
	if len(f) < 13 {
		return 0
	}
	user, _ := strconv.Atoi(f[11])
	system, _ := strconv.Atoi(f[12])
	return user + system
}
