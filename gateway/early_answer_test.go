package gateway

import (
	"bufio"
	"crypto/sha256"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
)

// What a client sends while its answer has begun reaches the backend whole, or the
// backend sees that it has not: nothing of it is read away for the sake of the
// connection.
func TestUploadsBesideAnswers(t *testing.T) {
	for name, framing := range map[string]string{"by length": "Content-Length: 1048576\r\n", "by less": "Content-Length: 131072\r\n", "in chunks": "Transfer-Encoding: chunked\r\n"} {
		t.Run(name, func(t *testing.T) {
			w := open(t)
			begun := make(chan struct{})
			w.backend("HR", func(rw http.ResponseWriter, r *http.Request) {
				control := http.NewResponseController(rw)
				_ = control.EnableFullDuplex()
				h := sha256.New()
				n, _ := io.CopyN(h, r.Body, 8<<10)
				_, _ = io.WriteString(rw, strings.Repeat(".", 64<<10))
				_ = control.Flush()
				<-begun
				m, err := io.Copy(h, r.Body)
				fmt.Fprintf(rw, "%d %x %v", n+m, h.Sum(nil), err)
			})
			w.start(plain, "")
			c := newLine(dialed(t, w))
			defer c.Close()
			var content strings.Builder
			all := 1 << 20
			if name == "by less" {
				all = 128 << 10
			}
			for i := 0; content.Len() < all; i++ {
				fmt.Fprintf(&content, "%15d\n", i)
			}
			text := content.String()
			send := func(part string) {
				if name == "in chunks" {
					part = fmt.Sprintf("%x\r\n%s\r\n", len(part), part)
				}
				if _, err := io.WriteString(c, part); err != nil {
					t.Error(err)
				}
			}
			_, _ = io.WriteString(c, "POST /plain/1 HTTP/1.1\r\nHost: localhost\r\n"+framing+"\r\n")
			send(text[:16<<10])
			res, err := http.ReadResponse(bufio.NewReader(c), nil)
			close(begun)
			if err != nil {
				t.Fatal(err)
			}
			go func() {
				for at := 16 << 10; at < all; at += 16 << 10 {
					send(text[at : at+16<<10])
				}
				if name == "in chunks" {
					_, _ = io.WriteString(c, "0\r\n\r\n")
				}
			}()
			got, err := io.ReadAll(res.Body)
			if want := fmt.Sprintf("%d %x %v", all, sha256.Sum256([]byte(text)), nil); err != nil || strings.Trim(string(got), ".") != want {
				t.Errorf("the backend has got %q (%v), want %q", strings.Trim(string(got), "."), err, want)
			}
		})
	}
}

func dialed(t *testing.T, w *world) net.Conn {
	t.Helper()
	c, err := net.Dial("tcp", w.at["plain"].String())
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// A client that waits for the answer before it sends the rest has an answer that
// the backend gives early: not when the time for the body is over.
func TestEarlyAnswersArrive(t *testing.T) {
	for _, framing := range []string{"Content-Length: 1000000\r\n\r\n", "Content-Length: 20000\r\n\r\n", "Transfer-Encoding: chunked\r\n\r\nf4240\r\n"} {
		w := open(t)
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		done := make(chan struct{})
		go func() { // it reads a head and no more
			defer close(done)
			c, err := l.Accept()
			if err != nil {
				return
			}
			defer c.Close()
			in := bufio.NewReader(c)
			if _, err := http.ReadRequest(in); err == nil {
				_, _ = io.WriteString(c, "HTTP/1.1 401 Unauthorized\r\nContent-Length: 2\r\n\r\nno")
				_, _ = io.Copy(io.Discard, in)
			}
		}()
		w.vars["HR"] = "http://" + l.Addr().String()
		w.start(plain+"    timeouts: {body: 60s}\n", "")
		c := newLine(dialed(t, w))
		_, _ = io.WriteString(c, "POST /plain/1 HTTP/1.1\r\nHost: localhost\r\n"+framing+strings.Repeat("x", 1000))
		if o, last := c.answer("POST"); o.err != nil || o.status != http.StatusUnauthorized || o.body != "no" || !last {
			t.Errorf("%.30q: %v, and the connection ends: %v", framing, o, last)
		}
		_ = c.Close()
		_ = l.Close()
		<-done
	}
}
