package h1

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gatehouse-dev/gatehouse/middleware/middlewaretest"
)

func TestMain(m *testing.M) {
	if os.Getenv("H1_BENCH_SERVER") != "" {
		benchServer()
		return
	}
	log.SetOutput(io.Discard) // net/http quotes there what nobody asked for
	middlewaretest.Main(m)
}

// benchServer answers every request with 1 KB, in a process of its own, so that
// its time is not counted.
func benchServer() {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		panic(err)
	}
	fmt.Println(ln.Addr())
	answer := []byte("HTTP/1.1 200 OK\r\nServer: bench\r\nDate: Mon, 01 Jan 2024 00:00:00 GMT\r\nContent-Type: application/json\r\nCache-Control: no-store\r\nContent-Length: 1024\r\n\r\n" + strings.Repeat("x", 1024))
	go func() { // the parent has gone
		_, _ = io.Copy(io.Discard, os.Stdin)
		os.Exit(0)
	}()
	for {
		c, err := ln.Accept()
		if err != nil {
			return
		}
		go func() {
			r := bufio.NewReader(c)
			for {
				line, err := r.ReadSlice('\n')
				if err != nil {
					return
				}
				if len(bytes.TrimSpace(line)) == 0 {
					_, _ = c.Write(answer)
				}
			}
		}()
	}
}

// raw runs a server that is not bound to speak HTTP. talk gets each connection
// and what has been read ahead of it; the connection is closed after it.
func raw(t testing.TB, talk func(c net.Conn, r *bufio.Reader)) string {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	wg.Go(func() {
		for {
			c, err := ln.Accept()
			if err != nil {
				return
			}
			wg.Go(func() {
				defer c.Close()
				talk(c, bufio.NewReader(c))
			})
		}
	})
	t.Cleanup(func() { _ = ln.Close(); wg.Wait() })
	return ln.Addr().String()
}

// answering reads a request with its body and answers with text, once.
func answering(text string) func(net.Conn, *bufio.Reader) {
	return func(c net.Conn, r *bufio.Reader) {
		if q, err := http.ReadRequest(r); err == nil {
			_, _ = io.Copy(io.Discard, q.Body)
			_, _ = io.WriteString(c, text)
		}
	}
}

// always answers every request with the same text, over kept connections.
func always(text string) func(net.Conn, *bufio.Reader) {
	return func(c net.Conn, r *bufio.Reader) {
		for {
			q, err := http.ReadRequest(r)
			if err != nil {
				return
			}
			_, _ = io.Copy(io.Discard, q.Body)
			if _, err := io.WriteString(c, text); err != nil {
				return
			}
		}
	}
}

func dialer(address string) func(ctx context.Context) (net.Conn, error) {
	return func(ctx context.Context) (net.Conn, error) {
		var d net.Dialer
		return d.DialContext(ctx, "tcp", address)
	}
}

// client makes a client for a test, which has the time for last pieces to be sent.
func client(t testing.TB, address string, change ...func(*Settings)) *Client {
	t.Helper()
	s := Settings{Host: address, Dial: dialer(address)}
	for _, f := range change {
		f(&s)
	}
	c := New(s)
	c.mile = time.Minute
	t.Cleanup(c.CloseIdleConnections)
	return c
}

// ask makes a request.
func ask(t testing.TB, method, path string, body io.Reader) *http.Request {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), method, "http://upstream.test"+path, body)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// whole reads an answer to its end.
func whole(res *http.Response, err error) (int, string, error) {
	if err != nil {
		return 0, "", err
	}
	defer res.Body.Close()
	b, err := io.ReadAll(res.Body)
	return res.StatusCode, string(b), err
}

// piped makes a client for a bubble: talk gets the other end of each connection, and
// what has been read ahead of it.
func piped(t testing.TB, talk func(c net.Conn, r *bufio.Reader)) *Client {
	t.Helper()
	var wg sync.WaitGroup
	t.Cleanup(wg.Wait) // after that of the client
	return client(t, "a", func(s *Settings) {
		s.Dial = func(context.Context) (net.Conn, error) {
			ours, theirs := net.Pipe()
			wg.Go(func() {
				defer theirs.Close()
				talk(theirs, bufio.NewReader(theirs))
			})
			return ours, nil
		}
	})
}

// kept waits until the connection that is kept is as f says, and tells whether it is.
// It may be kept no more meanwhile: dead ones are looked for.
func kept(c *Client, f func(*conn) bool) bool {
	for begin := time.Now(); time.Since(begin) < time.Minute; time.Sleep(time.Millisecond) {
		c.pool.mu.Lock()
		there := len(c.pool.idle) > 0
		found := there && f(c.pool.idle[0])
		c.pool.mu.Unlock()
		if found || !there {
			return found
		}
	}
	return false
}

func spoken(cn *conn) bool { return cn.spoken() }
func ended(cn *conn) bool  { return !cn.quiet() }
