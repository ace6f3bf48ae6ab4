package session_test

import (
	"context"
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gatehouse-dev/gatehouse/config"
	"github.com/gatehouse-dev/gatehouse/middleware"
	"github.com/gatehouse-dev/gatehouse/middleware/middlewaretest"
	"github.com/gatehouse-dev/gatehouse/middleware/orders"
	"github.com/gatehouse-dev/gatehouse/middleware/session"
	"github.com/gatehouse-dev/gatehouse/middleware/store"
	"github.com/gatehouse-dev/gatehouse/policies"
)

func newBook(t testing.TB, s orders.Settings, r *store.Redis) *orders.Book {
	t.Helper()
	s.Keep = 720 * time.Hour
	b, err := orders.Open(s, r)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = b.Close() })
	return b
}

func revoke(t testing.TB, b *orders.Book, o orders.Order) {
	t.Helper()
	o.Kind = orders.Revocation
	if _, _, err := b.Give(t.Context(), o); err != nil {
		t.Fatal(err)
	}
}

// caller is somebody whose token says everything.
func caller(now time.Time) *policies.Subject {
	return &policies.Subject{
		ID: "u7", Issuer: "auth", Tenant: "acme", AuthTime: now.Add(-time.Hour).Unix(),
		Claims: map[string]any{"sid": "s1", "jti": "j1"},
	}
}

// Whatever of a token was called back, it is refused; and nothing else is.
func TestRevoked(t *testing.T) {
	now := time.Now()
	for name, c := range map[string]struct {
		order orders.Order
		want  bool
	}{
		"its id":              {orders.Order{Issuer: "auth", JTI: "j1"}, true},
		"its session":         {orders.Order{Issuer: "auth", SID: "s1"}, true},
		"its subject":         {orders.Order{Issuer: "auth", Subject: "u7"}, true},
		"its tenant":          {orders.Order{Tenant: "acme"}, true},
		"all before now":      {orders.Order{IssuedBefore: now}, true},
		"another id":          {orders.Order{Issuer: "auth", JTI: "j2"}, false},
		"of another issuer":   {orders.Order{Issuer: "other", SID: "s1"}, false},
		"before it was there": {orders.Order{Issuer: "auth", Subject: "u7", IssuedBefore: now.Add(-time.Hour)}, false},
		"before it signed in": {orders.Order{Issuer: "auth", SID: "s1", At: now.Add(-2 * time.Hour)}, false},
	} {
		t.Run(name, func(t *testing.T) {
			book := newBook(t, orders.Settings{}, nil)
			s := session.New(&config.Route{Authn: &config.Authn{}}, book, newStore(t, 10))
			revoke(t, book, c.order)
			x := middlewaretest.Exchange(t, "GET", "https://h/", nil, middlewaretest.Subject(caller(now)))
			x.IssuedAt = now.Add(-time.Minute)
			up := middlewaretest.NewUpstream(t, 200, "text/plain", "ok")
			_, _, err := middlewaretest.Run(t, s, x, up.Handle)
			want := ""
			if c.want {
				want = string(middleware.SessionRevoked)
			}
			expect(t, name, middlewaretest.Code(err), want)
			if reached := up.Calls.Load() > 0; reached == c.want {
				t.Errorf("the upstream was reached: %t", reached)
			}
			var f *middleware.Refusal
			if errors.As(err, &f) && (f.Status != 401 || !strings.Contains(f.Header.Get("WWW-Authenticate"), `error="invalid_token"`)) {
				t.Errorf("%d %v", f.Status, f.Header)
			}
		})
	}
}

// Where it is not known what was called back, and that is to be closed, nobody
// is served.
func TestUnknownRevocations(t *testing.T) {
	dead, err := store.Open(&config.Redis{Addresses: []string{"127.0.0.1:1"}})
	if err != nil {
		t.Fatal(err)
	}
	defer dead.Close()
	for closed, want := range map[bool]string{true: string(middleware.AuthenticationUnavailable), false: ""} {
		s := session.New(&config.Route{Authn: &config.Authn{}}, newBook(t, orders.Settings{Closed: closed}, dead), newStore(t, 10))
		expect(t, "", ask(t, s, token{sid: "s1", issued: time.Now()}), want)
	}
}

func TestStepUp(t *testing.T) {
	start := time.Now()
	for name, c := range map[string]struct {
		authn   config.Authn
		subject policies.Subject
		detail  string // "": it passes
		www     string // of the challenge, behind the error
	}{
		"nothing wanted":        {},
		"one class of several":  {authn: config.Authn{ACR: []string{"silver", "gold"}}, subject: policies.Subject{ACR: "gold"}},
		"another class":         {config.Authn{ACR: []string{"silver", "gold"}}, policies.Subject{ACR: "bronze"}, "fresher authentication", `, acr_values="silver gold"`},
		"no class":              {config.Authn{ACR: []string{"gold"}}, policies.Subject{}, "fresher authentication", `, acr_values="gold"`},
		"all methods":           {authn: config.Authn{AMR: []string{"pwd", "otp"}}, subject: policies.Subject{AMR: []string{"otp", "x", "pwd"}}},
		"one method of two":     {config.Authn{AMR: []string{"pwd", "otp"}}, policies.Subject{AMR: []string{"pwd"}}, "authentication: otp", ""},
		"no methods":            {config.Authn{AMR: []string{"pwd", "otp"}}, policies.Subject{}, "authentication: otp, pwd", ""},
		"fresh":                 {authn: config.Authn{MaxAge: config.Duration(5 * time.Minute)}, subject: policies.Subject{AuthTime: start.Unix() - 300}},
		"a second too old":      {config.Authn{MaxAge: config.Duration(5 * time.Minute)}, policies.Subject{AuthTime: start.Unix() - 301}, "fresher", `, max_age="300"`},
		"never told":            {config.Authn{MaxAge: config.Duration(5 * time.Minute)}, policies.Subject{}, "fresher", `, max_age="300"`},
		"less than a second":    {config.Authn{MaxAge: config.Duration(time.Millisecond)}, policies.Subject{AuthTime: start.Unix() - 2}, "fresher", `, max_age="1"`},
		"a service account":     {config.Authn{ACR: []string{"gold"}, MaxAge: config.Duration(time.Hour)}, policies.Subject{Claims: map[string]any{"client_id": "batch"}}, "fresher", `, acr_values="gold", max_age="3600"`},
		"some of it is lacking": {config.Authn{ACR: []string{"gold"}, AMR: []string{"otp"}, MaxAge: config.Duration(time.Hour)}, policies.Subject{ACR: "gold", AuthTime: start.Unix()}, ": otp", ""},
	} {
		t.Run(name, func(t *testing.T) {
			s := session.New(&config.Route{Authn: &c.authn}, nil, newStore(t, 10))
			c.subject.ID = "u7"
			x := middlewaretest.Exchange(t, "GET", "https://h/", nil, middlewaretest.Subject(&c.subject))
			x.Start = start
			up := middlewaretest.NewUpstream(t, 200, "text/plain", "ok")
			_, _, err := middlewaretest.Run(t, s, x, up.Handle)
			var f *middleware.Refusal
			if !errors.As(err, &f) {
				if c.detail != "" || err != nil {
					t.Errorf("it passes: %v", err)
				}
				return
			}
			www := `Bearer error="insufficient_user_authentication", error_description="a stronger or fresher authentication is required"` + c.www
			if c.detail == "" || f.Code != string(middleware.StepUpRequired) || !strings.Contains(f.Detail, c.detail) || f.Header.Get("WWW-Authenticate") != www || up.Calls.Load() > 0 {
				t.Errorf("refused with %s, %q, %q", f.Code, f.Detail, f.Header)
			}
		})
	}
}

// What took a strong or fresh sign-in is in no cache when there is none any more;
// other answers keep what the upstream says.
func TestNobodyKeepsWhatTookAStepUp(t *testing.T) {
	for name, c := range map[string]struct {
		authn config.Authn
		want  string
	}{
		"nothing wanted": {config.Authn{}, "max-age=600"},
		"a class":        {config.Authn{ACR: []string{"gold"}}, "private, no-store"},
		"a method":       {config.Authn{AMR: []string{"otp"}}, "private, no-store"},
		"an age":         {config.Authn{MaxAge: config.Duration(time.Minute)}, "private, no-store"},
	} {
		s := session.New(&config.Route{Authn: &c.authn}, nil, newStore(t, 10))
		x := middlewaretest.Exchange(t, "GET", "https://h/", nil, middlewaretest.Subject(&policies.Subject{
			ID: "u7", ACR: "gold", AMR: []string{"otp"}, AuthTime: time.Now().Unix(),
		}))
		x.Start = time.Now()
		res, _, err := middlewaretest.Run(t, s, x, func(*middleware.Exchange) (*http.Response, error) {
			h := http.Header{"Cache-Control": {"max-age=600"}, "Expires": {"Mon, 02 Nov 2037 10:00:00 GMT"}}
			return &http.Response{StatusCode: 200, Header: h, Body: http.NoBody}, nil
		})
		if err != nil || res.Header.Get("Cache-Control") != c.want || (res.Header.Get("Expires") == "") != (c.want != "max-age=600") {
			t.Errorf("%s: %v, %v", name, res, err)
		}
	}
}

// To be refused for a weak authentication is no use of the session, and does not
// hide that it is over.
func TestStepUpIsNoUse(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := newStore(t, 10)
		c := &config.Session{Idle: config.Duration(idle), Touch: true}
		plain := session.New(&config.Route{Authn: &config.Authn{}, Session: c}, nil, store)
		payroll := session.New(&config.Route{Authn: &config.Authn{AMR: []string{"otp"}}, Session: c}, nil, store)
		tok := token{sid: "s1", issued: time.Now(), loggedIn: time.Now()}
		expect(t, "plain", ask(t, plain, tok), "")
		for range 14 {
			time.Sleep(time.Minute)
			expect(t, "payroll", ask(t, payroll, tok), string(middleware.StepUpRequired))
		}
		time.Sleep(time.Minute)
		expect(t, "payroll", ask(t, payroll, tok), dead)
		expect(t, "plain", ask(t, plain, tok), dead)
	})
}

// open is an upstream whose answer stays open until its call is ended.
func open(mediaType string, length int64) middleware.Handler {
	return func(x *middleware.Exchange) (*http.Response, error) {
		ctx, cancel := context.WithCancelCause(x.Request.Context())
		x.Cancel = cancel
		return &http.Response{StatusCode: 200, Header: http.Header{"Content-Type": {mediaType}}, ContentLength: length, Body: &silent{ctx, cancel}}, nil
	}
}

type silent struct {
	ctx    context.Context //nolint:containedctx // of the call
	cancel context.CancelCauseFunc
}

func (s *silent) Read([]byte) (int, error) {
	<-s.ctx.Done()
	return 0, io.EOF // as if that had been all
}

func (s *silent) Close() error {
	s.cancel(nil)
	return nil
}

// writer is a client.
type writer struct{ cuts int }

func (w *writer) Cut() { w.cuts++ }

// What is open when its token is called back ends, whatever it is; streams end
// with their token and their session too, and downloads do not.
func TestEnds(t *testing.T) {
	const stream, file = "text/event-stream; charset=utf-8", "application/zip"
	for name, c := range map[string]struct {
		mediaType string
		length    int64
		after     time.Duration // something happens
		do        func(t *testing.T, b *orders.Book, again func())
		want      string        // why it ends; "" that it does not
		by        time.Duration // after that
	}{
		"a stream, revoked":     {stream, -1, time.Minute, func(t *testing.T, b *orders.Book, _ func()) { revoke(t, b, orders.Order{Issuer: "auth", SID: "s1"}) }, "session_revoked", time.Second},
		"a download, revoked":   {file, 1 << 30, time.Minute, func(t *testing.T, b *orders.Book, _ func()) { revoke(t, b, orders.Order{Issuer: "auth", JTI: "j1"}) }, "session_revoked", time.Second},
		"another's, revoked":    {file, 1 << 30, time.Minute, func(t *testing.T, b *orders.Book, _ func()) { revoke(t, b, orders.Order{Issuer: "auth", JTI: "j2"}) }, "", 0},
		"a stream, idle":        {stream, -1, 0, nil, "session_idle", idle + time.Second},
		"a stream, used":        {stream, -1, 14 * time.Minute, func(_ *testing.T, _ *orders.Book, again func()) { again() }, "session_idle", idle + time.Second},
		"a stream, token over":  {stream, -1, 0, func(_ *testing.T, _ *orders.Book, again func()) { keepUsing(again, 2*time.Hour) }, "token_expired", 2*time.Hour + time.Second},
		"a stream, max":         {stream, -1, 0, func(_ *testing.T, _ *orders.Book, again func()) { keepUsing(again, 90*time.Minute) }, "session_expired", 90*time.Minute + time.Second},
		"frames, idle":          {"multipart/x-mixed-replace; boundary=x", -1, 0, nil, "session_idle", idle + time.Second},
		"a download goes on":    {file, -1, 0, nil, "", 0},
		"a small one unwatched": {file, 100, 0, func(t *testing.T, b *orders.Book, _ func()) { revoke(t, b, orders.Order{Issuer: "auth", JTI: "j1"}) }, "", 0},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				book := newBook(t, orders.Settings{}, nil)
				limits := &config.Session{Idle: config.Duration(idle), Max: config.Duration(24 * time.Hour), Touch: true}
				if c.want == "session_expired" {
					limits.Max = config.Duration(90 * time.Minute)
				}
				s := session.New(&config.Route{Authn: &config.Authn{}, Session: limits}, book, newStore(t, 10))
				subject := caller(time.Now().Add(time.Hour)) // signed in now
				x := middlewaretest.Exchange(t, "GET", "https://h/", nil, middlewaretest.Subject(subject))
				client := &writer{}
				x.IssuedAt, x.Expires, x.Cutter = time.Now(), time.Now().Add(2*time.Hour), client
				res, err := s.Handle(x, open(c.mediaType, c.length))
				if err != nil {
					t.Fatal(err)
				}
				again := func() {
					y := middlewaretest.Exchange(t, "GET", "https://h/", nil, middlewaretest.Subject(subject))
					y.IssuedAt = x.IssuedAt
					if _, _, err := middlewaretest.Run(t, s, y, middlewaretest.NewUpstream(t, 200, "", "").Handle); err != nil && c.want != "session_expired" {
						t.Error(err)
					}
				}
				read := make(chan error, 1)
				go func() {
					_, err := res.Body.Read(make([]byte, 1))
					read <- err
				}()
				time.Sleep(c.after)
				since := time.Now()
				if c.do != nil {
					go c.do(t, book, again)
				}
				var got error
				select {
				case got = <-read:
				case <-time.After(3 * time.Hour):
				}
				took := time.Since(since)
				_ = res.Body.Close()
				if c.want == "" {
					if got != nil || client.cuts > 0 || len(x.Notes()) > 0 {
						t.Errorf("ended: %v %v", got, x.Notes())
					}
					<-read
					return
				}
				if !errors.Is(got, middleware.ErrEnded) || client.cuts != 1 || took > c.by || took < c.by-time.Second {
					t.Errorf("%v after %s, %d cuts; want it after %s", got, took, client.cuts, c.by)
				}
				if n := x.Notes(); len(n) != 1 || n[0].Key != "ended" || n[0].Value != c.want {
					t.Errorf("on record: %v, want %s", n, c.want)
				}
			})
		})
	}
}

func keepUsing(again func(), d time.Duration) {
	for end := time.Now().Add(d); time.Now().Before(end); time.Sleep(5 * time.Minute) {
		again()
	}
}

// What was called back while the upstream took its time is not sent, be it as small
// as the answer to a long poll. Who changed something is told so.
func TestRevokedMeanwhile(t *testing.T) {
	for name, c := range map[string]struct {
		method, mediaType string
		length            int64
		want              middleware.Code
	}{
		"a stream":            {"GET", "text/event-stream", -1, middleware.SessionRevoked},
		"a long poll":         {"GET", "application/json", 9, middleware.SessionRevoked},
		"a download, posted":  {"POST", "application/zip", 1 << 20, middleware.SessionRevoked},
		"a change, confirmed": {"POST", "application/json", 9, ""},
	} {
		t.Run(name, func(t *testing.T) {
			book := newBook(t, orders.Settings{}, nil)
			s := session.New(&config.Route{Authn: &config.Authn{}}, book, newStore(t, 10))
			x := middlewaretest.Exchange(t, c.method, "https://h/", nil, middlewaretest.Subject(caller(time.Now())))
			up := middlewaretest.NewUpstream(t, 200, c.mediaType, "data: x\n\n")
			_, _, err := middlewaretest.Run(t, s, x, func(x *middleware.Exchange) (*http.Response, error) {
				revoke(t, book, orders.Order{Issuer: "auth", SID: "s1"})
				res, err := up.Handle(x)
				res.ContentLength = c.length
				return res, err
			})
			expect(t, name, middlewaretest.Code(err), string(c.want))
		})
	}
}
