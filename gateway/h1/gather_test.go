package h1

import (
	"bytes"
	"errors"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"golang.org/x/net/http2"
)

// slowly is a connection whose writes wait until somebody lets them go on, or it is
// closed.
type slowly struct {
	deadlined
	goOn   chan struct{} // nil: they do not wait
	closed chan struct{}
	once   sync.Once
	fails  error

	mu     sync.Mutex
	writes []string
}

func newSlowly(wait bool) *slowly {
	s := &slowly{closed: make(chan struct{})}
	if wait {
		s.goOn = make(chan struct{})
	}
	return s
}

func (s *slowly) Write(p []byte) (int, error) {
	if s.goOn != nil {
		select {
		case <-s.goOn:
		case <-s.closed:
			return 0, net.ErrClosed
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	select {
	case <-s.closed:
		return 0, net.ErrClosed
	default:
	}
	if s.fails != nil {
		return 0, s.fails
	}
	s.writes = append(s.writes, string(p))
	return len(p), nil
}

func (s *slowly) Close() error {
	s.once.Do(func() { close(s.closed) })
	return nil
}

func (s *slowly) isClosed() bool {
	select {
	case <-s.closed:
		return true
	default:
		return false
	}
}

func (s *slowly) wrote() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.writes
}

func gathers(c net.Conn) *below {
	return &below{Conn: c, pools: &pools{}, frames: true, bound: time.Minute}
}

func write(t *testing.T, b *below, pieces ...string) {
	t.Helper()
	for _, p := range pieces {
		if n, err := b.Write([]byte(p)); n != len(p) || err != nil {
			t.Fatalf("%d, %v", n, err)
		}
	}
}

// What is written while a write is under way leaves with one more, in order, and
// never more than there is room for.
func TestSmallWritesAreGathered(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSlowly(true)
		b := gathers(s)
		defer b.Close()
		write(t, b, "a")
		synctest.Wait() // it is under way
		write(t, b, "b", "c", "d")
		s.goOn <- struct{}{}
		s.goOn <- struct{}{}
		synctest.Wait()
		if got := s.wrote(); len(got) != 2 || got[0] != "a" || got[1] != "bcd" {
			t.Errorf("written: %q", got)
		}
		large := string(make([]byte, writeSize))
		write(t, b, "e")
		close(s.goOn)
		write(t, b, large) // which does not fit behind e, so it has left when this returns
		if got := s.wrote(); len(got) != 4 || got[2] != "e" || got[3] != large {
			t.Errorf("%d writes", len(got))
		}
	})
}

// A write that fails when nobody waits for it ends the connection, and says so to
// whoever writes later.
func TestGatheredWritesThatFail(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSlowly(false)
		s.fails = io.ErrClosedPipe
		b := gathers(s)
		write(t, b, "a")
		synctest.Wait()
		if !s.isClosed() {
			t.Error("the connection is open")
		}
		for _, n := range []int{1, 2 * writeSize} {
			if _, err := b.Write(make([]byte, n)); !errors.Is(err, io.ErrClosedPipe) {
				t.Errorf("%d bytes: %v", n, err)
			}
		}
		_ = b.Close()
	})
}

// TLS says goodbye behind what was gathered and closes the connection then. Where a
// write waits for the client nobody waits for that one.
func TestGoodbyes(t *testing.T) {
	for name, stuck := range map[string]bool{"in peace": false, "while a write is stuck": true} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := newSlowly(stuck)
				b := gathers(s)
				write(t, b, "answer")
				if stuck {
					synctest.Wait()
				}
				begun := time.Now()
				_ = b.SetWriteDeadline(time.Now().Add(5 * time.Second))
				_, err := b.Write([]byte("goodbye"))
				_ = b.SetWriteDeadline(time.Now())
				_ = b.Close()
				if !time.Now().Equal(begun) || (err != nil) != stuck || !s.isClosed() {
					t.Errorf("%v after %v", err, time.Since(begun))
				}
				got := ""
				for _, w := range s.wrote() {
					got += w
				}
				if !stuck && got != "answergoodbye" || stuck && got != "" {
					t.Errorf("written: %q", got)
				}
				if _, err := b.Write([]byte("x")); err == nil {
					t.Error("it is written to behind its end")
				}
			})
		})
	}
}

// Nothing is lost, changed or turned around on real connections, however the sizes
// of writes follow each other and whatever was in the buffers before.
func TestGatheredBytesAreThoseWritten(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	shared := &pools{}
	var wg sync.WaitGroup
	for seed := range uint64(4) {
		from, err := net.Dial("tcp", l.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		to, err := l.Accept()
		if err != nil {
			t.Fatal(err)
		}
		const writes = 2000
		random := func(yield func(piece []byte)) {
			r := rand.New(rand.NewPCG(seed, 1)) //nolint:gosec // no secret
			room := make([]byte, 2*writeSize)
			for i := range writes {
				n := 1 + r.IntN(300)
				if i%20 == 0 {
					n = 1 + r.IntN(len(room))
				}
				for i := range n {
					room[i] = byte(r.Uint32())
				}
				yield(room[:n])
			}
		}
		done := make(chan struct{})
		wg.Go(func() {
			defer close(done)
			var got []byte
			random(func(want []byte) {
				got = append(got[:0], want...)
				if _, err := io.ReadFull(to, got); err != nil || !bytes.Equal(got, want) {
					t.Errorf("not what was written: %v", err)
					_ = to.Close()
				}
			})
		})
		wg.Go(func() {
			b := &below{Conn: from, pools: shared, frames: true, bound: 20 * time.Second}
			random(func(p []byte) { _, _ = b.Write(p) })
			<-done
			_ = b.Close()
			_ = to.Close()
		})
	}
	wg.Wait()
}

// A client of HTTP/2 is told why its connection ends before it does.
func TestHTTP2Goodbye(t *testing.T) {
	s := start(t, true, true, usual(), http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "hello") }))
	c := s.asks(t, "/")
	f := http2.NewFramer(io.Discard, c)
	var content []byte
	leaves := false
	for {
		frame, err := f.ReadFrame()
		if err != nil {
			if !errors.Is(err, io.EOF) { // of TLS, which is not that of TCP
				t.Error(err)
			}
			break
		}
		switch frame := frame.(type) {
		case *http2.DataFrame:
			content = append(content, frame.Data()...)
			if frame.StreamEnded() {
				go func() { _ = s.Shutdown(t.Context()) }()
			}
		case *http2.GoAwayFrame:
			leaves = frame.ErrCode == http2.ErrCodeNo
		}
	}
	if string(content) != "hello" || !leaves {
		t.Errorf("%q, and leaves: %v", content, leaves)
	}
}
