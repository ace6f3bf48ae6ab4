package admin

import (
	"bufio"
	"errors"
	"io"
	"net"
	"net/http"
	"os"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// line is a listener of connections that are made in a bubble.
type line struct {
	conns chan net.Conn
	once  sync.Once
}

func (l *line) Accept() (net.Conn, error) {
	if c, ok := <-l.conns; ok {
		return c, nil
	}
	return nil, net.ErrClosed
}
func (l *line) Close() error   { l.once.Do(func() { close(l.conns) }); return nil }
func (l *line) Addr() net.Addr { return &net.TCPAddr{} }

// dial serves a handler in a bubble, with little patience, and gives a connection to it.
func dial(t *testing.T, h http.HandlerFunc) net.Conn {
	t.Helper()
	l := &line{conns: make(chan net.Conn, 1)}
	srv, done := server(h, 100*time.Millisecond), make(chan error, 1)
	go func() { done <- srv.Serve(l) }()
	conn, theirs := net.Pipe()
	l.conns <- theirs
	t.Cleanup(func() {
		_ = conn.Close()
		_ = srv.Close()
		if err := <-done; !errors.Is(err, http.ErrServerClosed) {
			t.Error(err)
		}
	})
	_ = conn.SetDeadline(time.Now().Add(20 * time.Second))
	return conn
}

// A body that is promised and never sent holds no connection.
func TestBodyNeverSent(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		conn := dial(t, func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusUnauthorized) })
		_, _ = io.WriteString(conn, "POST /admin/reload HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n")
		r := bufio.NewReader(conn)
		res, err := http.ReadResponse(r, nil)
		if err != nil || res.StatusCode != http.StatusUnauthorized {
			t.Fatalf("%v, %v", res, err)
		}
		if _, err := r.ReadByte(); errors.Is(err, os.ErrDeadlineExceeded) {
			t.Error("the connection stays")
		}
	})
}

// An answer that nobody takes ends.
func TestAnswerNotTaken(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ended := make(chan error, 1)
		conn := dial(t, func(w http.ResponseWriter, _ *http.Request) {
			var err error
			for piece := make([]byte, 64<<10); err == nil; {
				_, err = w.Write(piece)
			}
			ended <- err
		})
		_, _ = io.WriteString(conn, "GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n")
		select {
		case <-ended:
		case <-time.After(20 * time.Second):
			t.Error("it goes on")
		}
	})
}

// What takes long and sends nothing meanwhile goes on, as a profile does.
func TestLongWork(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		conn := dial(t, func(w http.ResponseWriter, r *http.Request) {
			// As pprof does.
			_ = http.NewResponseController(w).SetWriteDeadline(time.Now().Add(20 * time.Second))
			select {
			case <-r.Context().Done():
				w.WriteHeader(http.StatusServiceUnavailable)
			case <-time.After(300 * time.Millisecond):
			}
		})
		_, _ = io.WriteString(conn, "GET /debug/pprof/profile HTTP/1.1\r\nHost: x\r\n\r\n")
		res, err := http.ReadResponse(bufio.NewReader(conn), nil)
		if err != nil || res.StatusCode != http.StatusOK {
			t.Errorf("%v, %v", res, err)
		}
	})
}
