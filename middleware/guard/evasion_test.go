package guard

import (
	"context"
	"net/http"
	"net/netip"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/gatehouse-dev/gatehouse/config"
	"github.com/gatehouse-dev/gatehouse/middleware"
	"github.com/gatehouse-dev/gatehouse/middleware/middlewaretest"
)

const jsonType = "application/json"

// send makes a request to a login and gives the code of a refusal.
func send(t *testing.T, s middleware.Stage, status int, method, target, body string, header ...string) string {
	t.Helper()
	x := middlewaretest.Exchange(t, method, target, strings.NewReader(body), middlewaretest.Header("Content-Type", jsonType))
	for i := 0; i < len(header); i += 2 {
		x.Request.Header.Set(header[i], header[i+1])
	}
	_, _, err := middlewaretest.Run(t, s, x, middlewaretest.NewUpstream(t, status, "", "").Handle)
	return middlewaretest.Code(err)
}

// Nobody has their guesses at the victim forgiven by a success that is not the
// victim's: of the login's page, or of somebody whom the query or a Basic header
// names.
func TestStolenForgiveness(t *testing.T) {
	const victim = `{"username":"victim","password":"x"}`
	for name, succeed := range map[string]func(s middleware.Stage){
		"the page":    func(s middleware.Stage) { send(t, s, 200, "GET", "/login", victim) },
		"its head":    func(s middleware.Stage) { send(t, s, 200, "HEAD", "/login", victim) },
		"its methods": func(s middleware.Stage) { send(t, s, 204, "OPTIONS", "/login", victim) },
		"the query":   func(s middleware.Stage) { send(t, s, 200, "POST", "/login?username=mallory", victim) },
		"Basic": func(s middleware.Stage) {
			send(t, s, 200, "POST", "/login", victim, "Authorization", "bAsIc bWFsbG9yeTp4")
		},
		"broken query": func(s middleware.Stage) { send(t, s, 200, "POST", "/login?username=mallory;x", victim) },
	} {
		s := New(ByAddress, &config.Route{Login: true}, openGuard(t, authFailures(nil)).Guard)
		var got []string
		for range 4 {
			got = append(got, send(t, s, 401, "POST", "/login", victim))
			succeed(s)
		}
		if d := cmp.Diff([]string{"", "", "", "address_blocked"}, got); d != "" {
			t.Errorf("%s: %s", name, d)
		}
	}
}

// A name in the query counts like one in the body.
func TestNameInQuery(t *testing.T) {
	s := New(ByAddress, &config.Route{Login: true}, openGuard(t, authFailures(nil)).Guard)
	got := []string{
		send(t, s, 401, "POST", "/login?Username=victim", `{"username":"a"}`),
		send(t, s, 401, "POST", "/login?%75sername=VICTIM", `{"username":"b"}`),
		send(t, s, 401, "POST", "/login", `{"username":"victim"}`),
		send(t, s, 401, "POST", "/login?username=victim", `{"username":"c"}`),
	}
	if d := cmp.Diff([]string{"", "", "", "address_blocked"}, got); d != "" {
		t.Error(d)
	}
}

// burst sends guesses at once and gives how many reached the upstream.
func burst(t *testing.T, s middleware.Stage, n int, guess func() *middleware.Exchange) int {
	t.Helper()
	reached, answer := make(chan bool, n), make(chan bool)
	hold := func(x *middleware.Exchange) (*http.Response, error) {
		reached <- true
		<-answer
		return middlewaretest.NewUpstream(t, 401, "", "").Handle(x)
	}
	over := make(chan bool, n)
	var wg sync.WaitGroup
	for range n {
		x := guess()
		wg.Go(func() {
			if res, err := s.Handle(x, hold); err == nil {
				_ = res.Body.Close()
			} else {
				over <- true
			}
		})
	}
	for len(reached)+len(over) < n { // each is with the upstream or refused
		select {
		case <-t.Context().Done():
			t.Fatal("some are nowhere")
		default:
		}
	}
	close(answer)
	wg.Wait()
	return len(reached)
}

// Guesses whose name cannot be read are one name, at once as well.
func TestParallelGuessesThatHide(t *testing.T) {
	const small = `{"username":"victim","password":"x"}`
	for name, tt := range map[string]struct {
		body   string
		header [2]string
		client string
		want   int
	}{
		"padded":               {small + strings.Repeat(" ", maxBody), [2]string{"Content-Type", jsonType}, "192.0.2.1", 3},
		"encoded":              {small, [2]string{"Content-Encoding", "gzip"}, "192.0.2.1", 3},
		"of another type":      {small, [2]string{"Content-Type", "text/plain"}, "192.0.2.1", 3},
		"with a zero":          {`{"username":"victim\u0000"}`, [2]string{"Content-Type", jsonType}, "192.0.2.1", 3},
		"Basic":                {"", [2]string{"Authorization", "Basic bWFsbG9yeTp4"}, "192.0.2.1", 3},
		"a list":               {`{"username":["victim"]}`, [2]string{"Content-Type", jsonType}, "192.0.2.1", 3},
		"nobody":               {`{"refresh":"x"}`, [2]string{"Content-Type", jsonType}, "192.0.2.1", 20},
		"nothing":              {"", [2]string{}, "192.0.2.1", 20},
		"the address unknown":  {small, [2]string{"Content-Type", jsonType}, "", 20}, // or strangers could keep each other out
		"unknown, and a guess": {small, [2]string{"Content-Encoding", "gzip"}, "", 20},
	} {
		s := New(ByAddress, &config.Route{Login: true}, openGuard(t, authFailures(nil)).Guard)
		got := burst(t, s, 20, func() *middleware.Exchange {
			x := middlewaretest.Exchange(t, "POST", "/login", strings.NewReader(tt.body), middlewaretest.Header("Content-Type", jsonType))
			if tt.body == "" {
				x.Request.Body, x.Request.ContentLength = http.NoBody, 0
			}
			if tt.header[0] != "" {
				x.Request.Header.Set(tt.header[0], tt.header[1])
			}
			x.Client = netip.Addr{}
			if tt.client != "" {
				x.Client = netip.MustParseAddr(tt.client)
			}
			return x
		})
		if got != tt.want {
			t.Errorf("%s: %d reached the upstream, want %d", name, got, tt.want)
		}
	}
}

// Who does not wait for the answer has guessed all the same, and so has who cannot be
// sent it.
func TestAnswersThatNobodyGets(t *testing.T) {
	for name, handle := range map[string]func(x *middleware.Exchange, gone func()) (*http.Response, error){
		"the client went away": func(x *middleware.Exchange, gone func()) (*http.Response, error) {
			gone()
			if err := x.Request.Context().Err(); err != nil {
				return nil, middleware.Refuse("upstream", middleware.UpstreamUnavailable, "the request was given up").With(err)
			}
			return middlewaretest.NewUpstream(t, 401, "", "").Handle(x)
		},
		"it cannot be masked": func(x *middleware.Exchange, _ func()) (*http.Response, error) {
			x.Answered = 401
			return nil, middleware.Refuse("mask", middleware.UpstreamUnavailable, "not JSON")
		},
	} {
		s := New(ByAddress, &config.Route{Login: true}, openGuard(t, authFailures(nil)).Guard)
		for range 3 {
			ctx, gone := context.WithCancel(t.Context())
			x := attemptBy(t, "192.0.2.1", "ann")
			x.Request = x.Request.WithContext(ctx)
			res, err := s.Handle(x, func(x *middleware.Exchange) (*http.Response, error) { return handle(x, gone) })
			if err == nil {
				_ = res.Body.Close()
			}
			gone()
		}
		if got := send(t, s, 401, "POST", "/login", `{"username":"ann"}`); got != "address_blocked" {
			t.Errorf("%s: %q", name, got)
		}
	}
}
