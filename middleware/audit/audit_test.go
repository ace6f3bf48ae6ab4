package audit

import (
	"errors"
	"io"
	"net/http"
	"testing"
	"testing/iotest"

	"github.com/google/go-cmp/cmp"

	"github.com/gatehouse-dev/gatehouse/middleware"
	mt "github.com/gatehouse-dev/gatehouse/middleware/middlewaretest"
	"github.com/gatehouse-dev/gatehouse/policies"
)

func TestRecord(t *testing.T) {
	cut := errors.New("cut")
	tests := []struct {
		name string
		next middleware.Handler
		want Record
	}{
		{"answered", func(x *middleware.Exchange) (*http.Response, error) {
			x.Subject = &policies.Subject{ID: "u7", Tenant: "t1", Role: "hr"}
			x.Decision = &policies.Decision{Revision: "r1", Audit: "detail"}
			x.Upstream, x.Forward = "http://127.0.0.1:1", "/v1/a"
			return mt.NewUpstream(t, 200, "text/plain", "hello").Handle(x)
		}, Record{Status: 200, Bytes: 5, Subject: "u7", Tenant: "t1", Role: "hr", Revision: "r1", Level: "detail", Forward: "/v1/a"}},
		{"a policy cannot lower the level", func(x *middleware.Exchange) (*http.Response, error) {
			x.Decision = &policies.Decision{Audit: "none"}
			return mt.NewUpstream(t, 204, "", "").Handle(x)
		}, Record{Status: 204, Level: "metadata"}},
		{"refused", func(x *middleware.Exchange) (*http.Response, error) {
			x.Refusal = middleware.Refuse("acl", middleware.Forbidden, "no").With(cut)
			return mt.NewUpstream(t, 403, "", "no").Handle(x)
		}, Record{Status: 403, Bytes: 2, Stage: "acl", Code: "forbidden", Cause: "cut", Level: "metadata"}},
		{"cut while it streamed", func(x *middleware.Exchange) (*http.Response, error) {
			res, err := mt.NewUpstream(t, 200, "", "hello").Handle(x)
			inner := res.Body
			res.Body = struct {
				io.Reader
				io.Closer
			}{io.MultiReader(io.LimitReader(inner, 2), iotest.ErrReader(cut)), inner}
			return res, err
		}, Record{Status: 200, Bytes: 2, Aborted: true, Level: "metadata"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var got []*Record
			s := New("metadata", func(_ *middleware.Exchange, r *Record) { got = append(got, r) })
			x := mt.Exchange(t, "GET", "https://h/api/a?secret=1", nil)
			_, _, _ = mt.Run(t, s, x, tt.next)
			if len(got) != 1 {
				t.Fatalf("%d records", len(got))
			}
			r, w := got[0], tt.want
			if r.Status != w.Status || r.Bytes != w.Bytes || r.Aborted != w.Aborted || r.Level != w.Level || r.Subject != w.Subject ||
				r.Tenant != w.Tenant || r.Role != w.Role || r.Stage != w.Stage || r.Code != w.Code || r.Cause != w.Cause ||
				r.Revision != w.Revision || r.Forward != w.Forward {
				t.Errorf("got  %+v\nwant %+v", *r, w)
			}
			if r.ID != x.ID || r.Path != "/api/a" || r.Method != "GET" || r.Route != "test" {
				t.Errorf("got %+v", *r)
			}
		})
	}
}

// What is suspicious is on record whatever the level, once, beside the notes.
func TestSuspicionIsOnRecord(t *testing.T) {
	for _, level := range []string{"none", "metadata", "detail"} {
		var got []middleware.Note
		s := New(level, func(_ *middleware.Exchange, r *Record) { got = r.Notes })
		_, _, _ = mt.Run(t, s, mt.Exchange(t, "GET", "https://h/", nil), func(x *middleware.Exchange) (*http.Response, error) {
			x.Suspect(middleware.IdentityHeader)
			x.Note("dropped", 1)
			x.Suspect(middleware.BadSignature)
			x.Suspect(middleware.IdentityHeader)
			return mt.NewUpstream(t, 401, "", "").Handle(x)
		})
		want := []middleware.Note{{Key: "dropped", Value: 1}, {Key: "suspicion", Value: []string{"identity_header", "bad_signature"}}}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s: %s", level, diff)
		}
	}
}

func TestPanicIsOnRecord(t *testing.T) {
	n := 0
	s := New("none", func(_ *middleware.Exchange, r *Record) {
		n++
		if !r.Aborted || r.Status != 0 {
			t.Errorf("got %+v", *r)
		}
	})
	func() {
		defer func() { _ = recover() }()
		_, _ = s.Handle(mt.Exchange(t, "GET", "https://h/", nil), func(*middleware.Exchange) (*http.Response, error) {
			panic(http.ErrAbortHandler)
		})
	}()
	if n != 1 {
		t.Errorf("%d records", n)
	}
}
