package h1

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"testing"
	"time"
)

// An idle connection holds little: what is measured is a process that serves and
// nothing else, before and after it got many. Beside it stands what net/http
// holds.
func TestIdleConnections(t *testing.T) {
	if kind := os.Getenv("H1_IDLE"); kind != "" {
		serveIdle(t, kind)
		return
	}
	if raceEnabled || testing.Short() {
		t.Skip("measures memory")
	}
	for kind, most := range map[string]int{"ours plain": 16, "ours TLS": 48, "net/http plain": 0, "net/http TLS": 0} {
		kib := idleKiB(t, kind, 2000)
		t.Logf("%-15s %5.1f KiB for each connection", kind, kib)
		if most > 0 && kib > float64(most) {
			t.Errorf("%s: an idle connection holds %.1f KiB, more than %d", kind, kib, most)
		}
	}
}

// idleKiB tells by how many KiB a server grows for each of n connections.
func idleKiB(t *testing.T, kind string, n int) float64 {
	t.Helper()
	c := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestIdleConnections$")
	c.Env = append(os.Environ(), "H1_IDLE="+kind)
	in, _ := c.StdinPipe()
	out, _ := c.StdoutPipe()
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() { _ = in.Close(); _ = c.Wait() }()
	r := bufio.NewReader(out)
	says := func() string {
		line, err := r.ReadString('\n')
		if err != nil {
			t.Fatalf("%s: %v", kind, err)
		}
		return strings.TrimSpace(line)
	}
	s := &served{address: says()}
	if strings.HasSuffix(kind, "TLS") {
		s.tls = insecure()
	}
	held := func() (bytes int) {
		_, _ = io.WriteString(in, "\n")
		_, _ = fmt.Sscan(says(), &bytes)
		return bytes
	}
	var conns []net.Conn
	defer func() {
		for _, c := range conns {
			_ = c.Close()
		}
	}()
	open := func(n int) {
		for range n {
			c := s.dial(t)
			conns = append(conns, c)
			_, _ = io.WriteString(c, asking)
			if _, err := http.ReadResponse(bufio.NewReader(c), nil); err != nil {
				t.Fatal(err)
			}
		}
	}
	open(50) // what is needed once
	before := held()
	open(n)
	return float64(held()-before) / float64(n) / 1024
}

// serveIdle is the process that is measured. For each line that it reads it says
// how many bytes it has in use.
func serveIdle(t *testing.T, kind string) {
	content := make([]byte, 1024)
	s := start(t, strings.HasPrefix(kind, "ours"), strings.HasSuffix(kind, "TLS"), usual(), http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		_, _ = w.Write(content)
	}))
	fmt.Println(s.address)
	for in := bufio.NewReader(os.Stdin); ; {
		if _, err := in.ReadString('\n'); err != nil {
			return
		}
		time.Sleep(1500 * time.Millisecond) // who has answered goes to rest
		for range 3 {
			runtime.GC()
		}
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		fmt.Println(m.HeapInuse + m.StackInuse)
	}
}
