package overload

import (
	"net/http"
	"testing"
	"time"

	"github.com/gatehouse-dev/gatehouse/config"
	"github.com/gatehouse-dev/gatehouse/middleware"
)

// What the stage costs an exchange when nothing is overloaded: with one gate,
// with two, and with the measuring of an adaptive one.
func BenchmarkStage(b *testing.B) {
	up := Settings{Max: 1000, Queue: 100, Wait: 100 * time.Millisecond}
	found := up
	found.Adaptive, found.Min = true, 1000
	for _, c := range []struct {
		name string
		caps []*Cap
	}{
		{"upstream", []*Cap{fixed(up)}},
		{"route and upstream", []*Cap{fixed(up), fixed(up)}},
		{"adaptive", []*Cap{fixed(found)}},
	} {
		s := New(&config.Route{Name: "r"}, []string{"oncall"}, c.caps...)
		bench := func(b *testing.B, next func() bool) {
			x := &middleware.Exchange{Request: get(b.Context()), Subject: of("t", "staff")}
			res := &http.Response{StatusCode: 200, Header: http.Header{"Content-Type": {"application/json"}}}
			handler := c.caps[0].Watch(func(*middleware.Exchange) (*http.Response, error) { return res, nil })
			for next() {
				res.Body = http.NoBody
				got, err := s.Handle(x, handler)
				if err != nil {
					b.Error(err)
					return
				}
				_ = got.Body.Close()
			}
		}
		b.Run(c.name, func(b *testing.B) {
			b.ReportAllocs()
			bench(b, b.Loop)
		})
		b.Run(c.name+"/parallel", func(b *testing.B) {
			b.ReportAllocs()
			b.RunParallel(func(p *testing.PB) { bench(b, p.Next) })
		})
	}
}

// What a refusal costs, where one tenant floods and waits for nothing.
func BenchmarkRefusal(b *testing.B) {
	c := fixed(Settings{Max: 1})
	s := New(&config.Route{Name: "r"}, nil, c)
	first, err := open(b, s, of("t"), "")
	if err != nil {
		b.Fatal(err)
	}
	defer first.Body.Close()
	x := &middleware.Exchange{Request: get(b.Context()), Subject: of("t")}
	b.ReportAllocs()
	for b.Loop() {
		if _, err := s.Handle(x, nil); err == nil {
			b.Fatal("served")
		}
	}
}
