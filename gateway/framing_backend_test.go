package gateway

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"net"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"testing"
)

// recorder is a backend that keeps every byte that comes in, by connection, and
// answers each request that it can read. What it cannot read ends the connection.
type recorder struct {
	url string

	reply func(c io.Writer, r *http.Request, body []byte) bool

	mu    sync.Mutex
	conns []*bytes.Buffer
}

// record starts a backend. reply writes an answer, and says false to end the
// connection; nil answers 200 "ok".
func (w *world) record(reply func(c io.Writer, r *http.Request, body []byte) bool) *recorder {
	w.t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		w.t.Fatal(err)
	}
	b := &recorder{url: "http://" + ln.Addr().String(), reply: reply}
	var wg sync.WaitGroup
	var open sync.Map
	wg.Go(func() {
		for {
			c, err := ln.Accept()
			if err != nil {
				return
			}
			open.Store(c, nil)
			wg.Go(func() {
				defer c.Close()
				b.serve(c)
			})
		}
	})
	w.t.Cleanup(func() {
		_ = ln.Close()
		open.Range(func(c, _ any) bool { return c.(net.Conn).Close() == nil || true })
		wg.Wait()
	})
	return b
}

func (b *recorder) serve(c net.Conn) {
	b.mu.Lock()
	seen := &bytes.Buffer{}
	b.conns = append(b.conns, seen)
	b.mu.Unlock()
	reply := b.reply
	if reply == nil {
		reply = func(c io.Writer, r *http.Request, _ []byte) bool {
			text := "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Type: text/plain\r\n\r\nok"
			if r.Method == "HEAD" {
				text = strings.TrimSuffix(text, "ok")
			}
			_, err := io.WriteString(c, text)
			return err == nil
		}
	}
	r := bufio.NewReader(io.TeeReader(c, writer(func(p []byte) {
		b.mu.Lock()
		defer b.mu.Unlock()
		seen.Write(p)
	})))
	for {
		req, err := http.ReadRequest(r)
		if err != nil {
			return
		}
		body, err := io.ReadAll(req.Body)
		if err != nil || !reply(c, req, body) {
			return
		}
	}
}

type writer func(p []byte)

func (w writer) Write(p []byte) (int, error) { w(p); return len(p), nil }

// arrived is what came of one case: requests that are whole, and how many broke off.
type arrived struct {
	whole  []string // request line without the version, body
	broken int
}

// arrivals is what came, by case; -1 stands for what belongs to none.
type arrivals map[int]*arrived

func (a arrivals) of(i int) *arrived {
	if a[i] == nil {
		a[i] = &arrived{}
	}
	return a[i]
}

// arrivals reads what came as a backend of the strictest kind would, and fails
// the test where it can be read in more than one way: each head must be clean
// and have one framing, and nothing may stand between or behind the requests. A
// request that a client broke off must not look whole, and must be the last on
// its connection.
func (b *recorder) arrivals(t *testing.T) arrivals {
	t.Helper()
	b.mu.Lock()
	defer b.mu.Unlock()
	out := arrivals{}
	for _, c := range b.conns {
		text := c.String()
		c.Reset()
		for text != "" {
			head, rest, _ := strings.Cut(text, "\r\n\r\n")
			lines := strings.Split(head, "\r\n")
			line, i := caseOf(lines[0])
			length, chunked := framing(t, lines)
			body, rest, ok := cutBody(t, rest, length, chunked)
			if !ok {
				out.of(i).broken++
				break
			}
			out.of(i).whole, text = append(out.of(i).whole, line+body), rest
		}
	}
	return out
}

// caseOf takes the number of the case out of a request line, and the version.
func caseOf(line string) (string, int) {
	method, path, _ := strings.Cut(line, " /plain/")
	number, name, ok := strings.Cut(path, "/")
	if i, err := strconv.Atoi(number); err == nil && ok {
		return method + " /plain/" + strings.TrimSuffix(name, "HTTP/1.1"), i
	}
	return line, -1
}

// framing verifies a head and says how its body is framed.
func framing(t *testing.T, lines []string) (length int, chunked bool) {
	t.Helper()
	if parts := strings.Split(lines[0], " "); len(parts) != 3 || parts[2] != "HTTP/1.1" || !strings.HasPrefix(parts[1], "/") {
		t.Errorf("the backend got the request line %q", lines[0])
	}
	count := map[string]int{}
	for _, line := range lines[1:] {
		name, value, ok := strings.Cut(line, ": ")
		if !ok || strings.ContainsAny(line, "\r\n\x00") || strings.ContainsAny(name, " \t_:") || name == "" {
			t.Errorf("the backend got the line %q", line)
		}
		switch name = strings.ToLower(name); name {
		case "content-length":
			if _, err := fmt.Sscanf(value+"\n", "%d\n", &length); err != nil || fmt.Sprint(length) != value {
				t.Errorf("the backend got the length %q", value)
			}
		case "transfer-encoding":
			if chunked = true; value != "chunked" {
				t.Errorf("the backend got the coding %q", value)
			}
		case "te":
			if value != "trailers" {
				t.Errorf("the backend got %q", line)
			}
		case "connection", "upgrade", "http2-settings", "trailer", "expect", "keep-alive", "proxy-connection":
			t.Errorf("the backend got %q", line)
		}
		count[name]++
	}
	if count["host"] != 1 || count["content-length"]+count["transfer-encoding"] > 1 {
		t.Errorf("the backend got a head that is framed in %d ways: %q", count["content-length"]+count["transfer-encoding"], lines)
	}
	return length, chunked
}

// cutBody takes a body off the front of what came.
func cutBody(t *testing.T, text string, length int, chunked bool) (body, rest string, whole bool) {
	t.Helper()
	if !chunked {
		if len(text) < length {
			return "", "", false
		}
		return text[:length], text[length:], true
	}
	for {
		line, after, ok := strings.Cut(text, "\r\n")
		var n int
		if !ok {
			return "", "", false
		}
		if _, err := fmt.Sscanf(line, "%x", &n); err != nil || fmt.Sprintf("%x", n) != line {
			t.Errorf("the backend got the chunk size %q", line)
			return "", "", false
		}
		if len(after) < n+2 {
			return "", "", false
		}
		if after[n:n+2] != "\r\n" {
			t.Errorf("the backend got a chunk that ends in %q", after[n:n+2])
			return "", "", false
		}
		body, text = body+after[:n], after[n+2:]
		if n == 0 {
			return body, text, true
		}
	}
}
