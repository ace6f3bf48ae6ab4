package gateway

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/gatehouse-dev/gatehouse/middleware/orders"
)

// endless is a backend whose answers have no end of their own.
type endless struct {
	begun chan struct{} // an answer has begun
	gone  chan error    // its call was ended
}

func newEndless(w *world) *endless {
	e := &endless{make(chan struct{}, 10), make(chan error, 10)}
	w.backend("API", func(rw http.ResponseWriter, r *http.Request) {
		if r.URL.Query().Has("short") {
			return
		}
		length, flood := r.URL.Query().Get("length"), r.URL.Query().Has("flood")
		rw.Header().Set("Content-Type", "text/event-stream")
		if length != "" {
			rw.Header().Set("Content-Type", "application/zip")
			rw.Header().Set("Content-Length", length)
		}
		_, _ = fmt.Fprintf(rw, "data: {\"ssn\":%q}\n\n", marker)
		if length != "" { // more than the gateway holds before it sends
			_, _ = io.WriteString(rw, strings.Repeat("x", 200<<10))
		}
		_ = http.NewResponseController(rw).Flush()
		e.begun <- struct{}{}
		for flood && r.Context().Err() == nil {
			_, _ = io.WriteString(rw, "data: {\"i\":\""+strings.Repeat("x", 8<<10)+"\"}\n\n")
		}
		<-r.Context().Done()
		e.gone <- r.Context().Err()
	})
	return e
}

const liveRoutes = `
upstreams: {api: {endpoints: ["{API}"]}}
routes:
  - {name: masked, match: {path: /masked/}, upstream: api, authn: {issuers: [auth]}, mask: {passthrough_types: [application/zip]}}
  - {name: plain, match: {path: /plain/}, upstream: api, authn: {issuers: [auth]}, policy: off}
  - {name: idle, match: {path: /idle/}, upstream: api, authn: {issuers: [auth]}, policy: off, session: {idle: 8s}}
`

// session gives the header of a token of a session that is over in so long.
func (w *world) session(sid string, expires time.Duration) string {
	now := time.Now()
	return w.signedIn(sid, now, now.Add(expires))
}

func (w *world) signedIn(sid string, login, expires time.Time) string {
	return "Authorization: Bearer " + w.issuer.token(w.issuer.kid, map[string]any{
		"sub": "e2", "role": "staff", "tenant": "acme", "sid": sid, "auth_time": login.Unix(), "exp": expires.Unix(),
	})
}

// arriving gives the header of a token whose session begins when it arrives, however
// late that is: by another clock the user has signed in only then.
func (w *world) arriving(sid string) string {
	now := time.Now()
	return w.signedIn(sid, now.Add(20*time.Second), now.Add(time.Hour))
}

// answers waits until the backend has begun to answer.
func (e *endless) answers(t *testing.T, res *http.Response) {
	t.Helper()
	if res.StatusCode != http.StatusOK {
		b, _ := io.ReadAll(res.Body)
		t.Fatalf("%s: %s", res.Status, b)
	}
	select {
	case <-e.begun:
	case <-time.After(20 * time.Second):
		t.Fatal("the backend is not asked")
	}
}

// ended waits until the backend's call is ended, and for what is on record.
func (e *endless) ended(t *testing.T, w *world, path, want string) {
	t.Helper()
	select {
	case <-e.gone:
	case <-time.After(20 * time.Second):
		t.Fatal("the backend is still being read")
	}
	eventually(t, "the answer is on record", func() bool {
		for _, line := range w.log("exchange") {
			if line["path"] == path {
				if line["ended"] != want || line["answer_cut"] != nil || line["aborted"] != true {
					t.Errorf("on record: %v, want it ended by %s", line, want)
				}
				return true
			}
		}
		return false
	})
}

// TestOpenAnswersEnd: what is open when its session is called back, over, or
// when its token expires is cut, so that the client can tell; over HTTP/1.1 and
// HTTP/2, masked and not, with a silent backend and with one that floods.
func TestOpenAnswersEnd(t *testing.T) {
	t.Parallel() // it mostly waits
	revoked := func(w *world) {
		o := orders.Order{Kind: orders.Revocation, Issuer: "auth", SID: "s1"}
		if _, _, err := w.g.Plan().orders.Give(w.t.Context(), o); err != nil {
			w.t.Fatal(err)
		}
	}
	for _, h2 := range []bool{false, true} {
		for _, c := range []struct {
			path, query string
			expires     time.Duration
			do          func(*world)
			want        string
		}{
			{"/plain/", "", time.Hour, revoked, "session_revoked"},
			{"/masked/", "", time.Hour, revoked, "session_revoked"},
			{"/plain/", "?length=1000000", time.Hour, revoked, "session_revoked"},
			{"/plain/", "?flood", time.Hour, revoked, "session_revoked"},
			{"/masked/", "?flood", time.Hour, revoked, "session_revoked"},
			{"/plain/", "", 10 * time.Second, nil, "token_expired"},
			{"/idle/", "", time.Hour, nil, "session_idle"},
		} {
			t.Run(fmt.Sprintf("h2=%t/%s%s %s", h2, c.path, c.query, c.want), func(t *testing.T) {
				t.Parallel()
				w := open(t)
				e := newEndless(w)
				w.start(liveRoutes, maskPolicy)
				token := w.session("s1", c.expires)
				if c.want == "session_idle" {
					token = w.arriving("s1")
				}
				ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
				defer cancel()
				res, err := w.client(h2).Do(w.request("GET", c.path+c.query, nil, token).WithContext(ctx))
				if err != nil {
					t.Fatal(err)
				}
				defer res.Body.Close()
				e.answers(t, res)
				r := bufio.NewReader(res.Body)
				if line, err := r.ReadString('\n'); err != nil || !strings.HasPrefix(line, "data: ") {
					t.Fatalf("%q, %v", line, err)
				}
				if c.do != nil {
					c.do(w)
				}
				if _, err := io.Copy(io.Discard, r); err == nil || ctx.Err() != nil {
					t.Errorf("the answer ends with %v, as if it were all, or does not", err)
				}
				e.ended(t, w, c.path, c.want)
				if got := w.metric(fmt.Sprintf(`gatehouse_answers_ended_total{reason=%q,route=%q}`, c.want, strings.Trim(c.path, "/"))); got == "" || got == "0" {
					t.Error("no metric tells of it")
				}
			})
		}
	}
}

// TestOpenAnswersThatNobodyReads: a client that does not read holds neither the
// backend nor the record, once its session is called back.
func TestOpenAnswersThatNobodyReads(t *testing.T) {
	w := open(t)
	e := newEndless(w)
	w.start(liveRoutes, maskPolicy)
	for n, h2 := range []bool{false, true} {
		t.Run(fmt.Sprintf("h2=%t", h2), func(t *testing.T) {
			sid, path := fmt.Sprint("s", n), fmt.Sprint("/plain/", n)
			res, err := w.client(h2).Do(w.request("GET", path+"?flood", nil, w.session(sid, time.Hour)))
			if err != nil {
				t.Fatal(err)
			}
			defer res.Body.Close()
			e.answers(t, res)
			time.Sleep(500 * time.Millisecond) // by now all buffers are full
			o := orders.Order{Kind: orders.Revocation, Issuer: "auth", SID: sid}
			if _, _, err := w.g.Plan().orders.Give(t.Context(), o); err != nil {
				t.Fatal(err)
			}
			e.ended(t, w, path, "session_revoked")
			if _, err := io.Copy(io.Discard, res.Body); err == nil {
				t.Error("what is left of the answer looks as if it were all")
			}
		})
	}
}

// TestOpenAnswersGoOn: other requests of a session keep its streams open, being
// open does not keep the session; and what was ended leaves connections that are
// good for the next requests.
func TestOpenAnswersGoOn(t *testing.T) {
	t.Parallel() // it mostly waits
	w := open(t)
	e := newEndless(w)
	w.start(liveRoutes, maskPolicy)
	c := w.client(true)
	token, used := w.arriving("s1"), time.Now()
	res, err := c.Do(w.request("GET", "/idle/stream", nil, token))
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	e.answers(t, res)
	for range 20 { // ten seconds, more than the limit
		time.Sleep(500 * time.Millisecond)
		asks := time.Now()
		a := do(t, c, w.request("GET", "/idle/?short", nil, token))
		switch pause := time.Since(used); { // at most, from the last use to this one
		case a.StatusCode != 200 && pause >= 8*time.Second:
			t.Skipf("SKIPPED: this machine is too busy: %s between two requests", pause)
		case a.StatusCode != 200:
			t.Fatalf("a session that was used %s ago: %d %s", pause, a.StatusCode, a.body)
		}
		used = asks
	}
	select {
	case err := <-e.gone:
		t.Errorf("the stream was ended while its session was used: %v", err)
	default:
	}
	if _, err := io.Copy(io.Discard, res.Body); err == nil {
		t.Error("the stream looks complete")
	}
	if a := do(t, c, w.request("GET", "/idle/?short", nil, token)); a.StatusCode != 401 || !strings.Contains(a.body, "session_idle") {
		t.Errorf("being open was a use: %d %s", a.StatusCode, a.body)
	}
	if a := do(t, c, w.request("GET", "/plain/?short", nil, token)); a.StatusCode != 200 {
		t.Errorf("the connection is of no use any more: %d", a.StatusCode)
	}
}
