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
