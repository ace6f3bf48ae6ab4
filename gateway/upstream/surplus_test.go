package upstream

import (
	"bufio"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/gatehouse-dev/gatehouse/middleware/middlewaretest"
)

// An upstream that sends more than its answer is long must not answer the next
// request with what is left over: it may be another caller's.
func TestSurplusAnswersNobody(t *testing.T) {
	const surplus = "HTTP/1.1 200 OK\r\nContent-Length: 8\r\n\r\npoisoned"
	for name, answer := range map[string]string{
		"with a body": "HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nmine",
		"without":     "HTTP/1.1 204 No Content\r\n\r\n",
		"chunked":     "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nmine\r\n0\r\n\r\n",
	} {
		t.Run(name, func(t *testing.T) {
			u := open(t, nil, raw(t, func(c net.Conn, r *bufio.Reader) {
				for {
					if _, err := http.ReadRequest(r); err != nil {
						return
					}
					if _, err := io.WriteString(c, answer+surplus); err != nil {
						return
					}
				}
			}))
			poisoned, failed := storm(t, u)
			if poisoned > 0 || failed > 0 {
				t.Errorf("%d answers were left over from others, %d requests failed", poisoned, failed)
			}
		})
	}
}

// Nor may it tell how the upstream is: what the health check had asked for would
// be left over in turn, and answer a request.
func TestSurplusAnswersNoHealthCheck(t *testing.T) {
	const answers = "HTTP/1.1 204 No Content\r\n\r\nHTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\n\r\n"
	u := open(t, nil, raw(t, func(c net.Conn, r *bufio.Reader) {
		for {
			if _, err := http.ReadRequest(r); err != nil {
				return
			}
			if _, err := io.WriteString(c, answers); err != nil {
				return
			}
		}
	}))
	var unwell atomic.Int64
	var wg sync.WaitGroup
	for range 48 {
		wg.Go(func() {
			for range 25 {
				if u.probe(t.Context(), u.targets[0], "/healthz", time.Minute) != served {
					unwell.Add(1)
				}
			}
		})
	}
	wg.Wait()
	if n := unwell.Load(); n > 0 {
		t.Errorf("%d of the checks got what was left over from others", n)
	}
}

// storm sends many requests at once and counts the answers that are somebody
// else's and the requests that got none.
func storm(t *testing.T, u *Upstream) (poisoned, failed int64) {
	var bad, none atomic.Int64
	var wg sync.WaitGroup
	for range 48 {
		wg.Go(func() {
			for i := range 25 {
				x := middlewaretest.Exchange(t, "GET", "/", nil)
				if i%2 == 0 {
					x = middlewaretest.Exchange(t, "POST", "/", io.MultiReader(strings.NewReader("")))
					x.Request.ContentLength = -1
				}
				_, body, err := handle(t, u, x)
				switch {
				case err != nil:
					none.Add(1)
				case body == "poisoned":
					bad.Add(1)
				}
			}
		})
	}
	wg.Wait()
	return bad.Load(), none.Load()
}
