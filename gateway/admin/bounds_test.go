package admin

import (
	"bufio"
	"errors"
	"io"
	"net"
	"net/http"
	"os"
	"testing"
	"time"
)

// dial serves a handler with little patience, and gives a connection to it.
func dial(t *testing.T, h http.HandlerFunc) net.Conn {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	srv, done := server(h, 100*time.Millisecond), make(chan error, 1)
	go func() { done <- srv.Serve(l) }()
	conn, err := net.Dial("tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
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
}

// An answer that nobody takes ends.
func TestAnswerNotTaken(t *testing.T) {
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
}

// What takes long and sends nothing meanwhile goes on, as a profile does.
func TestLongWork(t *testing.T) {
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
}
