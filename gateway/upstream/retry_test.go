package upstream

import (
	"bufio"
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gatehouse-dev/gatehouse/config"
	"github.com/gatehouse-dev/gatehouse/middleware"
	"github.com/gatehouse-dev/gatehouse/middleware/middlewaretest"
	"github.com/gatehouse-dev/gatehouse/policies"
)

const okay = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"

// twice are retries as they are by default, but without long pauses.
func twice() *config.Retries {
	return &config.Retries{
		Attempts: 2, On: []string{"connect", "reset", "timeout"}, Statuses: []int{502, 503, 504}, Budget: 1, Pause: config.Duration(time.Millisecond),
	}
}

// tries is a backend that answers the first requests otherwise than those that
// follow, and remembers them.
type tries struct {
	mu     sync.Mutex
	bodies []string
}

func (f *tries) count() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return len(f.bodies)
}

// serve runs a backend that does something to the first n requests and answers
// those after them.
func (f *tries) serve(t *testing.T, n int, wrong func(net.Conn, *bufio.Reader)) string {
	return raw(t, f.talk(n, wrong))
}

// talk is what it does with a connection.
func (f *tries) talk(n int, wrong func(net.Conn, *bufio.Reader)) func(net.Conn, *bufio.Reader) {
	return func(c net.Conn, r *bufio.Reader) {
		for {
			req, err := http.ReadRequest(r)
			if err != nil {
				return
			}
			b, _ := io.ReadAll(req.Body)
			f.mu.Lock()
			f.bodies = append(f.bodies, string(b))
			nth := len(f.bodies)
			f.mu.Unlock()
			if nth <= n {
				wrong(c, r)
				return
			}
			if _, err := io.WriteString(c, okay); err != nil {
				return
			}
		}
	}
}

// saying answers with text and ends the connection.
func saying(text string) func(net.Conn, *bufio.Reader) {
	return func(c net.Conn, _ *bufio.Reader) { _, _ = io.WriteString(c, text) }
}

func answer(line string, fields ...string) func(net.Conn, *bufio.Reader) {
	return saying("HTTP/1.1 " + line + "\r\nConnection: close\r\nContent-Length: 4\r\n" + strings.Join(fields, "") + "\r\noops")
}

// unread leaves the request unanswered until the gateway ends it.
func unread(_ net.Conn, r *bufio.Reader) { until(r) }

func noted(x *middleware.Exchange, key string) any {
	for _, n := range x.Notes() {
		if n.Key == key {
			return n.Value
		}
	}
	return nil
}

func TestTriedAgain(t *testing.T) {
	// again checks what becomes of a request whose first try goes wrong.
	again := func(t *testing.T, u *Upstream, f *tries, why string) {
		t.Helper()
		before := f.count()
		x := middlewaretest.Exchange(t, "GET", "/", nil)
		got, body, err := handle(t, u, x)
		if n := f.count() - before; err != nil || got != 200 || body != "ok" || n != 2 {
			t.Fatalf("got %d %q %v after %d tries", got, body, err, n)
		}
		if whys, _ := noted(x, "tried_again").([]string); noted(x, "tries") != 2 || !slices.Equal(whys, []string{why}) {
			t.Errorf("on record: %v", x.Notes())
		}
		if x.Answered != 200 || u.Endpoints()[0].InFlight != 0 {
			t.Errorf("answered %d, in flight %d", x.Answered, u.Endpoints()[0].InFlight)
		}
	}
	for name, tt := range map[string]struct {
		wrong func(net.Conn, *bufio.Reader)
		why   string
	}{
		"502":                {answer("502 Bad Gateway"), "502"},
		"503":                {answer("503 Service Unavailable"), "503"},
		"503, retry at once": {answer("503 Service Unavailable", "Retry-After: 0\r\n"), "503"},
		"504":                {answer("504 Gateway Timeout"), "504"},
		"closes":             {saying(""), "reset"},
		"half a head":        {saying("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n"), "reset"},
		"resets":             {func(c net.Conn, _ *bufio.Reader) { _ = c.(*net.TCPConn).SetLinger(0) }, "reset"},
	} {
		t.Run(name, func(t *testing.T) {
			var f tries
			again(t, open(t, &config.Upstream{Retries: twice()}, f.serve(t, 1, tt.wrong)), &f, tt.why)
		})
	}
	t.Run("silent", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			var f tries
			r := twice()
			r.PerTry = config.Duration(500 * time.Millisecond)
			again(t, piped(t, &config.Upstream{Retries: r}, f.talk(1, unread)), &f, "timeout")
		})
	})
}

func TestNotTriedAgain(t *testing.T) {
	key := middlewaretest.Header("Idempotency-Key", "k1")
	resets := saying("")
	for name, tt := range map[string]struct {
		method, body string
		wrong        func(net.Conn, *bufio.Reader)
		change       func(*config.Retries)
		opt          func(*middleware.Exchange)
		status       int
		code         string
	}{
		"POST":                            {method: "POST", wrong: resets, code: "upstream_unavailable"},
		"PATCH":                           {method: "PATCH", wrong: answer("503 No"), status: 503},
		"POST with a key, not configured": {method: "POST", opt: key, wrong: answer("503 No"), status: 503},
		"POST without a key, configured":  {method: "POST", change: func(r *config.Retries) { r.IdempotencyKey = true }, wrong: answer("503 No"), status: 503},
		"a body that streams":             {method: "PUT", body: "upload", wrong: answer("503 No"), status: 503},
		"a body that streams, reset":      {method: "PUT", body: "upload", wrong: resets, code: "upstream_unavailable"},
		"upgrade":                         {method: "GET", opt: middlewaretest.Header("Upgrade", "websocket"), wrong: answer("503 No"), status: 503},
		"an error of its own":             {method: "GET", wrong: answer("500 Oops"), status: 500},
		"not implemented":                 {method: "GET", wrong: answer("501 No"), status: 501},
		"a status that is not listed":     {method: "GET", change: func(r *config.Retries) { r.Statuses = []int{504} }, wrong: answer("503 No"), status: 503},
		"a reason that is not listed":     {method: "GET", change: func(r *config.Retries) { r.On = []string{"connect"} }, wrong: resets, code: "upstream_unavailable"},
		"come back in a second":           {method: "GET", wrong: answer("503 No", "Retry-After: 1\r\n"), status: 503},
		"come back tomorrow":              {method: "GET", wrong: answer("503 No", "Retry-After: Fri, 31 Dec 2100 23:59:59 GMT\r\n"), status: 503},
		"come back, in two ways":          {method: "GET", wrong: answer("503 No", "Retry-After: 0\r\n", "Retry-After: 0\r\n"), status: 503},
		"not HTTP":                        {method: "GET", wrong: saying("SSH-2.0-OpenSSH_9.6\r\n\r\n"), code: "upstream_unavailable"},
		"two lengths":                     {method: "GET", wrong: saying("HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab"), code: "upstream_unavailable"},
	} {
		t.Run(name, func(t *testing.T) {
			var f tries
			r := twice()
			if tt.change != nil {
				tt.change(r)
			}
			u := open(t, &config.Upstream{Retries: r}, f.serve(t, 1, tt.wrong), f.serve(t, 1, tt.wrong))
			var body io.Reader
			if tt.body != "" {
				body = strings.NewReader(tt.body)
			}
			opts := []func(*middleware.Exchange){}
			if tt.opt != nil {
				opts = append(opts, tt.opt)
			}
			x := middlewaretest.Exchange(t, tt.method, "/", body, opts...)
			got, _, err := handle(t, u, x)
			if got != tt.status || middlewaretest.Code(err) != tt.code || f.count() != 1 {
				t.Errorf("got %d %v after %d tries", got, err, f.count())
			}
			if noted(x, "tries") != nil {
				t.Errorf("on record: %v", x.Notes())
			}
		})
	}
}

// An answer that has begun is the answer, however it goes on.
func TestAnswerThatBreaksOffIsNotTriedAgain(t *testing.T) {
	var f tries
	u := open(t, &config.Upstream{Retries: twice()}, f.serve(t, 1, saying("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf")))
	got, body, err := handle(t, u, middlewaretest.Exchange(t, "GET", "/", nil))
	if got != 200 || body != "half" || !errors.Is(err, io.ErrUnexpectedEOF) || f.count() != 1 {
		t.Errorf("got %d %q %v after %d tries", got, body, err, f.count())
	}
}

func TestBodyThatIsHeldIsSentTwice(t *testing.T) {
	for name, tt := range map[string]struct {
		method string
		key    bool
	}{"PUT": {"PUT", false}, "DELETE": {"DELETE", false}, "POST with a key": {"POST", true}} {
		t.Run(name, func(t *testing.T) {
			var f tries
			r := twice()
			r.IdempotencyKey = tt.key
			u := open(t, &config.Upstream{Retries: r}, f.serve(t, 1, answer("503 No")))
			text := strings.Repeat("all of it ", 10_000)
			x := middlewaretest.Exchange(t, tt.method, "/", strings.NewReader(text), middlewaretest.Header("Idempotency-Key", "k1"))
			if _, err := x.Body("test"); err != nil {
				t.Fatal(err)
			}
			got, _, err := handle(t, u, x)
			if err != nil || got != 200 || !slices.Equal(f.bodies, []string{text, text}) {
				t.Errorf("got %d %v after %d tries", got, err, f.count())
			}
		})
	}
}

// dead gives the address of nobody: its port is taken, by who does not listen there.
func dead(t *testing.T) string {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = ln.Close() })
	d := net.Dialer{LocalAddr: &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1)}}
	c, err := d.Dial("tcp", ln.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	return "http://" + c.LocalAddr().String()
}

// What was sent nowhere goes to another endpoint, whatever it is.
func TestUnsentGoesElsewhere(t *testing.T) {
	var f tries
	u := open(t, nil, dead(t), dead(t), f.serve(t, 0, nil))
	for range 3 {
		x := middlewaretest.Exchange(t, "POST", "/", io.MultiReader(strings.NewReader("stre"), strings.NewReader("amed")))
		x.Request.ContentLength = -1
		if got, body, err := handle(t, u, x); err != nil || got != 200 || body != "ok" {
			t.Fatalf("got %d %q %v: %v", got, body, err, x.Notes())
		}
	}
	if !slices.Equal(f.bodies, []string{"streamed", "streamed", "streamed"}) {
		t.Errorf("the backend got %q", f.bodies)
	}
	if n := u.Stats().Retries["connect"]; n == 0 {
		t.Error("nothing is counted")
	}
}

// With nobody anywhere it is told at once, after three of them.
func TestUnsentIsNotSentAroundForever(t *testing.T) {
	u := open(t, nil, dead(t), dead(t), dead(t), dead(t), dead(t))
	x := middlewaretest.Exchange(t, "GET", "/", nil)
	if _, _, err := handle(t, u, x); middlewaretest.Code(err) != "upstream_unavailable" || noted(x, "tries") != 1+failovers {
		t.Errorf("got %v: %v", err, x.Notes())
	}
}

// The region holds for every try.
func TestTriesKeepToTheRegion(t *testing.T) {
	var f tries
	c := &config.Upstream{Retries: twice(), Endpoints: []config.Endpoint{
		{URL: dead(t), Region: "eu"},
		{URL: f.serve(t, 0, nil), Region: "us"},
	}}
	u := open(t, c)
	x := middlewaretest.Exchange(t, "GET", "/", nil, func(x *middleware.Exchange) {
		x.Decision = &policies.Decision{Allow: true, Region: "eu"}
	})
	if _, _, err := handle(t, u, x); middlewaretest.Code(err) != "upstream_unavailable" || f.count() != 0 {
		t.Errorf("got %v, and %d requests left the region", err, f.count())
	}
	if noted(x, "tries") != 2 {
		t.Errorf("on record: %v", x.Notes())
	}
}

// Another try prefers another endpoint.
func TestTriesPreferAnotherEndpoint(t *testing.T) {
	var sick, well tries
	u := open(t, &config.Upstream{Retries: twice()}, sick.serve(t, 1000, answer("503 No")), well.serve(t, 0, nil))
	for range 20 {
		if got, _, err := handle(t, u, middlewaretest.Exchange(t, "GET", "/", nil)); err != nil || got != 200 {
			t.Fatalf("got %d %v", got, err)
		}
	}
	if well.count() != 20 || sick.count() != 10 { // which has its turn every other time, and not always
		t.Errorf("%d and %d requests", sick.count(), well.count())
	}
}

// closing is a body that tells when it is closed.
type closing struct {
	io.Reader
	closed func()
}

func (c closing) Close() error { c.closed(); return nil }

// Nobody is tried for who has gone away: before the answer that is given up is there,
// or in the pause that follows it.
func TestClientThatWentAwayIsNotTriedFor(t *testing.T) {
	for name, pause := range map[string]time.Duration{"at once": time.Millisecond, "in a pause": time.Hour} {
		t.Run(name, func(t *testing.T) {
			ctx, leave := context.WithCancel(t.Context())
			defer leave()
			tries := 0
			r := twice()
			r.Pause = config.Duration(pause)
			u := fleet(t, &config.Upstream{Endpoints: ports(1), Retries: r}, func(string, *http.Request) (*http.Response, error) {
				tries++
				if pause < time.Second {
					leave()
				}
				res, err := status(503)
				res.Body = closing{res.Body, leave}
				return res, err
			})
			x := middlewaretest.Exchange(t, "GET", "/", nil)
			x.Request = x.Request.WithContext(ctx)
			if _, _, err := handle(t, u, x); tries != 1 {
				t.Errorf("%d tries: %v", tries, err)
			}
		})
	}
}

// However short the pause is, who goes away in it is gone behind it.
func TestNobodyWaitsForWhoIsGone(t *testing.T) {
	ctx, leave := context.WithCancel(t.Context())
	leave()
	for range 100 {
		if sleep(ctx, 0) {
			t.Fatal("the next try is made")
		}
	}
}

// A short answer that is given up leaves its connection to others; a long one
// does not hold the request up.
func TestAnswersThatAreGivenUp(t *testing.T) {
	var conns, calls atomic.Int64
	url := raw(t, func(c net.Conn, r *bufio.Reader) {
		conns.Add(1)
		for {
			if _, err := http.ReadRequest(r); err != nil {
				return
			}
			switch calls.Add(1) {
			case 1:
				_, _ = io.WriteString(c, "HTTP/1.1 503 No\r\nContent-Length: 4\r\n\r\noops")
			case 3:
				_, _ = io.WriteString(c, "HTTP/1.1 503 No\r\nContent-Length: 100\r\n\r\nnever ends")
				until(r)
				return
			default:
				_, _ = io.WriteString(c, okay)
			}
		}
	})
	u := open(t, &config.Upstream{Retries: twice()}, url)
	u.patience = time.Minute
	for i, want := range []int64{1, 2} {
		got, body, err := handle(t, u, middlewaretest.Exchange(t, "GET", "/", nil))
		if err != nil || got != 200 || body != "ok" {
			t.Fatalf("got %d %q %v", got, body, err)
		}
		if n := conns.Load(); n != want {
			t.Errorf("after request %d there were %d connections, want %d", i, n, want)
		}
		u.patience = drainTime
	}
}

// Where all connections are in use a request waits for one, and is told that it
// came to nothing.
func TestConnectionsAreBounded(t *testing.T) {
	arrived, free := make(chan struct{}), make(chan struct{})
	var calls atomic.Int64
	url := serve(t, func(http.ResponseWriter, *http.Request) {
		if calls.Add(1) == 1 {
			close(arrived)
			<-free
		}
	})
	u := open(t, &config.Upstream{Connections: config.Pool{Max: 1}, Retries: twice(), Breaker: &config.Breaker{
		Threshold: 0.1, Requests: 1, Window: config.Duration(time.Minute), Open: config.Duration(time.Minute), Probes: 1,
	}}, url)
	first := make(chan error)
	go func() {
		_, _, err := handle(t, u, middlewaretest.Exchange(t, "GET", "/", nil))
		first <- err
	}()
	<-arrived
	_, _, err := handle(t, u, middlewaretest.Exchange(t, "GET", "/", nil, timeouts(short, 0)))
	var r *middleware.Refusal
	if !errors.As(err, &r) || r.Code != "overloaded" || r.Status != 503 || r.Header.Get("Retry-After") == "" {
		t.Errorf("got %v", err)
	}
	if n := u.Stats().Connections; n != 1 {
		t.Errorf("%d connections", n)
	}
	second := make(chan error)
	go func() {
		_, _, err := handle(t, u, middlewaretest.Exchange(t, "GET", "/", nil))
		second <- err
	}()
	close(free)
	if err := errors.Join(<-first, <-second); err != nil || calls.Load() != 2 {
		t.Errorf("%d calls, %v", calls.Load(), err)
	}
	if !u.breaker.closed() {
		t.Error("what the gateway has no connections for counts as a failure of the backend")
	}
}

// A breaker that opens ends the tries, and the backend is left alone.
func TestBreakerKeepsRequestsAway(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		tries := 0
		r := twice()
		r.Attempts = 5
		u := fleet(t, &config.Upstream{Endpoints: ports(1), Retries: r, Breaker: &config.Breaker{
			Threshold: 0.5, Requests: 3, Window: config.Duration(time.Minute), Open: config.Duration(time.Hour), Probes: 1,
		}}, func(string, *http.Request) (*http.Response, error) {
			tries++
			return status(503)
		})
		got, _, err := handle(t, u, middlewaretest.Exchange(t, "GET", "/", nil))
		if got != 503 || err != nil || tries != 3 {
			t.Fatalf("got %d %v after %d tries", got, err, tries)
		}
		for range 10 {
			_, _, err = handle(t, u, middlewaretest.Exchange(t, "POST", "/", strings.NewReader("x")))
			var refused *middleware.Refusal
			if !errors.As(err, &refused) || refused.Status != 503 || refused.Header.Get("Retry-After") != "3600" {
				t.Fatalf("got %v", err)
			}
		}
		if b := u.Stats().Breaker; tries != 3 || b.State != "open" || b.Opened != 1 || b.Refused != 10 {
			t.Errorf("%d tries, %+v", tries, b)
		}
	})
}

// A try for which no time is left is not one without a bound.
func TestNoTimeLeftIsNotNoBound(t *testing.T) {
	c := course{answer: time.Second, begin: time.Now().Add(-2 * time.Second), n: 1}
	u := open(t, nil, raw(t, unread))
	x := middlewaretest.Exchange(t, "GET", "/", nil)
	ctx, cancel := context.WithTimeout(x.Request.Context(), 10*time.Second)
	defer cancel()
	x.Request = x.Request.WithContext(ctx)
	_, f := u.try(x, u.pick(askOf(x)), c.within(), time.Minute)
	if f == nil || f.refusal.Code != string(middleware.UpstreamTimeout) {
		t.Errorf("got %+v", f)
	}
}

// dying answers the first request of a connection, and takes the second one with it
// into its end. It tells the value that each request has in a field.
func dying(t *testing.T, name string) (url string, values chan string) {
	values = make(chan string, 10)
	return raw(t, func(c net.Conn, r *bufio.Reader) {
		for n := range 2 {
			req, err := http.ReadRequest(r)
			if err != nil {
				return
			}
			_, _ = io.Copy(io.Discard, req.Body)
			values <- req.Header.Get(name)
			if n == 0 {
				_, _ = io.WriteString(c, okay)
			}
		}
	}), values
}

// That a client says by a key that twice is once counts where the configuration
// vouches for the backend, and nowhere below that: a request whose kept connection
// has died is lost, whichever client sends it.
func TestKeyAloneIsNoLeaveToSendTwice(t *testing.T) {
	post := func(t *testing.T, connect func(*target) sender, name, body string, retries *config.Retries) (values chan string, err error) {
		url, values := dying(t, name)
		u, err := begin(&config.Upstream{Endpoints: []config.Endpoint{{URL: url}}, Retries: retries}, time.Minute, system, connect)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = u.Close() })
		if _, body, err := handle(t, u, middlewaretest.Exchange(t, "GET", "/", nil)); err != nil || body != "ok" {
			t.Fatalf("got %q %v", body, err)
		}
		<-values
		var from io.Reader
		if body != "" {
			from = strings.NewReader(body)
		}
		x := middlewaretest.Exchange(t, "POST", "/", from, middlewaretest.Header(name, "k1"))
		if _, err := x.Body("test"); err != nil { // so that it could be sent twice
			t.Fatal(err)
		}
		_, _, err = handle(t, u, x)
		if got := x.Request.Header[name]; !slices.Equal(got, []string{"k1"}) {
			t.Errorf("stages are shown %q", got)
		}
		return values, err
	}
	vouching := twice()
	vouching.IdempotencyKey = true
	for by, connect := range senders(nil) {
		for kind, body := range map[string]string{"no body": "", "a short body": "pay", "a long body": strings.Repeat("pay", 50_000)} {
			for name, tt := range map[string]struct {
				key     string
				retries *config.Retries
				sent    int
			}{
				"nothing configured":   {"Idempotency-Key", nil, 1},
				"another name":         {"X-Idempotency-Key", nil, 1},
				"retries without keys": {"Idempotency-Key", twice(), 1},
				"another name, keys":   {"X-Idempotency-Key", vouching, 1},
				"retries with keys":    {"Idempotency-Key", vouching, 2},
			} {
				t.Run(by+"/"+kind+"/"+name, func(t *testing.T) {
					values, err := post(t, connect, tt.key, body, tt.retries)
					if len(values) != tt.sent || (err == nil) != (tt.sent == 2) {
						t.Errorf("sent %d times, want %d: %v", len(values), tt.sent, err)
					}
					if got := <-values; got != "k1" {
						t.Errorf("the backend is sent the key %q", got)
					}
				})
			}
		}
	}
}
