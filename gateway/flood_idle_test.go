package gateway

import (
	"io"
	"net"
	"net/http"
	"os"
	"strings"
	"testing"
)

// Connections that do nothing cost little each, and are what they are: a bound on
// memory is one on their number. GATEHOUSE_SOAK opens ten thousand.
func TestIdleConnectionsAreSmall(t *testing.T) {
	n, each := 400, 128 // KiB, of which a third is TLS
	if os.Getenv("GATEHOUSE_SOAK") != "" {
		n = 10000
	}
	if raceEnabled {
		each *= 4
	}
	w := open(t)
	w.backend("HR", echo("A"))
	c := w.child(strings.Replace(floodSettings, "idle: 10s", "idle: 5m", 1))
	a := &flooder{child: c}
	c.usage() // warm
	c.forget()
	before := c.peak()
	for range n {
		conn, err := a.dialTLS(t.Context(), "h2")
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		f := newAttacker(conn)
		if _, err := f.ReadFrame(); err != nil {
			t.Fatal(err)
		}
	}
	got := (c.peak() - before) / n
	t.Logf("%d connections, %d KiB each", n, got)
	if got > each {
		t.Errorf("an idle connection holds %d KiB, want at most %d", got, each)
	}
}

// The memory for bodies is taken as they arrive. To announce one costs nothing.
func TestAnnouncedBodies(t *testing.T) {
	w := open(t)
	w.backend("HR", func(rw http.ResponseWriter, r *http.Request) { _, _ = io.Copy(rw, r.Body) })
	w.start("limits: {body_memory: 1MiB}\n"+judging, judgingPolicy)
	var held []net.Conn
	for range 50 {
		c := dialRaw(t, w.plain)
		_, _ = io.WriteString(c, "POST /sanitized/1 HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: 10000000\r\n\r\n{")
		held = append(held, c)
	}
	eventually(t, "all are being read", func() bool { return w.g.Memory().Left() <= 1<<20-50*4096 })
	if left := w.g.Memory().Left(); left < 1<<19 {
		t.Errorf("fifty octets have taken all but %d of the memory", left)
	}
	if o := w.ask(plainH1, jsonBody("/sanitized/1", `{"a":"`+strings.Repeat("x", 100<<10)+`"}`)); o.status != 200 {
		t.Errorf("meanwhile: %v", o)
	}
	for _, c := range held {
		_ = c.Close()
	}
	eventually(t, "the memory is there again", func() bool { return w.g.Memory().Left() == 1<<20 })
}
