package upstream

import (
	"bufio"
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gatehouse-dev/gatehouse/config"
	"github.com/gatehouse-dev/gatehouse/middleware"
	"github.com/gatehouse-dev/gatehouse/middleware/middlewaretest"
)

const short = 50 * time.Millisecond

func TestWhatUpstreamsDoWrong(t *testing.T) {
	silent := func(_ net.Conn, r *bufio.Reader) { until(r) }
	for name, tt := range map[string]struct {
		talk func(net.Conn, *bufio.Reader)
		code string
	}{
		"closes at once":         {func(net.Conn, *bufio.Reader) {}, "upstream_unavailable"},
		"closes after reading":   {answering(""), "upstream_unavailable"},
		"resets":                 {reset, "upstream_unavailable"},
		"garbage":                {answering("SSH-2.0-OpenSSH_9.6\r\n\r\n"), "upstream_unavailable"},
		"half a head":            {answering("HTTP/1.1 200 OK\r\nContent-Le"), "upstream_unavailable"},
		"two lengths":            {answering("HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab"), "upstream_unavailable"},
		"header without colon":   {answering("HTTP/1.1 200 OK\r\nX\r\nContent-Length: 0\r\n\r\n"), "upstream_unavailable"},
		"huge head":              {answering("HTTP/1.1 200 OK\r\nX: " + strings.Repeat("x", headerBytes) + "\r\n\r\n"), "upstream_unavailable"},
		"endless informational":  {informing, "upstream_unavailable"},
		"switching protocols":    {answering("HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: upgrade\r\n\r\n"), "upstream_unavailable"},
		"a number, not a status": {answering("HTTP/1.1 042 Odd\r\nContent-Length: 0\r\n\r\n"), "upstream_unavailable"},
		"silent":                 {silent, "upstream_timeout"},
		"half a head, silent": {func(c net.Conn, r *bufio.Reader) {
			answering("HTTP/1.1 200 OK\r\nX: ")(c, r)
			until(r)
		}, "upstream_timeout"},
		"interim, then silent": {func(c net.Conn, r *bufio.Reader) {
			answering("HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n")(c, r)
			until(r)
		}, "upstream_timeout"},
	} {
		t.Run(name, func(t *testing.T) {
			u := open(t, nil, raw(t, tt.talk))
			limit := 10 * time.Second
			if tt.code == "upstream_timeout" {
				limit = short
			}
			_, _, err := handle(t, u, middlewaretest.Exchange(t, "GET", "/", nil, timeouts(limit, 0)))
			if middlewaretest.Code(err) != tt.code {
				t.Fatalf("got %v, want %s", err, tt.code)
			}
			var r *middleware.Refusal
			if errors.As(err, &r) && (strings.Contains(r.Detail, "127.0.0.1") || r.Err == nil) {
				t.Errorf("detail %q, cause %v", r.Detail, r.Err)
			}
		})
	}
}

func reset(c net.Conn, r *bufio.Reader) {
	_, _ = http.ReadRequest(r)
	_ = c.(*net.TCPConn).SetLinger(0) // closing it sends RST
}

func informing(c net.Conn, r *bufio.Reader) {
	_, _ = http.ReadRequest(r)
	for {
		if _, err := io.WriteString(c, "HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n"); err != nil {
			return
		}
	}
}

func TestNobodyThere(t *testing.T) {
	_, _, err := handle(t, open(t, nil, dead(t)), middlewaretest.Exchange(t, "GET", "/", nil))
	var r *middleware.Refusal
	if !errors.As(err, &r) || r.Code != "upstream_unavailable" || r.Detail != "the backend cannot be reached" {
		t.Errorf("got %v", err)
	}
}

func TestInterimAnswersAreDropped(t *testing.T) {
	u := open(t, nil, raw(t, answering("HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n"+
		"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")))
	x := middlewaretest.Exchange(t, "PUT", "/", strings.NewReader("hello"), middlewaretest.Header("Expect", "100-continue"))
	if status, body, err := handle(t, u, x); err != nil || status != 200 || body != "ok" {
		t.Errorf("got %d %q %v", status, body, err)
	}
}

// The gateway answers Expect itself: an upstream that waits to be waited for
// must not hold up the body.
func TestExpectIsNotForwarded(t *testing.T) {
	u := open(t, nil, serve(t, func(w http.ResponseWriter, r *http.Request) { _, _ = io.WriteString(w, r.Header.Get("Expect")) }))
	x := middlewaretest.Exchange(t, "PUT", "/", strings.NewReader("hello"), middlewaretest.Header("Expect", "100-continue"))
	if status, body, err := handle(t, u, x); err != nil || status != 200 || body != "" {
		t.Errorf("got %d %q %v", status, body, err)
	}
	if x.Request.Header.Get("Expect") == "" {
		t.Error("the exchange's headers were changed")
	}
}

func TestBodiesThatBreakOff(t *testing.T) {
	for name, tt := range map[string]struct {
		talk func(net.Conn, *bufio.Reader)
		want error
	}{
		"too short":    {answering("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf"), io.ErrUnexpectedEOF},
		"half a chunk": {answering("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\na\r\nhalf"), io.ErrUnexpectedEOF},
		"silent": {func(c net.Conn, r *bufio.Reader) {
			answering("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf")(c, r)
			until(r)
		}, errIdle},
	} {
		t.Run(name, func(t *testing.T) {
			u := open(t, nil, raw(t, tt.talk))
			idle := time.Minute
			if errors.Is(tt.want, errIdle) {
				idle = short
			}
			status, body, err := handle(t, u, middlewaretest.Exchange(t, "GET", "/", nil, timeouts(0, idle)))
			if status != 200 || body != "half" || !errors.Is(err, tt.want) {
				t.Errorf("got %d %q %v, want %v", status, body, err, tt.want)
			}
		})
	}
}

// The answer may take longer as a whole than it may be silent.
func TestSlowBodyThatMovesIsNotCut(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		u := piped(t, nil, func(c net.Conn, r *bufio.Reader) {
			answering("HTTP/1.1 200 OK\r\nContent-Length: 8\r\n\r\n")(c, r)
			for range 8 {
				time.Sleep(short)
				_, _ = io.WriteString(c, "x")
			}
		})
		_, body, err := handle(t, u, middlewaretest.Exchange(t, "GET", "/", nil, timeouts(5*short, 6*short)))
		if err != nil || body != "xxxxxxxx" {
			t.Errorf("got %q %v", body, err)
		}
	})
}

func TestClosingTheBodyEndsTheCall(t *testing.T) {
	gone := make(chan struct{})
	u := open(t, nil, serve(t, func(w http.ResponseWriter, r *http.Request) {
		w.(http.Flusher).Flush()
		<-r.Context().Done()
		close(gone)
	}))
	res, err := u.Handle(middlewaretest.Exchange(t, "GET", "/", nil))
	if err != nil {
		t.Fatal(err)
	}
	_ = res.Body.Close()
	<-gone
}

func TestClientGoesAway(t *testing.T) {
	ctx, leave := context.WithCancel(t.Context())
	u := open(t, nil, raw(t, func(_ net.Conn, r *bufio.Reader) {
		_, _ = http.ReadRequest(r)
		leave()
		until(r)
	}))
	x := middlewaretest.Exchange(t, "GET", "/", nil)
	x.Request = x.Request.WithContext(ctx)
	_, _, err := handle(t, u, x)
	var r *middleware.Refusal
	if !errors.As(err, &r) || !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
}

// A request body that cannot be read is the client's doing, not the upstream's.
func TestRequestBodiesThatFail(t *testing.T) {
	for name, tt := range map[string]struct {
		err  error
		code string
	}{
		"too large":  {&http.MaxBytesError{Limit: 3}, "body_too_large"},
		"too slow":   {os.ErrDeadlineExceeded, "body_timeout"},
		"broken off": {io.ErrUnexpectedEOF, "body_malformed"},
	} {
		t.Run(name, func(t *testing.T) {
			u := open(t, nil, serve(t, func(_ http.ResponseWriter, r *http.Request) { until(r.Body) }))
			x := middlewaretest.Exchange(t, "POST", "/", io.MultiReader(strings.NewReader("half"), failing{tt.err}))
			x.Request.ContentLength = -1
			_, _, err := handle(t, u, x)
			var r *middleware.Refusal
			if !errors.As(err, &r) || r.Code != tt.code || !r.Close {
				t.Errorf("got %v, want %s", err, tt.code)
			}
		})
	}
}

type failing struct{ err error }

func (f failing) Read([]byte) (int, error) { return 0, f.err }

// A client may take longer for its body than the upstream may for its answer.
func TestSlowClientIsNotTheUpstreamsFault(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		u := piped(t, nil, func(c net.Conn, r *bufio.Reader) {
			if q, err := http.ReadRequest(r); err == nil {
				until(q.Body)
				_, _ = io.WriteString(c, okay)
			}
		})
		client, server := io.Pipe()
		go func() {
			for range 6 {
				time.Sleep(5 * short)
				_, _ = io.WriteString(server, "x")
			}
			_ = server.Close()
		}()
		x := middlewaretest.Exchange(t, "POST", "/", client, timeouts(4*short, 0))
		x.Request.ContentLength = -1
		if status, _, err := handle(t, u, x); err != nil || status != 200 {
			t.Errorf("got %d %v", status, err)
		}
	})
}

// An upstream that takes no more of the body is silent too.
func TestUpstreamThatStopsReading(t *testing.T) {
	hold := make(chan struct{})
	u := open(t, nil, raw(t, func(net.Conn, *bufio.Reader) { <-hold }))
	t.Cleanup(func() { close(hold) })
	x := middlewaretest.Exchange(t, "POST", "/", io.LimitReader(zeros{}, 1<<30), timeouts(short, 0))
	x.Request.ContentLength = 1 << 30
	if _, _, err := handle(t, u, x); middlewaretest.Code(err) != "upstream_timeout" {
		t.Errorf("got %v", err)
	}
}

type zeros struct{}

func (zeros) Read(p []byte) (int, error) { clear(p); return len(p), nil }

// Who has waited for a connection for most of the time has left the backend none
// of it. That others held all connections, slow clients perhaps, is not its fault.
func TestWaitIsNotTheBackends(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		u := piped(t, &config.Upstream{
			Connections: config.Pool{Max: 1},
			Ejection:    &config.Ejection{Failures: 1, Share: 100, For: config.Duration(time.Minute), Longest: config.Duration(time.Minute)},
		}, unread)
		first := middlewaretest.Exchange(t, "GET", "/", nil)
		ctx, leave := context.WithCancel(first.Request.Context())
		first.Request = first.Request.WithContext(ctx)
		var wg sync.WaitGroup
		wg.Go(func() { _, _, _ = handle(t, u, first) })
		pool := u.targets[0].sender.(plain)
		for pool.Stats().Busy == 0 {
			time.Sleep(time.Millisecond)
		}
		wg.Go(func() {
			for pool.Stats().Waiting == 0 {
				time.Sleep(time.Millisecond)
			}
			time.Sleep(800 * time.Millisecond)
			leave()
		})
		_, _, err := handle(t, u, middlewaretest.Exchange(t, "GET", "/", nil, timeouts(time.Second, time.Minute)))
		wg.Wait()
		var r *middleware.Refusal
		if !errors.As(err, &r) || r.Code != string(middleware.Overloaded) {
			t.Errorf("got %v", err)
		}
		if e := u.Endpoints()[0]; e.EjectedUntil != nil {
			t.Errorf("it was taken out: %+v", e)
		}
	})
}

// faulty is a body whose reader has a fault.
type faulty struct{ io.Reader }

func (f *faulty) Read(p []byte) (int, error) {
	n, err := f.Reader.Read(p)
	if err != nil {
		panic("a fault")
	}
	return n, nil
}

// A fault of a stage that changes the body on its way is one of its exchange, and
// not the end of the gateway, whatever is spoken with the upstream.
func TestFaultInTheBody(t *testing.T) {
	for _, protocol := range []string{"http1", "h2c"} {
		t.Run(protocol, func(t *testing.T) {
			s := httptest.NewUnstartedServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { until(r.Body) }))
			s.Config.Protocols = protocols(protocol)
			s.Start()
			t.Cleanup(s.Close)
			u := open(t, &config.Upstream{Protocol: protocol}, s.URL)
			x := middlewaretest.Exchange(t, "POST", "/", &faulty{strings.NewReader(strings.Repeat("x", 50_000))})
			x.Request.ContentLength = 100_000
			func() {
				defer func() {
					if v := recover(); v != "a fault" {
						t.Errorf("got %v", v)
					}
				}()
				_, _, err := handle(t, u, x)
				t.Errorf("got %v", err)
			}()
			if n := u.Endpoints()[0].InFlight; n != 0 {
				t.Errorf("%d are under way", n)
			}
		})
	}
}
