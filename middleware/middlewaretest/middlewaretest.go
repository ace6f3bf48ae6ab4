// Package middlewaretest makes exchanges and upstreams for the tests of
// stages.
package middlewaretest

import (
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/gatehouse-dev/gatehouse/config"
	"github.com/gatehouse-dev/gatehouse/middleware"
	"github.com/gatehouse-dev/gatehouse/policies"
)

// Exchange makes an exchange as the gateway would for the request. Options
// change it.
func Exchange(t testing.TB, method, target string, body io.Reader, opts ...func(*middleware.Exchange)) *middleware.Exchange {
	t.Helper()
	r := httptest.NewRequest(method, target, body)
	r.RequestURI = ""
	if body == nil {
		r.Body = http.NoBody
	}
	x := &middleware.Exchange{
		ID: "test-1", Start: time.Now(), Client: netip.MustParseAddr("192.0.2.1"), Listener: "public", TLS: "1.3", Secure: true,
		Route: &config.Route{Name: "test"}, Host: r.Host, Path: r.URL.Path, Request: r.WithContext(t.Context()),
		Memory: middleware.NewBudget(64 << 20), Spool: middleware.NewSpool(t.TempDir(), 256<<20),
	}
	for _, o := range opts {
		o(x)
	}
	t.Cleanup(x.Release)
	return x
}

// Header sets a request header.
func Header(name, value string) func(*middleware.Exchange) {
	return func(x *middleware.Exchange) { x.Request.Header.Set(name, value) }
}

// Subject sets who asks.
func Subject(s *policies.Subject) func(*middleware.Exchange) {
	return func(x *middleware.Exchange) { x.Subject = s }
}

// Upstream is the innermost handler of a test. It counts what reaches it.
type Upstream struct {
	Calls  atomic.Int64
	Status int
	Header http.Header
	Body   string
	Got    string // the last request body
	open   atomic.Int64
}

// NewUpstream answers every exchange with status, media type and body. The
// test fails if a response body is left open.
func NewUpstream(t testing.TB, status int, mediaType, body string) *Upstream {
	t.Helper()
	u := &Upstream{Status: status, Header: http.Header{}, Body: body}
	if mediaType != "" {
		u.Header.Set("Content-Type", mediaType)
	}
	t.Cleanup(func() {
		if n := u.open.Load(); n != 0 {
			t.Errorf("%d response bodies were not closed", n)
		}
	})
	return u
}

// Handle answers.
func (u *Upstream) Handle(x *middleware.Exchange) (*http.Response, error) {
	u.Calls.Add(1)
	if x.Request.Body != nil {
		b, err := io.ReadAll(x.Request.Body)
		if err != nil {
			return nil, err
		}
		u.Got = string(b)
	}
	u.open.Add(1)
	res := &http.Response{
		StatusCode: u.Status, Status: http.StatusText(u.Status), Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
		Header: u.Header.Clone(), Body: &tracked{Reader: strings.NewReader(u.Body), open: &u.open},
		ContentLength: int64(len(u.Body)), Request: x.Request,
	}
	return res, nil
}

type tracked struct {
	io.Reader
	open   *atomic.Int64
	closed atomic.Bool
}

func (t *tracked) Close() error {
	if t.closed.CompareAndSwap(false, true) {
		t.open.Add(-1)
	}
	return nil
}

// Run sends the exchange through one stage and reads the answer whole.
func Run(t testing.TB, s middleware.Stage, x *middleware.Exchange, next middleware.Handler) (*http.Response, string, error) {
	t.Helper()
	res, err := s.Handle(x, next)
	if err != nil {
		if res != nil {
			t.Error("a response beside an error")
		}
		return nil, "", err
	}
	b, rerr := io.ReadAll(res.Body)
	if cerr := res.Body.Close(); cerr != nil {
		t.Errorf("closing the body: %v", cerr)
	}
	return res, string(b), rerr
}

// Code gives the code of a refusal, or "" where err is not one.
func Code(err error) string {
	var r *middleware.Refusal
	if !errors.As(err, &r) {
		return ""
	}
	return r.Code
}
