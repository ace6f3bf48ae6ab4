package session

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gatehouse-dev/gatehouse/config"
	"github.com/gatehouse-dev/gatehouse/middleware/store"
	"github.com/gatehouse-dev/gatehouse/middleware/store/storetest"
)

// replicas are stores on one Redis, in a time that passes when the test says so:
// what is remembered becomes older instead.
type replicas struct {
	t      *testing.T
	server *storetest.Server
	client store.Client
	stores []*Store
	passed time.Duration
	began  time.Time // a whole second: one login is one, whenever its token is made
}

// newReplicas makes so many replicas, whose clocks all run; the strict idle limit
// is 15m and the lax one an hour.
func newReplicas(t *testing.T, n int) *replicas {
	t.Helper()
	r := &replicas{t: t, server: storetest.Start(t), began: time.Now().Truncate(time.Second)}
	r.client = r.server.Client()
	for range n {
		r.add(r.server.Patient(false))
	}
	return r
}

func (r *replicas) add(redis *store.Redis) *Store {
	s := NewStore(1000, redis)
	for _, c := range []config.Session{strict(), lax()} {
		s.heed(newBounds(&c))
	}
	r.t.Cleanup(func() { _ = s.Close() })
	r.stores = append(r.stores, s)
	return s
}

func strict() config.Session {
	return config.Session{Idle: config.Duration(15 * time.Minute), Max: config.Duration(12 * time.Hour), Touch: true}
}

func lax() config.Session {
	return config.Session{Idle: config.Duration(time.Hour), Max: config.Duration(12 * time.Hour), Touch: true}
}

// pass lets time pass, in whole seconds.
func (r *replicas) pass(d time.Duration) {
	r.t.Helper()
	r.passed += d
	for _, s := range r.stores {
		for i := range s.shards {
			for e := s.shards[i].recent.Front(); e != nil; e = e.Next() {
				e := e.Value.(*entry)
				for _, at := range []*time.Time{&e.auth, &e.start, &e.last, &e.told, &e.shared, &e.forgotten} {
					if !at.IsZero() {
						*at = at.Add(-d)
					}
				}
			}
		}
	}
	for _, key := range r.keys() {
		text := r.client.Get(r.t.Context(), key).Val()
		st, err := decode(text, 0)
		if err != nil {
			r.t.Fatalf("%s: %q: %v", key, text, err)
		}
		for _, at := range []*time.Time{&st.auth, &st.start, &st.last} {
			if !at.IsZero() {
				*at = at.Add(-d)
			}
		}
		if err := r.client.Set(r.t.Context(), key, encode(&st, 0), time.Hour).Err(); err != nil {
			r.t.Fatal(err)
		}
	}
}

func (r *replicas) keys() []string {
	r.t.Helper()
	keys, err := r.client.Keys(r.t.Context(), "*").Result()
	if err != nil {
		r.t.Fatal(err)
	}
	return keys
}

// login is a moment of the test's time that can be told in seconds.
func (r *replicas) login() time.Duration { return r.passed }

// as makes a token issued now, of a user who signed in at a moment; below zero
// the issuer does not tell.
func (r *replicas) as(sid string, at time.Duration) *token {
	now := time.Now()
	t := &token{key: sha256.Sum256([]byte(sid)), issued: now, fresh: now}
	if at >= 0 {
		t.auth = r.began.Add(at - r.passed)
	}
	return t
}

// want asks one of the replicas for a use of the session.
func (r *replicas) want(n int, c config.Session, t *token, want error) {
	r.t.Helper()
	r.wantAt(time.Now(), n, c, t, want)
}

func (r *replicas) wantAt(now time.Time, n int, c config.Session, t *token, want error) {
	r.t.Helper()
	refused, local := r.stores[n].use(context.Background(), t, newBounds(&c).limits, c.Touch, now)
	if local != nil {
		r.t.Fatalf("Redis was not asked: %v", local)
	}
	if !errors.Is(refused, want) {
		r.t.Errorf("replica %d after %s: %v, want %v", n, r.passed, refused, want)
	}
}

// Use of a session on one replica is use on all.
func TestSharedUse(t *testing.T) {
	r := newReplicas(t, 2)
	login := r.login()
	for n := range 10 {
		r.want(n%2, strict(), r.as("s1", login), nil)
		r.pass(14 * time.Minute)
	}
	// The other one knows of a use two pauses ago, until it asks.
	r.want(0, strict(), r.as("s1", login), nil)
	r.pass(10 * time.Minute)
	r.want(0, strict(), r.as("s1", login), nil)
	r.pass(10 * time.Minute)
	r.want(1, strict(), r.as("s1", login), nil)
}

// A session that died is dead on all replicas, refreshed or not, until its user
// signs in anew; then it lives on all, for older tokens too.
func TestSharedDeath(t *testing.T) {
	for _, told := range []bool{true, false} {
		r := newReplicas(t, 3)
		login := r.login()
		if !told {
			login = -1
		}
		r.want(0, strict(), r.as("s1", login), nil)
		r.pass(16 * time.Minute)
		r.want(0, strict(), r.as("s1", login), errIdle)
		r.want(1, strict(), r.as("s1", login), errIdle) // it has never seen the session
		r.pass(time.Hour)
		r.want(2, lax(), r.as("s1", login), errIdle)
		anew := r.login()
		r.want(1, strict(), r.as("s1", anew), nil)
		r.pass(again)
		r.want(0, strict(), r.as("s1", login), nil)
		r.want(2, strict(), r.as("s1", login), nil)
	}
}

// A pause that only one replica has seen, and a route there allowed, is too long
// for a stricter route everywhere.
func TestSharedPause(t *testing.T) {
	r := newReplicas(t, 2)
	login := r.login()
	r.want(1, strict(), r.as("s1", login), nil)
	r.want(0, lax(), r.as("s1", login), nil)
	r.pass(30 * time.Minute)
	r.want(0, lax(), r.as("s1", login), nil)
	r.pass(time.Minute)
	r.want(1, strict(), r.as("s1", login), errIdle)
	r.want(1, lax(), r.as("s1", login), nil)
	r.want(0, strict(), r.as("s1", login), errIdle)
}

// Without auth_time the session began with its first token, on whichever replica
// that was.
func TestSharedMax(t *testing.T) {
	r := newReplicas(t, 2)
	for n := range 72 {
		r.want(n%2, strict(), r.as("s1", -1), nil)
		r.pass(10 * time.Minute)
	}
	r.pass(time.Minute) // what the answer of Redis took is not known, and what it says seems later by as much
	r.want(0, strict(), r.as("s1", -1), errExpired)
	r.want(1, strict(), r.as("s1", -1), errExpired)
	r.want(r.third(), strict(), r.as("s1", -1), errExpired)
}

// third adds a replica that knows nothing.
func (r *replicas) third() int {
	r.add(r.server.Patient(false))
	return len(r.stores) - 1
}

// What Redis forgets it is told again by whoever knows.
func TestRedisForgets(t *testing.T) {
	r := newReplicas(t, 2)
	login := r.login()
	r.want(0, strict(), r.as("s1", login), nil)
	r.pass(16 * time.Minute)
	r.server.Kill()
	r.server.Start()
	r.want(0, strict(), r.as("s1", login), errIdle)
	r.want(1, strict(), r.as("s1", login), errIdle)
}

// Most requests are answered without Redis.
func TestRedisIsSeldomAsked(t *testing.T) {
	r := newReplicas(t, 0)
	redis := r.server.Patient(false)
	r.add(redis)
	login := r.login()
	now := time.Now() // for all requests: how long they take says nothing of when Redis is due
	asked := func(what string, want int64) {
		t.Helper()
		if n := redis.Asked(); n != want {
			t.Errorf("%s: Redis was asked %d times, want %d", what, n, want)
		}
	}
	for range 1000 {
		r.wantAt(now, 0, strict(), r.as("s1", login), nil)
	}
	asked("a thousand requests at once", 1)
	quiet := lax()
	quiet.Touch = false
	for range 60 { // ten minutes
		r.pass(10 * time.Second)
		r.wantAt(now, 0, strict(), r.as("s1", login), nil)
		r.wantAt(now, 0, quiet, r.as("s1", login), nil)
	}
	asked("ten minutes of use", 1+20)
	r.pass(16 * time.Minute)
	for range 100 {
		r.wantAt(now, 0, strict(), r.as("s1", login), errIdle)
	}
	asked("a dead session", 1+20+1)
	for range 100 {
		r.wantAt(now, 0, strict(), r.as("s1", r.login()), nil)
	}
	asked("a new login", 1+20+1+1)
}

// Nothing stays in Redis for good, and nothing there says whose it is.
func TestRedisKeys(t *testing.T) {
	r := newReplicas(t, 1)
	for i := range 20 {
		r.want(0, strict(), r.as(fmt.Sprint("sid-of-", i), r.login()), nil)
	}
	keys := r.keys()
	if len(keys) != 20 {
		t.Errorf("%d keys", len(keys))
	}
	for _, k := range keys {
		if ttl := r.client.PTTL(t.Context(), k).Val(); ttl <= 0 || ttl > keep {
			t.Errorf("%s goes in %s", k, ttl)
		}
		if v := r.client.Get(t.Context(), k).Val(); strings.Contains(k+v, "sid") || !strings.HasPrefix(k, "gatehouse:session:") {
			t.Errorf("%s: %s", k, v)
		}
	}
}

// What somebody else has written under the key is none of ours, and no reason to
// leave Redis alone.
func TestForeignState(t *testing.T) {
	r := newReplicas(t, 1)
	tok := r.as("s1", r.login())
	r.want(0, strict(), tok, nil)
	key := r.keys()[0]
	for _, text := range []string{"x", "2 0 0 0 0", "1 0 0 0", "1 0 0 0 x", "1 0 0 0 99999999999999999999"} {
		r.pass(0)
		if err := r.client.Set(t.Context(), key, text, time.Minute).Err(); err != nil {
			t.Fatal(err)
		}
		s := r.add(r.server.Patient(false))
		refused, local := s.use(t.Context(), tok, limits{15 * time.Minute, unbounded}, true, time.Now())
		if refused != nil || !errors.Is(local, errState) {
			t.Errorf("%q: refused %v, local %v", text, refused, local)
		}
		if err := s.shared.redis.Ready(t.Context()); err != nil {
			t.Errorf("%q: %v", text, err)
		}
		r.client.Del(t.Context(), key)
	}
}

// A Redis that is frozen holds up a request in so many, by the store's bound;
// the others are judged by what is known here.
func TestRedisFrozen(t *testing.T) {
	r := newReplicas(t, 0)
	redis := r.server.Open()
	s := r.add(redis)
	ask := func(sid string) (refused, local error) {
		return s.use(t.Context(), r.as(sid, 0), limits{15 * time.Minute, 12 * time.Hour}, true, time.Now())
	}
	refused, _ := ask("s1")
	if refused != nil {
		t.Fatal(refused)
	}
	r.pass(14 * time.Minute)
	r.server.Freeze()
	defer r.server.Thaw()
	before := redis.Asked()
	for i := range 2000 {
		sid := "s1"
		if i%2 == 1 {
			sid = fmt.Sprint("new", i)
		}
		if refused, local := ask(sid); refused != nil || sid != "s1" && local == nil {
			t.Fatalf("request %d: refused %v, local %v", i, refused, local)
		}
	}
	if n := redis.Asked() - before; n == 0 || n > 20 {
		t.Errorf("a frozen Redis was asked %d times", n)
	}
}

// Replicas that write at once lose nothing of what the others say.
func TestSharedAtOnce(t *testing.T) {
	r := newReplicas(t, 4)
	anew := 5 * time.Second
	r.pass(anew)
	for i := range 20 {
		sid := fmt.Sprint(i)
		var wg sync.WaitGroup
		for n := range r.stores {
			for g := range 3 {
				wg.Go(func() {
					login := time.Duration(0)
					if n == 2 && g == 1 {
						login = anew
					}
					r.want(n, strict(), r.as(sid, login), nil)
				})
			}
		}
		wg.Wait()
	}
	r.pass(time.Minute) // so that all tell what they know
	for i := range 20 {
		for n := range r.stores {
			r.want(n, strict(), r.as(fmt.Sprint(i), 0), nil)
		}
	}
	for _, key := range r.keys() {
		st, err := decode(r.client.Get(t.Context(), key).Val(), 0)
		if want := r.as("", anew).auth; err != nil || st.auth.Sub(want).Abs() > time.Second {
			t.Errorf("the new login is lost: %v, want %v, %v", st.auth, want, err)
		}
	}
}

// The script touches one key, so a cluster runs it too. Several addresses are a
// cluster, here one node named twice.
func TestRedisCluster(t *testing.T) {
	r := newReplicas(t, 0)
	r.server.Kill()
	_, bus, _ := net.SplitHostPort(storetest.FreeAddress(t))
	r.server.Start("--cluster-enabled", "yes", "--cluster-port", bus)
	if err := r.client.Do(t.Context(), "CLUSTER", "ADDSLOTSRANGE", 0, 16383).Err(); err != nil {
		t.Fatal(err)
	}
	for range 6000 {
		if strings.Contains(r.client.ClusterInfo(t.Context()).Val(), "cluster_state:ok") {
			break
		}
		time.Sleep(10 * time.Millisecond)
	}
	r.add(r.server.Patient(true))
	r.add(r.server.Patient(true))
	for i := range 10 {
		r.want(0, strict(), r.as(fmt.Sprint(i), 0), nil)
	}
	r.pass(16 * time.Minute)
	for i := range 10 {
		r.want(1, strict(), r.as(fmt.Sprint(i), 0), errIdle)
	}
}

// Whatever happens where: who is active is served, and nobody lives longer than
// the limit and the lag. What one store in memory says with the limit, and with
// limit and lag, bounds what the replicas may.
func TestSharedModel(t *testing.T) {
	for seed := range uint64(50) {
		rnd := rand.New(rand.NewPCG(seed, 7))
		r := newModel(t, 3)
		slack := time.Duration(r.stores[0].lag.Load()) + time.Second
		logins := []time.Duration{r.login()}
		for step := range 60 {
			r.pass(time.Duration([]int{0, 1, 7, 20, 45, 120, 600, 840, 890, 935, 1500, 3700}[rnd.IntN(12)]) * time.Second)
			if rnd.IntN(12) == 0 {
				r.pass(2 * again) // or a replica might not ask again so soon
				logins = append(logins, r.login())
			}
			login := logins[max(0, len(logins)-1-rnd.IntN(2))]
			c := []config.Session{strict(), strict(), lax()}[rnd.IntN(3)]
			c.Touch = rnd.IntN(4) > 0
			n := rnd.IntN(3)
			now, tok := time.Now(), r.as("s", login)
			ask := func(n int, extra time.Duration) error {
				l := newBounds(&c).limits
				l.idle += extra
				refused, local := r.stores[n].use(t.Context(), tok, l, c.Touch, now)
				if local != nil {
					t.Fatal(local)
				}
				return refused
			}
			atMost, got, atLeast := ask(4, slack), ask(n, 0), ask(3, 0)
			if atLeast == nil && got != nil || atMost != nil && got == nil {
				t.Fatalf("seed %d step %d after %s: replica %d says %v; in memory: %v, and with the lag %v", seed, step, r.passed, n, got, atLeast, atMost)
			}
		}
	}
}

// newModel makes replicas, and behind them two stores that share nothing.
func newModel(t *testing.T, n int) *replicas {
	r := newReplicas(t, n)
	for range 2 {
		r.add(nil)
	}
	return r
}
