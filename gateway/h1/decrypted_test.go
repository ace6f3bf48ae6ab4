package h1

import (
	"bufio"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"net/http"
	"sync/atomic"
	"testing"
	"time"
)

// A counted connection knows how often its read deadline was moved.
type counted struct {
	net.Conn
	moved *atomic.Int64
}

func (c counted) SetReadDeadline(t time.Time) error {
	c.moved.Add(1)
	return c.Conn.SetReadDeadline(t)
}

type countedListener struct {
	net.Listener
	moved *atomic.Int64
}

func (l countedListener) Accept() (net.Conn, error) {
	c, err := l.Listener.Accept()
	return counted{c, l.moved}, err
}

// Over TLS, too, a head that is there at once needs no deadline of its own. Heads
// in records of any size are the same request.
func TestHeadsInRecords(t *testing.T) {
	var moved atomic.Int64
	b := limits{header: 8 * time.Second, idle: 20 * time.Second, write: time.Minute}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := startOn(t, countedListener{l, &moved}, true, true, b, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = fmt.Fprint(w, r.URL.Path, r.Header["X"])
	}))
	nc := s.dial(t).(*tls.Conn)
	r := bufio.NewReader(nc)
	ask := func(pieces ...string) {
		t.Helper()
		for _, p := range pieces {
			_, _ = io.WriteString(nc, p) // a record each
		}
		res, err := http.ReadResponse(r, nil)
		if err != nil {
			t.Fatal(err)
		}
		if body, _ := io.ReadAll(res.Body); string(body) != "/a[x]" {
			t.Errorf("%q was answered by %q", pieces, body)
		}
	}
	whole := "GET /a HTTP/1.1\r\nHost: h\r\nX: x\r\n\r\n"
	ask(whole)
	before := moved.Load()
	for range 20 {
		ask(whole)
	}
	if n := moved.Load() - before; n > 1 {
		t.Errorf("20 requests moved the read deadline %d times", n)
	}
	for i := 1; i < len(whole); i++ {
		ask(whole[:i], whole[i:])
	}
	ask(whole[:1], whole[1:2], whole[2:])
	if _, err := io.WriteString(nc, whole+whole[:1]); err != nil { // two in one record
		t.Fatal(err)
	}
	ask()
	ask(whole[1:])
}
