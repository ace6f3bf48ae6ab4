package ratelimit

import (
	"io"
	"net"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/gatehouse-dev/gatehouse/config"
	"github.com/gatehouse-dev/gatehouse/middleware/store"
	"github.com/gatehouse-dev/gatehouse/middleware/store/storetest"
)

// far stands between a gateway and its Redis and holds back every answer.
type far struct {
	server, addr string
	delay        atomic.Int64 // in nanoseconds
	never        atomic.Bool  // answers are held back until nobody waits for them
	wg           sync.WaitGroup
}

func farFrom(t *testing.T, server string) *far {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	f := &far{server: server, addr: l.Addr().String()}
	f.wg.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			f.wg.Go(func() { f.carry(c) })
		}
	})
	t.Cleanup(func() { _ = l.Close(); f.wg.Wait() })
	return f
}

// carry ends with either connection.
func (f *far) carry(c net.Conn) {
	defer c.Close()
	s, err := net.Dial("tcp", f.server)
	if err != nil {
		return
	}
	defer s.Close()
	gone := make(chan struct{})
	f.wg.Go(func() {
		_, _ = io.Copy(s, c)
		_ = s.Close()
		close(gone)
	})
	b := make([]byte, 32<<10)
	for {
		n, err := s.Read(b)
		if err != nil {
			return
		}
		if f.never.Load() {
			<-gone
			return
		}
		time.Sleep(time.Duration(f.delay.Load()))
		if _, err := c.Write(b[:n]); err != nil {
			return
		}
	}
}

// A Redis that answers, but more slowly than a request waits for it, is as good as
// dead: the replica's own word gets through all the time, and still no request waits
// a second time. Once it is fast enough it is asked again.
func TestRedisSlow(t *testing.T) {
	s := storetest.Start(t)
	// The same Redis: to requests an answer is late whenever it comes, the replica's
	// own word has the time for one.
	f, beside := farFrom(t, s.Addr), farFrom(t, s.Addr)
	through := func(f *far) *store.Redis {
		r, err := store.Open(&config.Redis{Addresses: []string{f.addr}})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = r.Close() })
		return r
	}
	st := NewStore(through(f))
	st.announce(through(beside).Aside())
	defer st.Close()
	r := open(t, config.RateLimit{Rate: rate(1000, time.Hour)}, st)
	fast := func() bool { a := r.take(t.Context(), "k"); return a.err == nil && a.shared }
	word := func() float64 { return s.Client().ZScore(t.Context(), replicas, st.peers.id).Val() }
	eventually(t, func() bool { return fast() && word() > 0 })

	f.never.Store(true)
	beside.delay.Store(int64(40 * time.Millisecond))
	eventually(t, func() bool { return !fast() })
	before, words, last := st.redis.Asked(), 0, word()
	eventually(t, func() bool {
		if fast() {
			t.Error("answered in time")
		}
		if at := word(); at != last {
			words, last = words+1, at
		}
		return words > 2 && st.peers.redis.Ready(t.Context()) == nil
	})
	if got := st.redis.Asked() - before; got != 0 {
		t.Errorf("%d more requests waited for a Redis that was known to be slow", got)
	}
	f.never.Store(false)
	eventually(t, fast)
}
