package h1

import (
	"bufio"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// Under load, over a server that ends connections after any answer, says more than
// it was asked for, and answers before it has read: everybody gets an answer that
// is his own, or, if his request may have had an effect, none.
func TestStorm(t *testing.T) {
	address := raw(t, func(c net.Conn, r *bufio.Reader) {
		for {
			q, err := http.ReadRequest(r)
			if err != nil {
				return
			}
			chance := rand.N(10)
			if chance > 1 {
				_, _ = io.Copy(io.Discard, q.Body)
			}
			surplus := ""
			if chance == 2 {
				surplus = "HTTP/1.1 200 OK\r\nContent-Length: 8\r\n\r\npoisoned"
			}
			id := q.URL.Path
			if _, err := fmt.Fprintf(c, "HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s%s", len(id), id, surplus); err != nil || chance == 3 {
				return
			}
			if chance == 4 { // in the moment in which the next request may come
				time.Sleep(time.Duration(rand.N(300)) * time.Microsecond)
				return
			}
			if chance <= 1 {
				_, _ = io.Copy(io.Discard, q.Body)
			}
		}
	})
	c := client(t, address, func(s *Settings) { s.Max = 12 })
	var lost, safe atomic.Int64
	var wg sync.WaitGroup
	for w := range 24 {
		wg.Go(func() {
			for i := range 100 {
				id := fmt.Sprintf("/%d/%d", w, i)
				method, body := "GET", io.Reader(nil)
				switch i % 3 {
				case 1:
					method, body = "POST", strings.NewReader("small")
				case 2:
					method, body = "POST", io.MultiReader(strings.NewReader(strings.Repeat("x", i*1000)))
				}
				_, got, err := whole(c.Do(&Call{Answer: time.Minute, Idle: time.Minute}, ask(t, method, id, body)))
				switch {
				case err == nil && got != id:
					t.Errorf("%s got the answer %q", id, got)
				case err != nil && method == "GET":
					safe.Add(1)
					t.Logf("%s: %v", id, err)
				case err != nil:
					lost.Add(1)
				}
			}
		})
	}
	wg.Wait()
	if safe.Load() > 0 {
		t.Errorf("%d requests that could have been sent again got no answer, besides %d others", safe.Load(), lost.Load())
	}
	if s := c.Stats(); s.Busy != 0 || s.Waiting != 0 {
		t.Errorf("left behind: %+v", s)
	}
}
