package gateway

import (
	"fmt"
	"io"
	"strings"
	"testing"
)

// What the server refuses before there is a request is on no record, but counted, by
// listener and status.
func TestRefusedHeadsAreCounted(t *testing.T) {
	w := open(t)
	w.backend("HR", echo("A"))
	w.start("limits: {header_bytes: 8KiB}\n"+plain, "")
	metric := func(listener string, status int) string {
		return fmt.Sprintf("gatehouse_heads_refused_total{listener=%q,status=%q}", listener, fmt.Sprint(status))
	}
	get := func(more string) string { return "GET /plain/1 HTTP/1.1\r\nHost: localhost\r\n" + more + "\r\n" }
	for p, listener := range map[proto]string{plainH1: "plain", tlsH1: "public"} {
		for text, status := range map[string]int{
			get("X\r\n"):         400,
			"nonsense\r\n\r\n":   400,
			get("Expect: x\r\n"): 417,
			get("X: " + strings.Repeat("x", 20<<10) + "\r\n"):  431,
			get("Transfer-Encoding: gzip\r\n"):                 501,
			"GET /plain/1 HTTP/3.0\r\nHost: localhost\r\n\r\n": 505,
		} {
			c := w.wire(p)
			go func() { _, _ = io.WriteString(c, text) }()
			if got := statuses(c, false); got != fmt.Sprint(status) {
				t.Errorf("%.30q over %s: %s", text, p, got)
			}
			_ = c.Close()
		}
		for status, want := range map[int]string{400: "2", 417: "1", 431: "1", 501: "1", 505: "1"} {
			if got := w.metric(metric(listener, status)); got != want {
				t.Errorf("%s: %s, want %s", metric(listener, status), got, want)
			}
		}
	}
	if o := w.ask(plainH1, raw{target: "/nowhere"}); o.status != 404 {
		t.Errorf("a request: %v", o)
	}
	w.exchanges(1)
}
