package h1

import (
	"bytes"
	"crypto/tls"
	"io"
	"net"
	"net/http"
	"testing"
	"testing/synctest"
	"time"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"
)

// deadlined is a connection that notes the write deadlines that it is given, and how
// much of them each write had left.
type deadlined struct {
	net.Conn
	at   time.Time
	set  int
	left []time.Duration
}

func (d *deadlined) SetReadDeadline(time.Time) error { return nil }

func (d *deadlined) SetWriteDeadline(t time.Time) error {
	d.at = t
	d.set++
	return nil
}

func (d *deadlined) Write(p []byte) (int, error) {
	left := time.Duration(0) // there is no deadline
	if !d.at.IsZero() {
		left = time.Until(d.at)
	}
	d.left = append(d.left, left)
	return len(p), nil
}

// Each write has the bound at most and half of it at least, whenever it begins, and
// those that follow each other soon do not move the deadline.
func TestWritesBelowTLS(t *testing.T) {
	const bound = 10 * time.Second
	for name, tt := range map[string]struct {
		bound time.Duration
		pause time.Duration
		do    func(b *below) // before 100 writes
		want  int            // deadlines
		least time.Duration  // that a write had left
		most  time.Duration
	}{
		"not HTTP/2":       {0, time.Second, func(*below) {}, 0, 0, 0},
		"in quick turn":    {bound, 40 * time.Millisecond, func(*below) {}, 1, bound / 2, bound},
		"once in a while":  {bound, time.Second, func(*below) {}, 17, bound / 2, bound},
		"seldom":           {bound, time.Minute, func(*below) {}, 100, bound, bound},
		"after a greeting": {bound, time.Millisecond, func(b *below) { _ = b.SetDeadline(time.Now().Add(time.Second)); _ = b.SetDeadline(time.Time{}) }, 2, bound / 2, bound},
		"somebody else's":  {bound, time.Millisecond, func(b *below) { _ = b.SetWriteDeadline(time.Now().Add(time.Second)) }, 1, time.Second / 2, time.Second},
		"of long ago":      {bound, time.Millisecond, func(b *below) { _ = b.SetWriteDeadline(time.Now().Add(time.Hour)); _ = b.SetWriteDeadline(time.Time{}) }, 2, bound / 2, bound},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				d := &deadlined{}
				b := &below{Conn: d, pools: &pools{}, frames: tt.bound > 0, bound: tt.bound}
				tt.do(b)
				for range 100 {
					if _, err := b.Write([]byte("x")); err != nil {
						t.Fatal(err)
					}
					synctest.Wait() // until it has left
					time.Sleep(tt.pause)
				}
				if d.set != tt.want {
					t.Errorf("%d deadlines were set, want %d", d.set, tt.want)
				}
				for i, left := range d.left {
					if left < tt.least || left > tt.most {
						t.Fatalf("write %d had %v", i, left)
					}
				}
			})
		})
	}
}

// asks is a client of HTTP/2 that takes what is sent to it when it likes.
func (s *served) asks(t *testing.T, path string) net.Conn {
	t.Helper()
	c, err := s.open(t, &tls.Config{InsecureSkipVerify: true, NextProtos: []string{"h2"}}) //nolint:gosec // of this test
	if err != nil {
		t.Fatal(err)
	}
	_, _ = io.WriteString(c, http2.ClientPreface)
	f := http2.NewFramer(c, nil)
	_ = f.WriteSettings(http2.Setting{ID: http2.SettingInitialWindowSize, Val: 1 << 30})
	_ = f.WriteWindowUpdate(0, 1<<30)
	var block bytes.Buffer
	enc := hpack.NewEncoder(&block)
	for _, kv := range [][2]string{{":method", "GET"}, {":scheme", "https"}, {":authority", "h"}, {":path", path}} {
		_ = enc.WriteField(hpack.HeaderField{Name: kv[0], Value: kv[1]})
	}
	if err := f.WriteHeaders(http2.HeadersFrameParam{StreamID: 1, BlockFragment: block.Bytes(), EndHeaders: true, EndStream: true}); err != nil {
		t.Fatal(err)
	}
	return c
}

// muchSize is more than anybody holds for a client.
const muchSize = 24 << 20

// much answers with that, and tells how much was taken.
func much(sent chan<- int) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		n := 0
		for n < muchSize {
			m, err := w.Write(make([]byte, 64<<10))
			if n += m; err != nil {
				break
			}
		}
		sent <- n
	}
}

// A connection of HTTP/2 whose client takes nothing is ended.
func TestHTTP2ClientsThatDoNotRead(t *testing.T) {
	sent := make(chan int, 1)
	b := usual()
	b.frames = 400 * time.Millisecond
	c := start(t, true, true, b, much(sent)).asks(t, "/stuck")
	if n := <-sent; n == muchSize {
		t.Error("all was sent to who reads nothing")
	}
	if n, _ := io.Copy(io.Discard, c); n >= muchSize {
		t.Errorf("%d bytes came of a connection that has ended", n)
	}
}

// One whose client is slow but takes every piece in time is not.
func TestHTTP2ClientsThatAreSlow(t *testing.T) {
	t.Parallel()
	sent := make(chan int, 1)
	b := usual()
	b.frames = 5 * time.Second // each write has half of it at least, and all of them take longer
	server := start(t, true, true, b, much(sent))
	server.room = 256 << 10 // or the system takes all of it, on its way
	c := server.asks(t, "/slow")
	done := make(chan struct{})
	go func() {
		defer close(done)
		room := make([]byte, 1<<20)
		for {
			if _, err := io.ReadFull(c, room); err != nil {
				return
			}
			time.Sleep(500 * time.Millisecond)
		}
	}()
	if n := <-sent; n != muchSize {
		t.Errorf("%d bytes were sent to who reads slowly", n)
	}
	_ = c.Close()
	<-done
}
