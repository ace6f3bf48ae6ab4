package upstream

import (
	"bufio"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/gatehouse-dev/gatehouse/certs"
	"github.com/gatehouse-dev/gatehouse/config"
	"github.com/gatehouse-dev/gatehouse/gateway/upstream/h1"
	"github.com/gatehouse-dev/gatehouse/middleware"
	"github.com/gatehouse-dev/gatehouse/middleware/middlewaretest"
	"github.com/gatehouse-dev/gatehouse/policies"
)

func TestMain(m *testing.M) {
	log.SetOutput(io.Discard) // as the command does: net/http quotes there what nobody asked for
	middlewaretest.Main(m)
}

// open makes an upstream of endpoints for a test.
func open(t *testing.T, c *config.Upstream, endpoints ...string) *Upstream {
	t.Helper()
	if c == nil {
		c = &config.Upstream{}
	}
	for _, e := range endpoints {
		c.Endpoints = append(c.Endpoints, config.Endpoint{URL: e})
	}
	u, err := Open(c, time.Minute)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = u.Close() })
	return u
}

// serve runs an HTTP server for a test.
func serve(t *testing.T, h http.HandlerFunc) string {
	t.Helper()
	s := httptest.NewServer(h)
	t.Cleanup(s.Close)
	return s.URL
}

// raw runs a server that is not bound to speak HTTP. talk gets each connection
// and what has been read ahead of it; the connection is closed after it.
func raw(t *testing.T, talk func(c net.Conn, r *bufio.Reader)) string {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	wg.Go(func() {
		for {
			c, err := ln.Accept()
			if err != nil {
				return
			}
			wg.Go(func() {
				defer c.Close()
				talk(c, bufio.NewReader(c))
			})
		}
	})
	t.Cleanup(func() { _ = ln.Close(); wg.Wait() })
	return "http://" + ln.Addr().String()
}

// answering reads a request without its body and answers with text.
func answering(text string) func(net.Conn, *bufio.Reader) {
	return func(c net.Conn, r *bufio.Reader) {
		if _, err := http.ReadRequest(r); err == nil {
			_, _ = io.WriteString(c, text)
		}
	}
}

// until reads until the other side ends the connection.
func until(r io.Reader) { _, _ = io.Copy(io.Discard, r) }

func timeouts(answer, idle time.Duration) func(*middleware.Exchange) {
	return func(x *middleware.Exchange) {
		x.Route.Timeouts = config.Timeouts{Upstream: config.Duration(answer), Idle: config.Duration(idle)}
	}
}

// piped begins an upstream of one endpoint in a bubble. talk gets the other end of
// each connection, and what has been read ahead of it.
func piped(t *testing.T, c *config.Upstream, talk func(c net.Conn, r *bufio.Reader)) *Upstream {
	t.Helper()
	if c == nil {
		c = &config.Upstream{}
	}
	c.Endpoints = ports(1)
	var wg sync.WaitGroup
	u, err := begin(c, time.Minute, system, func(*target) sender {
		return plain{h1.New(h1.Settings{Host: "a", Max: c.Connections.Max, Dial: func(context.Context) (net.Conn, error) {
			ours, theirs := net.Pipe()
			wg.Go(func() {
				defer theirs.Close()
				talk(theirs, bufio.NewReader(theirs))
			})
			return ours, nil
		}})}
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = u.Close(); wg.Wait() })
	return u
}

// handle sends an exchange and reads the answer.
func handle(t *testing.T, u *Upstream, x *middleware.Exchange) (int, string, error) {
	t.Helper()
	res, err := u.Handle(x)
	if err != nil {
		if res != nil {
			t.Error("a response beside an error")
		}
		return 0, "", err
	}
	defer res.Body.Close()
	b, err := io.ReadAll(res.Body)
	return res.StatusCode, string(b), err
}

func TestRequestAndAnswerPassAsTheyAre(t *testing.T) {
	var got *http.Request
	var body string
	url := serve(t, func(w http.ResponseWriter, r *http.Request) {
		b, _ := io.ReadAll(r.Body)
		got, body = r, string(b)
		w.Header().Set("Content-Type", "text/plain")
		w.Header().Set("Location", "/elsewhere")
		w.Header().Set("Trailer", "X-Sum")
		w.WriteHeader(http.StatusFound)
		_, _ = io.WriteString(w, "moved")
		w.Header().Set("X-Sum", "7")
	})
	u := open(t, nil, url)
	x := middlewaretest.Exchange(t, "POST", "https://api.example.com/a%20b?q=1", strings.NewReader("hello"),
		middlewaretest.Header("X-Request-Id", "test-1"), middlewaretest.Header("Accept-Encoding", "br"))
	res, err := u.Handle(x)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	answer, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	if res.StatusCode != 302 || string(answer) != "moved" || res.Trailer.Get("X-Sum") != "7" || res.Request != x.Request {
		t.Errorf("answer: %d %q, trailer %v", res.StatusCode, answer, res.Trailer)
	}
	if x.Upstream != url {
		t.Errorf("the record names %q", x.Upstream)
	}
	if got.Method != "POST" || got.RequestURI != "/a%20b?q=1" || body != "hello" || "http://"+got.Host != url {
		t.Errorf("request: %s %s to %s with %q", got.Method, got.RequestURI, got.Host, body)
	}
	want := http.Header{"X-Request-Id": {"test-1"}, "Accept-Encoding": {"br"}, "Content-Length": {"5"}}
	if d := cmp.Diff(want, got.Header); d != "" {
		t.Errorf("headers (-want +got):\n%s", d)
	}
	if x.Request.Host != "api.example.com" || x.Request.URL.Scheme != "https" || len(x.Request.Header) != 2 {
		t.Error("the exchange's request was changed")
	}
}

func TestEndpointsTakeTurns(t *testing.T) {
	var urls []string
	for i := range 3 {
		urls = append(urls, serve(t, func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, i) }))
	}
	u := open(t, nil, urls...)
	var got string
	for range 7 {
		_, body, err := handle(t, u, middlewaretest.Exchange(t, "GET", "/", nil))
		if err != nil {
			t.Fatal(err)
		}
		got += body
	}
	if got != "0120120" {
		t.Errorf("endpoints answered in the order %s", got)
	}
}

// serveTLS runs an HTTP/2 server with a certificate of the authority ca.
func serveTLS(t *testing.T, h http.HandlerFunc) (url, ca string) {
	t.Helper()
	dir := t.TempDir()
	if err := certs.Dev(dir, nil, time.Now()); err != nil {
		t.Fatal(err)
	}
	pair, err := tls.LoadX509KeyPair(dir+"/gateway.pem", dir+"/gateway-key.pem")
	if err != nil {
		t.Fatal(err)
	}
	s := httptest.NewUnstartedServer(h)
	s.TLS, s.EnableHTTP2 = &tls.Config{Certificates: []tls.Certificate{pair}}, true
	s.Config.ErrorLog = log.New(io.Discard, "", 0)
	s.StartTLS()
	t.Cleanup(s.Close)
	return s.URL, dir + "/ca.pem"
}

func TestTLS(t *testing.T) {
	url, ca := serveTLS(t, func(w http.ResponseWriter, r *http.Request) { fmt.Fprint(w, r.Proto) })
	u := open(t, &config.Upstream{CA: ca}, url)
	if status, body, err := handle(t, u, middlewaretest.Exchange(t, "GET", "/", nil)); err != nil || status != 200 || body != "HTTP/2.0" {
		t.Errorf("got %d %q %v, want HTTP/2", status, body, err)
	}
	stranger := open(t, nil, url) // trusts the system's authorities
	if _, _, err := handle(t, stranger, middlewaretest.Exchange(t, "GET", "/", nil)); middlewaretest.Code(err) != "upstream_unavailable" {
		t.Errorf("a server nobody vouches for was believed: %v", err)
	}
}

func TestHTTP2IsBoundAsWell(t *testing.T) {
	url, ca := serveTLS(t, func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/read":
			until(r.Body)
			return
		case "/half":
			_, _ = io.WriteString(w, "half")
			w.(http.Flusher).Flush()
		}
		<-r.Context().Done()
	})
	u := open(t, &config.Upstream{CA: ca}, url)
	if _, _, err := handle(t, u, middlewaretest.Exchange(t, "GET", "/silent", nil, timeouts(short, 0))); middlewaretest.Code(err) != "upstream_timeout" {
		t.Errorf("silent: %v", err)
	}
	var wg sync.WaitGroup
	half := middlewaretest.Exchange(t, "GET", "/half", nil, timeouts(0, 3*time.Second)) // head and body come apart
	wg.Go(func() {
		if _, body, err := handle(t, u, half); body != "half" || !errors.Is(err, errIdle) {
			t.Errorf("silent in the middle: %q %v", body, err)
		}
	})
	x := middlewaretest.Exchange(t, "POST", "/read", io.MultiReader(strings.NewReader("half"), failing{os.ErrDeadlineExceeded}))
	x.Request.ContentLength = -1
	if _, _, err := handle(t, u, x); middlewaretest.Code(err) != "body_timeout" {
		t.Errorf("slow client: %v", err)
	}
	wg.Wait()
	if status, _, err := handle(t, u, middlewaretest.Exchange(t, "POST", "/read", strings.NewReader("whole"))); status != 200 || err != nil {
		t.Errorf("the connection is no good any more: %d %v", status, err)
	}
}

// Kept connections die unseen. A request that met one is sent again, if it
// cannot have had an effect.
func TestKeptConnectionThatDied(t *testing.T) {
	kept := make(chan net.Conn, 10)
	url := raw(t, func(c net.Conn, r *bufio.Reader) {
		answering("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")(c, r)
		kept <- c
		if _, err := r.Peek(1); err == nil {
			return // a second request: end the connection instead of answering
		}
	})
	u := open(t, nil, url)
	for range 3 {
		if _, body, err := handle(t, u, middlewaretest.Exchange(t, "GET", "/", nil)); err != nil || body != "ok" {
			t.Fatalf("got %q %v", body, err)
		}
	}
	_, _, err := handle(t, u, middlewaretest.Exchange(t, "POST", "/", strings.NewReader("pay")))
	if middlewaretest.Code(err) != "upstream_unavailable" {
		t.Errorf("a POST that was sent was sent again: %v", err)
	}
	if n := len(kept); n != 3 {
		t.Errorf("%d answers, want 3", n)
	}
}

func TestRegionIsRefused(t *testing.T) {
	u := open(t, nil, raw(t, func(net.Conn, *bufio.Reader) { t.Error("the upstream was called") }))
	x := middlewaretest.Exchange(t, "GET", "/", nil, func(x *middleware.Exchange) {
		x.Decision = &policies.Decision{Allow: true, Region: "eu"}
	})
	_, _, err := handle(t, u, x)
	if middlewaretest.Code(err) != "upstream_unavailable" || x.Upstream != "" {
		t.Errorf("got %v", err)
	}
	var r *middleware.Refusal
	if errors.As(err, &r) && !strings.Contains(r.Detail, `"eu"`) {
		t.Errorf("the region is not named: %s", r.Detail)
	}
}

func TestOpenNamesWhatIsWrong(t *testing.T) {
	for name, tt := range map[string]struct {
		c     config.Upstream
		field string
	}{
		"none":      {config.Upstream{}, "endpoints"},
		"scheme":    {config.Upstream{Endpoints: []config.Endpoint{{URL: "http://a"}, {URL: "ftp://b"}}}, "endpoints[1]"},
		"no scheme": {config.Upstream{Endpoints: []config.Endpoint{{URL: "localhost:80"}}}, "endpoints[0]"},
		"no host":   {config.Upstream{Endpoints: []config.Endpoint{{URL: "http://:80"}}}, "endpoints[0]"},
		"path":      {config.Upstream{Endpoints: []config.Endpoint{{URL: "http://a/b"}}}, "endpoints[0]"},
		"query":     {config.Upstream{Endpoints: []config.Endpoint{{URL: "http://a?b"}}}, "endpoints[0]"},
		"user":      {config.Upstream{Endpoints: []config.Endpoint{{URL: "http://u:p@a"}}}, "endpoints[0]"},
		"garbage":   {config.Upstream{Endpoints: []config.Endpoint{{URL: "http://[a"}}}, "endpoints[0]"},
		"ca":        {config.Upstream{Endpoints: []config.Endpoint{{URL: "https://a"}}, CA: "/nowhere.pem"}, "ca"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := Open(&tt.c, time.Minute)
			var f *certs.FileError
			if !errors.As(err, &f) || f.Field != tt.field {
				t.Errorf("got %v, want an error of %s", err, tt.field)
			}
		})
	}
}
