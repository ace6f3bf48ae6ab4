package gateway

import (
	"bufio"
	"crypto/tls"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/gatehouse-dev/gatehouse/middleware/headers"
)

// unreadables are what the server makes no request of, with the status and the code.
func unreadables() map[string]struct {
	status int
	code   string
} {
	get := func(more string) string { return "GET /plain/secret HTTP/1.1\r\nHost: localhost\r\n" + more + "\r\n" }
	return map[string]struct {
		status int
		code   string
	}{
		get("X\r\n"):         {400, "request_malformed"},
		"secret\r\n\r\n":     {400, "request_malformed"},
		get("Expect: x\r\n"): {417, "expectation_failed"},
		get("X: " + strings.Repeat("x", 20<<10) + "\r\n"):                                                {431, "header_too_large"},
		get("Transfer-Encoding: gzip\r\n"):                                                               {501, "coding_unknown"},
		"GET /plain/secret HTTP/3.0\r\nHost: localhost\r\n\r\n":                                          {505, "version_unknown"},
		"POST /plain/secret HTTP/1.1\r\nHost: localhost\r\nExpect: x\r\nContent-Length: 6\r\n\r\nsecret": {417, "expectation_failed"},
		"HEAD /plain/secret HTTP/1.1\r\n\r\n":                                                            {400, "request_malformed"},
	}
}

// What the server makes no request of is refused as requests are: a problem with a
// code and the request's id, on record, and counted by listener and status. Nothing of
// what was sent is repeated, and what comes behind it is not served.
func TestRefusedHeads(t *testing.T) {
	w := open(t)
	w.backend("HR", echo("A"))
	w.start("limits: {header_bytes: 8KiB}\n"+plain, "")
	n := 0
	for p, listener := range map[proto]string{plainH1: "plain", tlsH1: "public"} {
		counts := map[int]int{}
		for text, want := range unreadables() {
			res, body := w.refusedHead(p, text+"GET /plain/1 HTTP/1.1\r\nHost: localhost\r\n\r\n")
			n++
			counts[want.status]++
			var got struct {
				Status       int    `json:"status"`
				Code         string `json:"code"`
				RequestID    string `json:"request_id"`
				Type, Detail string
			}
			if err := json.Unmarshal(body, &got); err != nil || got.Status != want.status || got.Code != want.code || got.Detail == "" || res.StatusCode != want.status {
				t.Errorf("%.30q over %s: %s %s", text, p, res.Status, body)
			}
			if strings.Contains(string(body), "secret") {
				t.Errorf("%.30q over %s is repeated: %s", text, p, body)
			}
			line := w.exchanges(n)[n-1]
			said := []any{line["request_id"], line["listener"], line["client"], line["status"], line["refused_by"], line["code"], line["path"], line["method"]}
			if diff := cmp.Diff([]any{got.RequestID, listener, "127.0.0.1", float64(want.status), "server", want.code, "", ""}, said); diff != "" {
				t.Errorf("%.30q over %s on record (-want +got):\n%s", text, p, diff)
			}
			secure := ""
			if p == tlsH1 {
				secure = headers.HSTS
			}
			heads := []string{res.Header.Get("Content-Type"), res.Header.Get("X-Request-Id"), res.Header.Get("X-Content-Type-Options"), res.Header.Get("Strict-Transport-Security")}
			if diff := cmp.Diff([]string{"application/problem+json", got.RequestID, "nosniff", secure}, heads); diff != "" || !res.Close {
				t.Errorf("%.30q over %s: closes %v (-want +got):\n%s", text, p, res.Close, diff)
			}
		}
		for status, times := range counts {
			name := fmt.Sprintf("gatehouse_heads_refused_total{listener=%q,status=%q}", listener, fmt.Sprint(status))
			if got := w.metric(name); got != fmt.Sprint(times) {
				t.Errorf("%s: %s, want %d", name, got, times)
			}
		}
	}
}

// together is a connection that sends what is written in one piece.
type together struct {
	net.Conn
	text    []byte
	waiting bool
}

func (c *together) Write(b []byte) (int, error) {
	if !c.waiting {
		return c.Conn.Write(b)
	}
	c.text = append(c.text, b...)
	return len(b), nil
}

// refusedHead sends a text that is no request, and reads all that comes back, which is
// one answer. The text is sent in one piece, also as TLS: who refuses it reads on for
// a moment only, and what comes later would take the answer with it.
func (w *world) refusedHead(p proto, text string) (*http.Response, []byte) {
	w.t.Helper()
	raw, err := net.Dial("tcp", strings.TrimPrefix(w.plain, "http://"))
	if p == tlsH1 {
		raw, err = net.Dial("tcp", strings.TrimPrefix(w.base, "https://"))
	}
	if err != nil {
		w.t.Fatal(err)
	}
	defer raw.Close()
	_ = raw.SetDeadline(time.Now().Add(20 * time.Second))
	piece := &together{Conn: raw}
	c := net.Conn(piece)
	if p == tlsH1 {
		secure := tls.Client(piece, &tls.Config{RootCAs: w.roots(), ServerName: "localhost", MinVersion: tls.VersionTLS12})
		if err := secure.Handshake(); err != nil {
			w.t.Fatal(err)
		}
		c = secure
	}
	piece.waiting = true
	if _, err := io.WriteString(c, text); err != nil {
		w.t.Fatal(err)
	}
	if _, err := raw.Write(piece.text); err != nil {
		w.t.Fatal(err)
	}
	in := bufio.NewReader(c)
	res, err := http.ReadResponse(in, nil)
	if err != nil {
		w.t.Fatalf("%.30q: %v", text, err)
	}
	body, err := io.ReadAll(res.Body)
	if err != nil {
		w.t.Fatalf("%.30q: %v", text, err)
	}
	if rest, _ := io.ReadAll(in); len(rest) > 0 {
		w.t.Errorf("%.30q: behind the answer comes %q", text, rest)
	}
	return res, body
}

// Whose address is not served, or is blocked, is told that and no more.
func TestRefusedHeadsOfStrangers(t *testing.T) {
	w := open(t)
	w.backend("HR", echo("A"))
	w.start(heard("127.0.0.1:0", ", acl: {deny: [127.0.0.0/8]}")+plain, "")
	res, body := w.refusedHead(plainH1, "secret\r\n\r\n")
	if res.StatusCode != 403 || !strings.Contains(string(body), `"address_blocked"`) || !res.Close {
		t.Errorf("%s %s", res.Status, body)
	}
}
