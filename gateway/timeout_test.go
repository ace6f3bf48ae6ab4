package gateway

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"
)

// both runs a test with a client of either protocol.
func both(t *testing.T, f func(t *testing.T, h2 bool)) {
	t.Run("HTTP/1.1", func(t *testing.T) { f(t, false) })
	t.Run("HTTP/2", func(t *testing.T) { f(t, true) })
}

// stalled gives n bytes and then nothing, until the test is over.
func stalled(t *testing.T, n int) io.Reader {
	r, w := io.Pipe()
	t.Cleanup(func() { _ = w.Close() })
	go func() { _, _ = io.WriteString(w, `{"a": "`+strings.Repeat("x", n)) }()
	return r
}

// A body that does not arrive in time is refused, whether it is held or
// streamed, and the rest of it is never taken for another request.
func TestBodyTimeout(t *testing.T) {
	for name, settings := range map[string]string{
		"streamed": plain + "    timeouts: {body: 150ms}\n",
		"held":     plain + "    timeouts: {body: 150ms}\n    sanitize: {html: strip}\n",
	} {
		t.Run(name, func(t *testing.T) {
			w := open(t)
			hr := &witness{}
			w.backend("HR", hr.ServeHTTP)
			w.start(settings, "")
			c := w.dial()
			c.send("POST /plain/1 HTTP/1.1\nHost: localhost\nContent-Type: application/json\nContent-Length: 1000\n\n{\"a\":")
			a := c.receive("POST")
			refused(t, a, 408, "body_timeout")
			if !a.Close || !c.closed() {
				t.Error("the connection stays open")
			}
			r := w.request("POST", "/plain/2", stalled(t, 5), "Content-Type: application/json")
			refused(t, do(t, w.client(true), r), 408, "body_timeout")
			for _, e := range w.exchanges(2) {
				if e["code"] != "body_timeout" || e["aborted"] == true {
					t.Errorf("on record: %v", e)
				}
			}
			if name == "held" && len(hr.requests()) > 0 {
				t.Errorf("the backend saw %q", hr.requests())
			}
			w.close()
		})
	}
}

// The time for the body is not the time for the answer.
func TestSlowUpstreamAfterBody(t *testing.T) {
	t.Parallel() // it mostly waits
	both(t, func(t *testing.T, h2 bool) {
		t.Parallel()
		w := open(t)
		w.backend("HR", func(rw http.ResponseWriter, r *http.Request) {
			body, _ := io.ReadAll(r.Body)
			time.Sleep(6 * time.Second)
			fmt.Fprintf(rw, "%d", len(body))
		})
		w.start(plain+"    timeouts: {body: 5s}\n", "")
		c := w.client(h2)
		body := strings.Repeat("x", 100<<10)
		for _, r := range []*http.Request{
			w.request("POST", "/plain/1", strings.NewReader(body)),
			w.request("POST", "/plain/1", struct{ io.Reader }{strings.NewReader(body)}),
		} {
			t.Run(fmt.Sprintf("length %d", r.ContentLength), func(t *testing.T) {
				t.Parallel()
				if a := do(t, c, r); a.StatusCode != 200 || a.body != "102400" {
					t.Errorf("%s %s", a.Status, a.body)
				}
			})
		}
	})
}

// An upstream that stops in the middle cuts a stream. Under a mask, nothing of
// it has been sent.
func TestResponseIdle(t *testing.T) {
	t.Parallel() // it mostly waits
	both(t, func(t *testing.T, h2 bool) {
		t.Parallel()
		w := open(t)
		w.backend("HR", func(rw http.ResponseWriter, r *http.Request) {
			rw.Header().Set("Content-Type", "application/json")
			fmt.Fprintf(rw, `{"salary": %s,`, secret)
			_ = http.NewResponseController(rw).Flush()
			<-r.Context().Done()
		})
		const idle = "    timeouts: {idle: 2s}\n" // of the routes: that of all bounds handshakes as well
		w.start(one+idle+strings.SplitAfter(plain, "routes:\n")[1]+idle, masking)
		c := w.client(h2)
		a := do(t, c, w.request("GET", "/plain/1", nil))
		if a.StatusCode != 200 || a.err == nil || !strings.Contains(a.body, secret) {
			t.Errorf("%s %q %v", a.Status, a.body, a.err)
		}
		refused(t, do(t, c, w.request("GET", "/api/employees/1", nil, w.as("e2", "staff"))), 502, "response_unmaskable")
		if e := w.exchanges(2); e[0]["aborted"] != true || e[0]["status"] != 200.0 {
			t.Errorf("on record: %v", e[0])
		}
	})
}

// A client that does not read is given up, and the upstream with it.
func TestSlowReader(t *testing.T) {
	t.Parallel() // it mostly waits
	both(t, func(t *testing.T, h2 bool) {
		t.Parallel()
		w := open(t)
		gone := make(chan struct{})
		w.backend("HR", func(rw http.ResponseWriter, r *http.Request) {
			defer close(gone)
			for r.Context().Err() == nil {
				if _, err := rw.Write(make([]byte, 64<<10)); err != nil {
					return
				}
			}
		})
		w.start(plain+"    timeouts: {idle: 2s}\n", "")
		res, err := w.client(h2).Do(w.request("GET", "/plain/1", nil))
		if err != nil {
			t.Fatal(err)
		}
		defer res.Body.Close()
		e := w.exchanges(1)[0]
		if e["aborted"] != true || e["status"] != 200.0 {
			t.Errorf("on record: %v", e)
		}
		<-gone
		if _, err := io.Copy(io.Discard, res.Body); err == nil {
			t.Error("the answer ended as if it were whole")
		}
	})
}

// A client that takes each piece in time is served however long the answer lasts,
// also where it has sent a body, which bounds what is written as well.
func TestLongAnswerAfterBody(t *testing.T) {
	t.Parallel() // it mostly waits
	both(t, func(t *testing.T, h2 bool) {
		t.Parallel()
		w := open(t)
		w.backend("HR", func(rw http.ResponseWriter, r *http.Request) {
			_, _ = io.Copy(io.Discard, r.Body)
			for range 12 { // in all longer than one write may take
				time.Sleep(time.Second)
				_, _ = io.WriteString(rw, strings.Repeat("data: x\n\n", 1000))
				_ = http.NewResponseController(rw).Flush()
			}
		})
		w.start(plain+"timeouts: {idle: 5s}\n", "")
		a := do(t, w.client(h2), w.request("POST", "/plain/1", strings.NewReader("body")))
		if a.err != nil || strings.Count(a.body, "data: x") != 12_000 {
			t.Errorf("%d bytes, %v", len(a.body), a.err)
		}
	})
}

// A stream whose upstream is nearly as silent as it may be is not cut: the
// client is not the slow one.
func TestQuietStream(t *testing.T) {
	t.Parallel() // it mostly waits
	both(t, func(t *testing.T, h2 bool) {
		t.Parallel()
		w := open(t)
		w.backend("HR", func(rw http.ResponseWriter, _ *http.Request) {
			rw.Header().Set("Content-Type", "text/event-stream")
			for _, pause := range []time.Duration{0, 5500 * time.Millisecond, 19 * time.Second} {
				time.Sleep(pause)
				_, _ = io.WriteString(rw, "data: x\n\n")
				_ = http.NewResponseController(rw).Flush()
			}
		})
		w.start(plain+"    timeouts: {idle: 24s}\n", "")
		a := do(t, w.client(h2), w.request("GET", "/plain/1", nil))
		if a.err != nil || strings.Count(a.body, "data: x") != 3 {
			t.Errorf("%q %v", a.body, a.err)
		}
	})
}

// A connection serves on after an answer that took the client long.
func TestConnectionAfterDeadlines(t *testing.T) {
	t.Parallel() // it mostly waits
	w := open(t)
	w.backend("HR", echo("A"))
	w.start(plain+"    timeouts: {idle: 2s, body: 4s}\ntimeouts: {idle: 15s}\n", "")
	c := w.dial()
	for n := range 3 {
		if n == 1 {
			time.Sleep(4500 * time.Millisecond) // longer than either deadline of the last exchange
		}
		c.send("POST /plain/1 HTTP/1.1\nHost: localhost\nContent-Length: 1\n\nx")
		if a := c.receive("POST"); a.StatusCode != 200 || a.err != nil {
			t.Fatalf("%s %v", a.Status, a.err)
		}
	}
}

// Who has begun may finish; nobody begins any more.
func TestDrain(t *testing.T) {
	both(t, func(t *testing.T, h2 bool) {
		w := open(t)
		running, finish := make(chan struct{}), make(chan struct{})
		w.backend("HR", func(rw http.ResponseWriter, _ *http.Request) {
			close(running)
			<-finish
			_, _ = io.WriteString(rw, "whole")
		})
		w.start(plain, "")
		got := make(chan answer, 1)
		c, r := w.client(h2), w.request("GET", "/plain/1", nil)
		go func() {
			res, err := c.Do(r)
			if err != nil {
				got <- answer{nil, "", err}
				return
			}
			defer res.Body.Close()
			b, err := io.ReadAll(res.Body)
			got <- answer{res, string(b), err}
		}()
		<-running
		if w.g.Draining() {
			t.Error("draining before it was told to")
		}
		w.stop()
		address := strings.TrimPrefix(w.base, "https://")
		eventually(t, "new connections are refused", func() bool {
			conn, err := net.Dial("tcp", address)
			if err == nil {
				_ = conn.Close()
			}
			return err != nil
		})
		if !w.g.Draining() {
			t.Error("not draining")
		}
		select {
		case err := <-w.done:
			t.Fatalf("stopped with a request running: %v", err)
		case a := <-got:
			t.Fatalf("cut: %v", a)
		default:
		}
		close(finish)
		if a := <-got; a.err != nil || a.body != "whole" {
			t.Errorf("%q %v", a.body, a.err)
		}
	})
}

// A request that does not finish in the drain time is cut, and serving ends.
func TestDrainTimeout(t *testing.T) {
	w := open(t)
	running := make(chan struct{})
	w.backend("HR", func(_ http.ResponseWriter, r *http.Request) {
		close(running)
		<-r.Context().Done()
	})
	w.start("timeouts: {drain: 100ms}\n"+plain, "")
	c := w.dial()
	c.send("GET /plain/1 HTTP/1.1\nHost: localhost\n\n")
	<-running
	w.stop()
	if err := <-w.done; err != nil {
		t.Errorf("serving: %v", err)
	}
	w.done <- nil // for close
	if _, err := c.r.ReadByte(); err == nil {
		t.Error("an answer came after all")
	}
	eventually(t, "no request runs", func() bool { return w.metric("gatehouse_requests_in_flight") == "0" })
	if lines := w.log("requests were cut off by the drain timeout"); len(lines) != 1 {
		t.Errorf("logged: %v", lines)
	}
}
