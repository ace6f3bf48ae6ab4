package session

import (
	"io"
	"net/http"
	"testing"
	"time"

	"github.com/gatehouse-dev/gatehouse/config"
	"github.com/gatehouse-dev/gatehouse/middleware"
	"github.com/gatehouse-dev/gatehouse/middleware/middlewaretest"
	"github.com/gatehouse-dev/gatehouse/middleware/orders"
	"github.com/gatehouse-dev/gatehouse/policies"
)

// What the stage costs a request: without limits, with them, and where the
// answer is one to be watched.
func BenchmarkStage(b *testing.B) {
	book, err := orders.Open(orders.Settings{Keep: time.Hour}, nil)
	if err != nil {
		b.Fatal(err)
	}
	defer book.Close()
	store := NewStore(1000, nil)
	defer store.Close()
	limits := &config.Session{Idle: config.Duration(15 * time.Minute), Max: config.Duration(12 * time.Hour), Touch: true}
	for _, c := range []struct {
		name   string
		limits *config.Session
		length int64
	}{{"revocation", nil, 100}, {"idle", limits, 100}, {"watched", limits, -1}} {
		b.Run(c.name, func(b *testing.B) {
			s := New(&config.Route{Authn: &config.Authn{AMR: []string{"otp"}}, Session: c.limits}, book, store)
			now := time.Now()
			x := middlewaretest.Exchange(b, "GET", "https://h/", nil, middlewaretest.Subject(&policies.Subject{
				ID: "u7", Issuer: "auth", AuthTime: now.Unix(), AMR: []string{"otp"}, Claims: map[string]any{"sid": "s1", "jti": "j1"},
			}))
			x.IssuedAt, x.Expires = now, now.Add(time.Hour)
			body := io.NopCloser(nil)
			res := &http.Response{StatusCode: 200, Header: http.Header{"Content-Type": {"application/json"}}, ContentLength: c.length}
			next := func(*middleware.Exchange) (*http.Response, error) { return res, nil }
			b.ReportAllocs()
			for b.Loop() {
				res.Body = body
				got, err := s.Handle(x, next)
				if err != nil {
					b.Fatal(err)
				}
				if l, ok := got.Body.(*live); ok {
					_ = l.Close()
				}
			}
		})
	}
}
