package gateway

import (
	"bufio"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"
)

// Requests that come together are judged one by one and answered in their
// order, whatever became of those before.
func TestPipelining(t *testing.T) {
	w := open(t)
	b := w.record(func(c io.Writer, r *http.Request, body []byte) bool {
		text := r.URL.Path + string(body)
		_, err := fmt.Fprintf(c, "HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s", len(text), text)
		return err == nil
	})
	w.vars["HR"] = b.url
	w.start(plain, "")
	for _, p := range []proto{plainH1, tlsH1} {
		c := w.wire(p)
		head := " HTTP/1.1\r\nHost: localhost\r\n"
		_, err := io.WriteString(c, "GET /plain/a"+head+"\r\n"+"GET /nowhere"+head+"\r\n"+"POST /plain/b"+head+"Content-Length: 2\r\n\r\nGE"+
			"GET /plain/../c"+head+"\r\n"+"BREW /plain/d"+head+"X-User-Id: root\r\n\r\n"+
			"GET /plain/up"+head+"Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: "+key+"\r\n\r\n"+
			"POST /nowhere"+head+"Content-Length: 2\r\n\r\nGE"+"OPTIONS *"+head+"\r\n"+"GET /plain/e"+head+"Connection: close\r\n\r\n"+smuggled)
		if err != nil {
			t.Fatal(err)
		}
		r := bufio.NewReader(c)
		for _, want := range []string{"200 /plain/a", "404 route_unknown", "200 /plain/bGE", "400 path_invalid", "", "200 /plain/up", "404 route_unknown", "400 path_invalid", "200 /plain/e"} {
			o := readH1(r, "GET")
			got := fmt.Sprintf("%d %s", o.status, o.body)
			if c := o.code(); c != "" {
				got = o.String()
			}
			if got != want && want != "" { // an odd method may be known or not
				t.Errorf("%s: got %s %v, want %s", p, got, o.err, want)
			}
		}
		if more, err := r.Peek(1); err == nil {
			t.Errorf("%s: more is answered: %q", p, more)
		}
	}
}

// A body that a client broke off must not look whole to the backend, and the
// connection that it went out on carries nothing more.
func TestBodiesBrokenOff(t *testing.T) {
	w := open(t)
	b := w.record(nil)
	w.vars["HR"] = b.url
	w.start(plain, "")
	begun := func() bool {
		b.mu.Lock()
		defer b.mu.Unlock()
		for _, c := range b.conns {
			if strings.HasSuffix(c.String(), "hell\r\n") || strings.HasSuffix(c.String(), "hell") {
				return true
			}
		}
		return false
	}
	for name, send := range map[string]string{
		"by length": postTo("Content-Length: 100000\r\n\r\n", "hell"),
		"by chunks": postTo("Transfer-Encoding: chunked\r\n\r\n", "4\r\nhell\r\n"),
		"in a size": postTo("Transfer-Encoding: chunked\r\n\r\n", "4\r\nhell\r\n5"),
	} {
		for _, p := range []proto{plainH1, tlsH1} {
			t.Run(name+"/"+string(p), func(t *testing.T) {
				c := w.wire(p)
				if _, err := io.WriteString(c, send); err != nil {
					t.Fatal(err)
				}
				eventually(t, "the backend has what there is", begun)
				_ = c.Close()
				brokenOff(t, w, b, 1)
			})
		}
	}
	for _, p := range []proto{plainH1, tlsH1} {
		t.Run("a short one/"+string(p), func(t *testing.T) { // it is waited for, and then sent at once
			c := w.wire(p)
			if _, err := io.WriteString(c, postTo("Content-Length: 10\r\n\r\n", "hell")); err != nil {
				t.Fatal(err)
			}
			_ = c.Close()
			brokenOff(t, w, b, 0)
		})
	}
	for name, end := range map[string]func(f *frames) error{
		"reset":     func(f *frames) error { return f.WriteRSTStream(1, 8) },
		"goes away": func(f *frames) error { return f.Close() },
	} {
		t.Run(name+"/"+string(tlsH2), func(t *testing.T) {
			f := w.frames()
			fields := pseudo(":method", "POST")
			if err := f.open(1, f.head(fields...), false); err != nil {
				t.Fatal(err)
			}
			if err := f.WriteData(1, false, []byte("hell")); err != nil {
				t.Fatal(err)
			}
			eventually(t, "the backend has what there is", begun)
			if err := end(f); err != nil {
				t.Fatal(err)
			}
			brokenOff(t, w, b, 1)
		})
	}
}

// brokenOff verifies that of one request that broke off nothing whole came, and
// that the next one goes out on a connection of its own.
func brokenOff(t *testing.T, w *world, b *recorder, want int) {
	t.Helper()
	if o := w.ask(plainH1, raw{target: "/plain/next"}); o.status != 200 {
		t.Errorf("the next request: %v", o)
	}
	seen := b.arrivals(t).of(-1)
	if len(seen.whole) != 1 || !strings.HasPrefix(seen.whole[0], "GET /plain/next ") || seen.broken != want {
		t.Errorf("the backend saw %q and %d that broke off", seen.whole, seen.broken)
	}
}

// A client that waits to be told to go on is told so, and one that is refused
// without being asked for its body is not waited for.
func TestExpect(t *testing.T) {
	w := open(t)
	b := w.record(nil)
	w.vars["HR"] = b.url
	w.start(plain, "")
	c := w.wire(tlsH1)
	if _, err := io.WriteString(c, postTo("Expect: 100-continue\r\nContent-Length: 5\r\n\r\n", "")); err != nil {
		t.Fatal(err)
	}
	r := bufio.NewReader(c)
	line, err := r.ReadString('\n')
	if err != nil || !strings.HasPrefix(line, "HTTP/1.1 100 ") {
		t.Fatalf("got %q %v", line, err)
	}
	_, _ = r.ReadString('\n')
	_, _ = io.WriteString(c, "hello")
	if o := readH1(r, "POST"); o.status != 200 {
		t.Errorf("got %v", o)
	}

	// Refused: the final answer comes at once, and the body that may still come
	// is no request.
	c = w.wire(tlsH1)
	_ = c.SetDeadline(time.Now().Add(10 * time.Second))
	text := strings.Replace(postTo(fmt.Sprintf("Expect: 100-continue\r\nContent-Length: %d\r\n\r\n", len(smuggled)), ""), "/plain/1", "/nowhere", 1)
	if _, err := io.WriteString(c, text); err != nil {
		t.Fatal(err)
	}
	r = bufio.NewReader(c)
	if o := readH1(r, "POST"); o.status != 404 {
		t.Fatalf("got %v", o)
	}
	_, _ = io.WriteString(c, smuggled)
	if more, err := r.Peek(1); err == nil {
		t.Errorf("more is answered: %q", more)
	}
	seen := b.arrivals(t).of(-1)
	if len(seen.whole) != 1 || !strings.HasSuffix(seen.whole[0], "hello") || seen.broken > 0 {
		t.Errorf("the backend saw %q", seen.whole)
	}
}
