package h1

import (
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"
)

// A body that nobody reads and no handler has bounded has the time of a head to come:
// it is read away for the sake of the connection, and not for ever.
func TestUnreadBodiesEnd(t *testing.T) {
	hasty := usual()
	hasty.header = 200 * time.Millisecond
	asked := make(chan struct{}, 1)
	for _, secure := range []bool{false, true} {
		s := start(t, true, secure, hasty, http.HandlerFunc(func(http.ResponseWriter, *http.Request) { asked <- struct{}{} }))
		for _, begun := range []string{post("Content-Length: 1000\r\n", "x"), post("Transfer-Encoding: chunked\r\n", "5\r\nx")} {
			for there := false; !there && !t.Failed(); { // a head that came too late is asked again
				c, _ := s.patiently(t, "")
				_, _ = io.WriteString(c, begun)
				if !ended(c) {
					t.Errorf("%.60q, TLS %v: the connection stays open", begun, secure)
				}
				select {
				case <-asked:
					there = true
				default:
				}
			}
		}
	}
}

// A client is told to go on once, in however many pieces its body is read.
func TestInvitedOnce(t *testing.T) {
	s := start(t, true, false, usual(), http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		n, err := io.CopyBuffer(struct{ io.Writer }{io.Discard}, struct{ io.Reader }{r.Body}, make([]byte, 1<<10))
		fmt.Fprint(w, n, err)
	}))
	got := s.talk(t, post("Expect: 100-continue\r\nConnection: close\r\nContent-Length: 50000\r\n", strings.Repeat("x", 50_000)))
	if strings.Count(got, "HTTP/1.1 ") != 2 || !strings.HasPrefix(got, "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\n") || !strings.HasSuffix(got, "50000 <nil>") {
		t.Errorf("got %q", got)
	}
}

// A handler that gives up lets go whoever still reads the body for it.
func TestGivenUpWhileItIsRead(t *testing.T) {
	reading, over := make(chan struct{}), make(chan error, 1)
	s := start(t, true, false, usual(), http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		body := r.Body
		go func() {
			one := make([]byte, 1)
			_, _ = body.Read(one)
			close(reading)
			_, err := body.Read(one)
			over <- err
		}()
		<-reading
		time.Sleep(10 * time.Millisecond) // it waits by now, most probably
		panic(http.ErrAbortHandler)
	}))
	c := s.dial(t)
	_, _ = io.WriteString(c, post("Content-Length: 1000\r\n", "x"))
	if !ended(c) {
		t.Error("the connection stays open")
	}
	if err := <-over; err == nil {
		t.Error("the body was read on")
	}
}
