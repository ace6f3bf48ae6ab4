package main

import (
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/gatehouse-dev/gatehouse/middleware/store/storetest"
)

// pair is two replicas with one Redis, an issuer and a backend.
type pair struct {
	t      testing.TB
	redis  *storetest.Server
	signer *signer
	one    *replica
	two    *replica
	rows   []row // of the table of measured times
}

// row is how long something took, each time it was done.
type row struct {
	what  string
	times []time.Duration
}

func newPair(t testing.TB) *pair {
	t.Helper()
	p := &pair{t: t, redis: storetest.Start(t), signer: newSigner(t)}
	backend := httptest.NewServer(http.HandlerFunc(events))
	t.Cleanup(backend.Close)
	settings := `
upstreams:
  hr: {endpoints: ["` + backend.URL + `"]}
store: {redis: {addresses: ["` + p.redis.Addr + `"]}, folder: state}
timeouts: {drain: 1s}
routes:
  - {name: api, match: {path: /api/}, upstream: hr, authn: {issuers: [auth]}, policy: off}
  - {name: stream, match: {path: /stream/}, upstream: hr, authn: {issuers: [auth]}, policy: off}
`
	p.one, p.two = newReplica(t, p.signer, settings), newReplica(t, p.signer, settings)
	return p
}

// both wants the same verdict on a token of both replicas.
func (p *pair) both(when, token, want string) {
	p.t.Helper()
	for name, r := range map[string]*replica{"first": p.one, "second": p.two} {
		if got := r.get(token); got != want {
			p.t.Errorf("%s, on the %s: %s, want %s", when, name, got, want)
		}
	}
}

// until waits until a replica refuses a token, and says when.
func (p *pair) until(what string, r *replica, token string) time.Time {
	p.t.Helper()
	eventually(p.t, what, func() bool { return r.get(token) == revoked })
	return time.Now()
}

func (p *pair) measured(what string, took ...time.Duration) {
	p.rows = append(p.rows, row{what, took})
}

// table prints how long things took. It is for people: a machine may be busy.
func (p *pair) table() {
	p.t.Logf("%-62s %5s %9s %9s", "from … to …", "times", "median", "most")
	for _, r := range p.rows {
		slices.Sort(r.times)
		p.t.Logf("%-62s %5d %9s %9s", r.what, len(r.times), r.times[len(r.times)/2].Round(100*time.Microsecond), r.times[len(r.times)-1].Round(100*time.Microsecond))
	}
}

const revoked = "401 session_revoked"

// What is revoked on one replica is refused on all, streams included, whatever
// becomes of the replicas and of what they share.
func TestRevokedOnEveryReplica(t *testing.T) {
	p := newPair(t)
	defer p.table()
	token, other := p.signer.token("s1"), p.signer.token("s2")
	p.both("before", token, "200")
	stream, spared := p.two.stream(token), p.two.stream(other)

	begun := time.Now()
	code, said := p.one.revoke("--issuer", "auth", "--sid", "s1", "--reason", "a lost phone")
	done := time.Now()
	if !given(code, said) {
		t.Fatalf("revoke: %d %s", code, said)
	}
	if got := p.one.get(token); got != revoked {
		t.Errorf("where it was revoked: %s", got)
	}
	seen := p.until("the other replica refuses", p.two, token)
	p.measured("`gatehouse revoke` begun: ended", done.Sub(begun))
	p.measured("`gatehouse revoke` begun: refused on the other replica", seen.Sub(begun))
	select {
	case end := <-stream:
		if end.err == nil {
			t.Error("the stream of the session seems complete; it must be cut")
		}
		p.measured("`gatehouse revoke` begun: a stream on the other replica cut", end.at.Sub(begun))
	case <-time.After(30 * time.Second):
		t.Error("the stream of the session goes on")
	}
	p.both("a token that was refreshed", p.signer.token("s1"), revoked)
	p.both("another session", other, "200")
	p.many()
	select {
	case end := <-spared:
		t.Errorf("the stream of another session has ended: %v", end.err)
	default:
	}

	p.one.restart()
	p.two.restart()
	p.both("after restarts", token, revoked)
	p.both("another session, after restarts", other, "200")
}

// many revokes session after session on one replica and watches the other.
func (p *pair) many() {
	p.t.Helper()
	var took []time.Duration
	for range 20 {
		token := p.signer.token("many")
		sid := "many " + token[len(token)-20:]
		token = p.signer.token(sid)
		if got := p.two.get(token); got != "200" {
			p.t.Fatalf("before: %s", got)
		}
		begun := time.Now()
		p.one.order(map[string]string{"issuer": "auth", "sid": sid})
		took = append(took, p.until("the other replica refuses", p.two, token).Sub(begun))
	}
	p.measured("admin API asked: refused on the other replica", took...)
}

// Redis hangs: everybody is served, and who revokes learns that other replicas
// do not know yet. They learn when it goes on.
func TestRevokedWhileRedisHangs(t *testing.T) {
	p := newPair(t)
	defer p.table()
	token, other := p.signer.token("s1"), p.signer.token("s2")
	p.both("before", token, "200")
	p.redis.Freeze()
	p.both("while Redis hangs", token, "200")

	begun := time.Now()
	code, said := p.one.revoke("--issuer", "auth", "--sid", "s1")
	p.measured("Redis hangs: `gatehouse revoke`", time.Since(begun))
	if code != exitWrong || !strings.Contains(said, "does not have it yet") {
		t.Errorf("revoke: %d %s", code, said)
	}
	if got := p.one.get(token); got != revoked {
		t.Errorf("where it was revoked: %s", got)
	}
	if got := p.two.get(token); got != "200" {
		t.Errorf("a replica that cannot know: %s", got)
	}
	var took []time.Duration
	for range 50 {
		begun := time.Now()
		p.both("another session", other, "200")
		took = append(took, time.Since(begun))
	}
	p.measured("Redis hangs: a request to each replica", took...)

	p.redis.Thaw()
	begun = time.Now()
	p.measured("Redis goes on: refused on the other replica", p.until("the other replica learns of it", p.two, token).Sub(begun))
}

// Redis dies with all that it knew. The replicas know, tell the new one, and so
// learn from each other again; and each knows by itself when it starts.
func TestRevokedWhenRedisForgets(t *testing.T) {
	p := newPair(t)
	defer p.table()
	first, second, other := p.signer.token("s1"), p.signer.token("s2"), p.signer.token("s3")
	if code, said := p.one.revoke("--issuer", "auth", "--sid", "s1"); !given(code, said) {
		t.Fatalf("revoke: %d %s", code, said)
	}
	p.until("the other replica refuses", p.two, first)

	p.redis.Kill()
	p.both("without Redis", first, revoked)
	p.both("another session, without Redis", other, "200")
	if code, said := p.two.revoke("--issuer", "auth", "--sid", "s2"); code != exitWrong {
		t.Errorf("revoke without Redis: %d %s", code, said)
	}

	p.redis.Start()
	begun := time.Now()
	p.measured("Redis is back, empty: what it missed refused on the other", p.until("the other replica learns what Redis missed", p.one, second).Sub(begun))
	p.both("Redis is back, empty", first, revoked)

	p.redis.Kill() // what a replica knows at its start now is in its folder
	p.one.restart()
	p.two.restart()
	p.both("after restarts", first, revoked)
	p.both("after restarts, the second", second, revoked)
	p.both("another session, after restarts", other, "200")
}
