package h1

import (
	"bufio"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"
)

// Who has begun may finish, idle connections end at once, and nobody begins any
// more.
func TestShutdown(t *testing.T) {
	for _, ours := range []bool{true, false} {
		for _, secure := range []bool{false, true} {
			running, finish := make(chan struct{}), make(chan struct{})
			s := start(t, ours, secure, usual(), http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if r.URL.Path == "/last" {
					return
				}
				close(running)
				<-finish
				_, _ = io.WriteString(w, "whole")
			}))
			idling, busy := s.dial(t), s.dial(t)
			_, _ = io.WriteString(idling, strings.Replace(last, "close", "x", 1))
			if _, err := http.ReadResponse(bufio.NewReader(idling), nil); err != nil {
				t.Fatal(err)
			}
			_, _ = io.WriteString(busy, get("Host: h\r\n")+last)
			<-running
			over := make(chan error, 1)
			go func() { over <- s.Shutdown(t.Context()) }()
			if !ended(idling) {
				t.Error("an idle connection stays open")
			}
			if _, err := net.Dial("tcp", s.address); err == nil {
				t.Error("a connection is taken")
			}
			select {
			case err := <-over:
				t.Fatalf("it is over: %v", err)
			default:
			}
			close(finish)
			b, _ := io.ReadAll(busy)
			if got := answers(string(b), "GET"); len(got) != 1 || !strings.Contains(got[0], "whole") || !strings.Contains(got[0], "close=true") {
				t.Errorf("answered %q", got)
			}
			if err := <-over; err != nil {
				t.Error(err)
			}
		}
	}
}

// Who waits no longer for those that run cuts them, and they see it.
func TestClose(t *testing.T) {
	running, over := make(chan struct{}), make(chan error, 1)
	s := start(t, true, false, usual(), http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		close(running)
		<-r.Context().Done()
		over <- r.Context().Err()
	}))
	c := s.dial(t)
	_, _ = io.WriteString(c, get("Host: h\r\n"))
	<-running
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if err := s.Shutdown(ctx); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("shutting down: %v", err)
	}
	if err := s.Close(); err != nil {
		t.Error(err)
	}
	if err := <-over; !errors.Is(err, context.Canceled) {
		t.Errorf("the context says %v", err)
	}
	if got, err := io.ReadAll(c); len(got) > 0 {
		t.Errorf("answered %q %v", got, err)
	}
	if err := (&Server{}).Shutdown(t.Context()); err != nil {
		t.Error(err)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	if err := s.running.(*Server).Serve(l); !errors.Is(err, http.ErrServerClosed) {
		t.Errorf("serving again: %v", err)
	}
}

// The protocol is that of the handshake.
func TestHTTP2IsHandedOn(t *testing.T) {
	s := start(t, true, true, usual(), http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprintf(w, "%s over %s from %v", r.Proto, r.TLS.NegotiatedProtocol, r.RemoteAddr != "")
	}))
	for protocol, want := range map[string]string{"h2": "HTTP/2.0 over h2 from true", "http/1.1": "HTTP/1.1 over http/1.1 from true"} {
		tr := &http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true, NextProtos: []string{protocol}}, ForceAttemptHTTP2: protocol == "h2"} //nolint:gosec // of this test
		for range 3 {
			res, err := (&http.Client{Transport: tr}).Get("https://" + s.address)
			if err != nil {
				t.Fatal(err)
			}
			b, _ := io.ReadAll(res.Body)
			_ = res.Body.Close()
			if string(b) != want {
				t.Errorf("%s: %s", protocol, b)
			}
		}
		if protocol == "http/1.1" {
			tr.CloseIdleConnections()
		} else {
			defer tr.CloseIdleConnections() // it is open when the server ends
		}
	}
	s.tls = nil
	if got := s.talk(t, "GET / HTTP/1.1\r\nHost: h\r\n\r\n"); !strings.HasPrefix(got, "HTTP/1.0 400 ") {
		t.Errorf("plain HTTP: %q", got)
	}
	if text := s.log.String(); !strings.Contains(text, "TLS handshake error from 127.0.0.1") {
		t.Errorf("logged: %s", text)
	}
}

// A panic ends its connection and no other, and is logged unless it is meant.
func TestPanics(t *testing.T) {
	s := start(t, true, false, usual(), http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/a" {
			panic("something is wrong")
		}
		panic(http.ErrAbortHandler)
	}))
	for _, text := range []string{last, get("Host: h\r\n")} {
		if got := s.talk(t, text); got != "" {
			t.Errorf("answered %q", got)
		}
	}
	if text := s.log.String(); strings.Count(text, "panic serving") != 1 || !strings.Contains(text, "something is wrong") || !strings.Contains(text, "server_test.go") {
		t.Errorf("logged: %s", text)
	}
}

// An answer that ends with its connection is not ended like one that is whole
// when it is given up.
func TestGivenUpWithoutALength(t *testing.T) {
	s := start(t, true, false, usual(), http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		_, _ = w.Write(make([]byte, 100<<10))
		w.(http.Flusher).Flush()
		panic(http.ErrAbortHandler)
	}))
	c := s.dial(t)
	_, _ = io.WriteString(c, "GET / HTTP/1.0\r\n\r\n")
	if _, err := io.Copy(io.Discard, c); err == nil {
		t.Error("it ended as if it were whole")
	}
}

// A client sees why it is refused, though it reads nothing before it has sent all.
func TestRefusalsAreSeen(t *testing.T) {
	b := usual()
	b.bytes, b.linger = 8<<10, 20*time.Second
	s := start(t, true, false, b, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Connection", "close")
		w.WriteHeader(413)
	}))
	much := strings.Repeat("x", 200<<10)
	for want, text := range map[string]string{
		"431": "GET / HTTP/1.1\r\nHost: h\r\nX: " + much,
		"400": "nonsense\r\n" + much,
		"501": post("Transfer-Encoding: x\r\n", much),
		"417": post("Expect: x\r\nContent-Length: 200000\r\n", much),
		"413": post("Content-Length: 1000000\r\n", much),
		"505": "GET / HTTP/3.0\r\n\r\n" + much,
	} {
		t.Run(want, func(t *testing.T) {
			t.Parallel()
			c := s.dial(t)
			for half := len(text) / 2; text != ""; text = text[half:] {
				half = min(half, len(text))
				if _, err := io.WriteString(c, text[:half]); err != nil {
					t.Fatal(err)
				}
				time.Sleep(50 * time.Millisecond) // it has answered by now
			}
			if res, err := http.ReadResponse(bufio.NewReader(c), nil); err != nil || fmt.Sprint(res.StatusCode) != want {
				t.Errorf("%v %v", res, err)
			}
		})
	}
}

// What a handler has got may be kept and used while the connection goes on: no
// string, map or object of one request is that of another.
func TestWhatIsKeptStays(t *testing.T) {
	type kept struct {
		r    *http.Request
		w    http.ResponseWriter
		text string
	}
	const rounds = 300
	var all sync.Map // by id
	s := start(t, true, false, usual(), http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		id := r.Header.Get("X-Id")
		w.Header().Set("X-Id", id)
		_, _ = io.WriteString(w, id)
		all.Store(id, kept{r, w, fmt.Sprint(r.RequestURI, r.Header, r.Host, r.URL)})
	}))
	late := func(id string) { // comes when the request is over for sure
		v, _ := all.Load(id)
		k, ok := v.(kept)
		if !ok {
			return
		}
		_, _ = k.r.Body.Read(make([]byte, 1))
		_ = http.NewResponseController(k.w).SetWriteDeadline(time.Unix(1, 0))
		_ = k.r.Context().Err()
		k.w.WriteHeader(500)
		if _, err := io.WriteString(k.w, "somebody else's"); err == nil || http.NewResponseController(k.w).Flush() == nil {
			t.Errorf("%s: it is still written", id)
		}
	}
	var wg sync.WaitGroup
	for client := range 4 {
		wg.Go(func() {
			c := s.dial(t)
			r := bufio.NewReader(c)
			for i := range rounds {
				id := fmt.Sprintf("%d-%d", client, i)
				fmt.Fprintf(c, "POST /%s HTTP/1.1\r\nHost: h%s\r\nX-Id: %s\r\nx-lower: %s\r\nContent-Length: 1\r\n\r\nx", id, id, id, id)
				res, err := http.ReadResponse(r, nil)
				if err != nil {
					t.Error(err)
					return
				}
				b, err := io.ReadAll(res.Body)
				if string(b) != id || res.Header.Get("X-Id") != id || err != nil {
					t.Errorf("%s was answered %q %v %v", id, b, res.Header, err)
				}
				wg.Go(func() { late(fmt.Sprintf("%d-%d", client, i-1)) })
			}
		})
	}
	wg.Wait()
	all.Range(func(id, v any) bool {
		k := v.(kept)
		if now := fmt.Sprint(k.r.RequestURI, k.r.Header, k.r.Host, k.r.URL); now != k.text {
			t.Errorf("%s: %s became %s", id, k.text, now)
		}
		return true
	})
}

// Who waits to be told to go on is told when the body is read, and only then.
func TestExpectations(t *testing.T) {
	patient := usual()
	patient.header = time.Minute
	s := start(t, true, false, patient, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/a" {
			b, _ := io.ReadAll(r.Body)
			_, _ = w.Write(b)
		}
	}))
	text := post("Expect: 100-continue\r\nContent-Length: 3\r\n", "")
	c := s.dial(t)
	_, _ = io.WriteString(c, text)
	r := bufio.NewReader(c)
	if line, err := r.ReadString('\n'); line != "HTTP/1.1 100 Continue\r\n" {
		t.Fatalf("%q %v", line, err)
	}
	_, _ = r.Discard(2)
	_, _ = io.WriteString(c, "abc")
	res, err := http.ReadResponse(r, nil)
	if err != nil || res.ContentLength != 3 || res.Close {
		t.Fatalf("%v %v", res, err)
	}
	c = s.dial(t)
	_, _ = io.WriteString(c, strings.Replace(text, "/a", "/b", 1))
	if res, err := http.ReadResponse(bufio.NewReader(c), nil); err != nil || res.StatusCode != 200 || !res.Close {
		t.Fatalf("%v %v", res, err)
	}
	_, _ = io.WriteString(c, last)
	if got, _ := io.ReadAll(c); len(got) > 0 {
		t.Errorf("what may be the body was answered: %q", got)
	}
	// Nobody waits for a body that nobody has asked for.
	if got := s.talk(t, strings.Replace(text, "/a", "/b", 1)); !strings.Contains(got, "Connection: close") || strings.HasSuffix(got, "<stays open>") {
		t.Errorf("got %q", got)
	}
}

// Who takes a connection over gets what was read ahead, and nothing of the request
// is read behind its back.
func TestTakingOver(t *testing.T) {
	over := make(chan string, 1)
	s := start(t, true, false, usual(), http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		c, rw, err := http.NewResponseController(w).Hijack()
		if err != nil {
			t.Error(err)
			return
		}
		if _, err := r.Body.Read(make([]byte, 1)); err == nil {
			t.Error("the body can still be read")
		}
		go func() {
			defer c.Close()
			b, err := io.ReadAll(rw)
			over <- fmt.Sprintf("%s %v", b, err)
		}()
	}))
	for text, want := range map[string]string{get("Host: h\r\n") + "more": "more and more <nil>", post("Content-Length: 9\r\n", "more"): "more and more <nil>", get("Host: h\r\n"): " and more <nil>"} {
		c := s.dial(t).(*net.TCPConn)
		_, _ = io.WriteString(c, text)
		time.Sleep(20 * time.Millisecond)
		_, _ = io.WriteString(c, " and more")
		_ = c.CloseWrite()
		if got := <-over; got != want {
			t.Errorf("%q: got %q", text, got)
		}
	}
	if err := s.Shutdown(t.Context()); err != nil {
		t.Error(err)
	}
}

// The given map is the header of the answer, and is not copied.
func TestAdopt(t *testing.T) {
	s := start(t, true, false, usual(), http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		h := http.Header{"X-A": {"1"}, "Trailer": {"X-B"}}
		w.(interface{ Adopt(h http.Header) }).Adopt(h)
		w.Header().Set("X-C", "3")
		w.WriteHeader(200)
		h["X-B"] = []string{"2"}
	}))
	got := s.talk(t, last)
	for _, want := range []string{"X-A: 1\r\n", "X-C: 3\r\n", "0\r\nX-B: 2\r\n\r\n"} {
		if !strings.Contains(got, want) {
			t.Errorf("no %q in %q", want, got)
		}
	}
}
