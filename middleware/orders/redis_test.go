package orders

import (
	"context"
	"fmt"
	"io"
	"net"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	goredis "github.com/redis/go-redis/v9"

	"github.com/gatehouse-dev/gatehouse/middleware/middlewaretest"
	"github.com/gatehouse-dev/gatehouse/middleware/store"
	"github.com/gatehouse-dev/gatehouse/middleware/store/storetest"
)

var eventually = middlewaretest.Eventually

// replica opens a Book as one more gateway with the same Redis does.
func replica(t testing.TB, s Settings, r *store.Redis) *Book {
	t.Helper()
	if s.Keep == 0 {
		s.Keep = 30 * day
	}
	b, err := Open(s, r)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = b.Close() })
	return b
}

func knows(b *Book, id string) func() bool {
	return func() bool {
		return slices.ContainsFunc(b.List(), func(o Order) bool { return o.ID == id })
	}
}

func misses(b *Book, id string) func() bool { return func() bool { return !knows(b, id)() } }

func tenant(name string) Order { return Order{Kind: Revocation, Tenant: name} }

func end(t testing.TB, b *Book, id string) {
	t.Helper()
	if _, err := b.Lift(t.Context(), id, "admin", ""); err != nil {
		t.Fatal(err)
	}
}

// settled waits until Redis has all that a Book knows.
func settled(t testing.TB, b *Book) {
	t.Helper()
	eventually(t, "everything is shared", func() bool {
		b.mu.Lock()
		defer b.mu.Unlock()
		return len(b.unshared) == 0
	})
}

// What one replica is told holds on the other, in both directions, and so does
// its end.
func TestReplicas(t *testing.T) {
	for _, cluster := range []bool{false, true} {
		t.Run(fmt.Sprintf("cluster=%t", cluster), func(t *testing.T) {
			s := storetest.Start(t)
			if cluster {
				clustered(t, s)
			}
			a, b := replica(t, Settings{}, s.Patient(cluster)), replica(t, Settings{}, s.Patient(cluster))
			for _, pair := range [][2]*Book{{a, b}, {b, a}} {
				here, there := pair[0], pair[1]
				tok := token(func(t *Token) { t.SID = "session" })
				changed := there.Changed()
				o, shared, err := here.Give(t.Context(), Order{Kind: Revocation, Issuer: "a", SID: "session", By: "admin"})
				if err != nil || !shared || here.Revoked(tok) == nil {
					t.Fatal(shared, err)
				}
				eventually(t, "revoked there", func() bool { return there.Revoked(tok) != nil })
				<-changed
				if got := there.List(); len(got) != 1 || got[0].ID != o.ID || got[0].By != "admin" {
					t.Errorf("%+v", got)
				}
				end(t, there, o.ID)
				eventually(t, "lifted here", func() bool { return here.Revoked(tok) == nil })
				if here.Trouble() != nil || there.Trouble() != nil {
					t.Error(here.Trouble(), there.Trouble())
				}
			}
		})
	}
}

// clustered makes a cluster of one server.
func clustered(t *testing.T, s *storetest.Server) {
	t.Helper()
	s.Kill()
	// Its bus would be at a port 10000 above, which there may not be.
	_, bus, _ := net.SplitHostPort(storetest.FreeAddress(t))
	s.Start("--cluster-enabled", "yes", "--cluster-port", bus)
	c := s.Client()
	slots := make([]int, 16384)
	for i := range slots {
		slots[i] = i
	}
	if err := c.ClusterAddSlots(t.Context(), slots...).Err(); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the cluster is there", func() bool {
		return strings.Contains(c.ClusterInfo(t.Context()).Val(), "cluster_state:ok")
	})
}

// One poll brings the news: nothing but the poll has to happen.
func TestOnePoll(t *testing.T) {
	s := storetest.Start(t)
	a, b := replica(t, Settings{}, s.Patient(false)), still(t, s.Patient(false))
	o := give(t, a, tenant("t"))
	if knows(b, o.ID)() {
		t.Fatal("it knows before it asked")
	}
	b.turn(t.Context())
	if !knows(b, o.ID)() {
		t.Error("it does not know after it asked")
	}
}

// still is a Book that asks Redis only when the test says so.
func still(t testing.TB, r *store.Redis) *Book {
	t.Helper()
	b, err := read(Settings{Keep: 30 * day})
	if err != nil {
		t.Fatal(err)
	}
	b.Use(b.settings, r)
	return b
}

// A replica that comes later learns everything, many pages of it.
func TestLatecomer(t *testing.T) {
	s := storetest.Start(t)
	a := replica(t, Settings{}, s.Patient(false))
	const n = 2*pageLength + 7
	var wg sync.WaitGroup
	for i := range 8 {
		wg.Go(func() {
			for j := i; j < n; j += 8 {
				give(t, a, tenant(fmt.Sprint(j)))
			}
		})
	}
	wg.Wait()
	b := still(t, s.Patient(false))
	b.turn(t.Context())
	if got := len(b.List()); got != n {
		t.Errorf("%d of %d", got, n)
	}
	settled(t, a)
}

// A Redis that forgets everything, while it runs or by a restart, is told again
// by whoever knows, each once.
func TestForgetfulRedis(t *testing.T) {
	for name, forget := range map[string]func(*storetest.Server){
		"flushed":   func(s *storetest.Server) { s.Client().FlushAll(t.Context()) },
		"restarted": func(s *storetest.Server) { s.Kill(); s.Start() },
		"failed over to one that missed the last": func(s *storetest.Server) {
			c := s.Client()
			lost, err := c.XRevRangeN(t.Context(), stream, "+", "-", 5).Result()
			if err != nil || len(lost) != 5 {
				t.Fatal(len(lost), err)
			}
			for _, e := range lost {
				c.XDel(t.Context(), stream, e.ID)
			}
		},
		"emptied, and somebody wrote": func(s *storetest.Server) {
			c := s.Client()
			c.Del(t.Context(), stream)
			c.XAdd(t.Context(), &goredis.XAddArgs{Stream: stream, Values: []any{"order", "?"}})
		},
	} {
		t.Run(name, func(t *testing.T) {
			s := storetest.Start(t)
			a, b := replica(t, Settings{}, s.Open()), replica(t, Settings{}, s.Open())
			const n = 3 * batch / 2
			var last Order
			for i := range n {
				last = give(t, a, tenant(fmt.Sprint(i)))
			}
			gone := give(t, a, tenant("gone"))
			end(t, a, gone.ID)
			eventually(t, "b knows", func() bool { return len(b.List()) == n })
			settled(t, a)
			settled(t, b)
			forget(s)
			fresh := func() *Book {
				c := still(t, s.Patient(false))
				c.turn(t.Context())
				return c
			}
			eventually(t, "all is back", func() bool { return len(fresh().List()) == n })
			end(t, b, last.ID)
			eventually(t, "a hears of a lift", misses(a, last.ID))
			eventually(t, "nothing is twice", func() bool {
				settled(t, a)
				settled(t, b)
				ids := map[string]int{}
				all, err := s.Client().XRange(t.Context(), stream, "-", "+").Result()
				if err != nil {
					return false
				}
				for _, e := range all {
					if r, err := decode([]byte(e.Values["order"].(string))); err == nil && r.Order != nil {
						if ids[r.Order.ID]++; ids[r.Order.ID] > 1 {
							t.Fatal("the same order was put back twice")
						}
					}
				}
				return len(ids) >= n-1
			})
			if knows(fresh(), gone.ID)() {
				t.Error("what was lifted is back")
			}
		})
	}
}

// A replica that was away when an order was lifted does not bring it back, nor
// where Redis has forgotten both.
func TestLiftedWhileAway(t *testing.T) {
	s := storetest.Start(t)
	a, away := still(t, s.Patient(false)), still(t, s.Patient(false))
	for _, o := range []Order{tenant("t"), {Kind: Lockdown, All: true}} {
		given := give(t, a, o)
		away.turn(t.Context())
		if !knows(away, given.ID)() {
			t.Fatal("it never knew")
		}
		end(t, a, given.ID)
		s.Client().FlushAll(t.Context())
		away.turn(t.Context()) // finds Redis empty and puts everything back
		if !knows(away, given.ID)() {
			t.Fatal("nobody could have told it")
		}
		eventually(t, "it hears of the lift", func() bool {
			a.turn(t.Context())
			away.turn(t.Context())
			return misses(away, given.ID)()
		})
		eventually(t, "all agree", func() bool {
			fresh := still(t, s.Patient(false))
			fresh.turn(t.Context())
			fresh.mu.Lock()
			known := fresh.entries[given.ID] != nil
			fresh.mu.Unlock()
			return known && !knows(fresh, given.ID)()
		})
		if knows(a, given.ID)() {
			t.Error("it came back")
		}
	}
}

// Orders are given and lifted without Redis, at once, and shared when it is there.
func TestRedisDown(t *testing.T) {
	for name, tt := range map[string]struct{ down, up func(*storetest.Server) }{
		"frozen": {(*storetest.Server).Freeze, (*storetest.Server).Thaw},
		"killed": {(*storetest.Server).Kill, func(s *storetest.Server) { s.Start() }},
	} {
		t.Run(name, func(t *testing.T) {
			s := storetest.Start(t)
			a, b := replica(t, Settings{Closed: true}, s.Open()), replica(t, Settings{}, s.Open())
			before := give(t, a, tenant("before"))
			eventually(t, "b knows", knows(b, before.ID))
			tt.down(s)
			o, shared, err := a.Give(t.Context(), tenant("t"))
			if err != nil || shared || !knows(a, o.ID)() {
				t.Errorf("without Redis: shared %t, %v", shared, err)
			}
			if shared, err := a.Lift(t.Context(), before.ID, "admin", ""); err != nil || shared || knows(a, before.ID)() {
				t.Errorf("lift without Redis: shared %t, %v", shared, err)
			}
			eventually(t, "a tells", func() bool {
				err := a.Trouble()
				return err != nil && strings.Contains(err.Error(), "2 orders are not shared yet")
			})
			eventually(t, "a is stale", func() bool { return a.Stale() != nil })
			if b.Stale() != nil {
				t.Error("b is open")
			}
			tt.up(s)
			eventually(t, "b knows the order", knows(b, o.ID))
			eventually(t, "b knows the lift", misses(b, before.ID))
			eventually(t, "a is well", func() bool { return a.Stale() == nil && a.Trouble() == nil })
		})
	}
}

// A Redis that is not there at start is no reason not to start.
func TestRedisDownAtStart(t *testing.T) {
	s := storetest.Start(t)
	s.Kill()
	a := replica(t, Settings{Closed: true}, s.Open())
	if a.Stale() == nil {
		t.Error("it cannot know what others were told")
	}
	o := give(t, a, tenant("t"))
	s.Start()
	eventually(t, "it knows", func() bool { return a.Stale() == nil })
	b := still(t, s.Patient(false))
	eventually(t, "it is shared", func() bool { b.turn(t.Context()); return knows(b, o.ID)() })
}

// What is in Redis may be anything.
func TestGarbage(t *testing.T) {
	s := storetest.Start(t)
	c := s.Client()
	for _, v := range []any{
		[]any{"order", ""},
		[]any{"order", "{}"},
		[]any{"order", `{"order":{"id":"A","kind":"revocation","tenant":"t","at":"2026-01-01T00:00:00Z"}}`},
		[]any{"order", `{"order":{"id":"B","kind":"lockdown","all":true,"at":"2026-01-01T00:00:00Z","but":1}}`},
		[]any{"order", `{"order":{"id":"../C","kind":"lockdown","all":true,"at":"2026-01-01T00:00:00Z"}}`},
		[]any{"order", `{"order":{"id":"D","kind":"lockdown","all":true,"at":"2026-01-01T00:00:00Z"}}{}`},
		[]any{"order", `{"order":{"id":"E","kind":"lockdown","at":"2026-01-01T00:00:00Z"}}`},
		[]any{"order", `{"lift":{"id":"F"}}`},
		[]any{"order", strings.Repeat("x", 8<<20)},
		[]any{"other", "x"},
		[]any{"order", "x", "other", "x"},
	} {
		if err := c.XAdd(t.Context(), &goredis.XAddArgs{Stream: stream, Values: v}).Err(); err != nil {
			t.Fatal(err)
		}
	}
	p, err := newScripts().readFrom(t.Context(), s.Patient(false), "")
	if err != nil || len(p.ids) != 11 || len(strings.Join(p.values, "")) > maxRecord {
		t.Errorf("%d entries with %d bytes, %v", len(p.ids), len(strings.Join(p.values, "")), err)
	}
	a, b := replica(t, Settings{}, s.Patient(false)), replica(t, Settings{}, s.Patient(false))
	if err := a.Trouble(); err == nil || !strings.Contains(err.Error(), "11 entries of the store are left out") {
		t.Errorf("%v", err)
	}
	o := give(t, a, tenant("t"))
	eventually(t, "b knows", knows(b, o.ID))
	if got := b.List(); len(got) != 1 {
		t.Errorf("%+v", got)
	}
}

// Somebody else's key makes trouble for orders and for nobody else.
func TestWrongType(t *testing.T) {
	s := storetest.Start(t)
	if err := s.Client().Set(t.Context(), stream, "x", 0).Err(); err != nil {
		t.Fatal(err)
	}
	r := s.Patient(false)
	a := replica(t, Settings{}, r)
	o, shared, err := a.Give(t.Context(), tenant("t"))
	if err != nil || shared || a.Trouble() == nil {
		t.Error(shared, err, a.Trouble())
	}
	if err := r.Ready(t.Context()); err != nil {
		t.Errorf("the store is left alone: %v", err)
	}
	s.Client().Del(t.Context(), stream)
	b := replica(t, Settings{}, s.Patient(false))
	eventually(t, "b knows", knows(b, o.ID))
}

// Expired orders leave Redis, an hour later, and take nothing along that holds.
func TestTrimmed(t *testing.T) {
	s := storetest.Start(t)
	a := still(t, s.Patient(false))
	past := time.Now().Add(-2 * time.Hour).UTC()
	kept := func(id string, until time.Time) Order {
		return Order{ID: id, Kind: Lockdown, Route: id, At: past.Add(-time.Hour), Until: until}
	}
	for _, o := range []Order{
		kept("forever", time.Time{}), kept("long", past), kept("lately", time.Now().Add(-time.Minute)),
		kept("later", time.Now().Add(time.Hour)), kept("newest", past),
	} {
		line, err := record{Order: &o}.encode()
		if err != nil {
			t.Fatal(err)
		}
		if err := add(t.Context(), s.Patient(false), trimmed(line)); err != nil {
			t.Fatal(err)
		}
	}
	stored := func() (out []string) {
		all, err := s.Client().XRange(t.Context(), stream, "-", "+").Result()
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range all {
			r, err := decode([]byte(e.Values["order"].(string)))
			if err != nil {
				t.Fatal(err)
			}
			if r.Order == nil {
				out = append(out, "lift of "+r.Lift.ID)
			} else {
				out = append(out, r.Order.ID)
			}
		}
		return out
	}
	a.turn(t.Context())
	a.sweep(t.Context())
	if got := stored(); !slices.Equal(got, []string{"forever", "lately", "later", "newest"}) {
		t.Errorf("%q", got)
	}
	if got := a.List(); len(got) != 2 {
		t.Errorf("%v", got)
	}
	end(t, a, "forever")
	a.turn(t.Context())
	a.sweep(t.Context())
	if got := stored(); !slices.Equal(got, []string{"forever", "lately", "later", "lift of forever"}) {
		t.Errorf("%q", got)
	}
	a.turn(t.Context())
	if err := a.Trouble(); err != nil {
		t.Error(err)
	}
}

// Another store is told everything.
func TestUse(t *testing.T) {
	first, second := storetest.Start(t), storetest.Start(t)
	a := replica(t, Settings{}, first.Patient(false))
	o := give(t, a, tenant("t"))
	settled(t, a)
	a.Use(Settings{Keep: day, Closed: true}, second.Patient(false))
	b := replica(t, Settings{}, second.Patient(false))
	eventually(t, "the other store knows", knows(b, o.ID))
	eventually(t, "and says so", func() bool { return a.Stale() == nil })
	a.Use(Settings{Keep: day, Closed: true}, nil)
	if next := give(t, a, tenant("u")); next.Until.Sub(next.At) > day || a.Stale() != nil {
		t.Errorf("%+v %v", next, a.Stale())
	}
}

// Many give and lift on many replicas at once, and all come to the same.
func TestManyGivers(t *testing.T) {
	s := storetest.Start(t)
	var books []*Book
	for range 3 {
		books = append(books, replica(t, Settings{File: t.TempDir() + "/orders.json"}, s.Patient(false)))
	}
	var wg, waiting sync.WaitGroup
	done := make(chan struct{})
	for g := range 12 {
		b := books[g%len(books)]
		wg.Go(func() {
			for i := range 20 {
				name := fmt.Sprint(g, "-", i)
				tok := token(func(t *Token) { t.Tenant = name })
				o := give(t, b, tenant(name))
				if b.Revoked(tok) == nil {
					t.Error("it does not hold at once")
				}
				if i%2 == 0 {
					end(t, b, o.ID)
				}
			}
		})
		waiting.Go(func() {
			for {
				select {
				case <-b.Changed():
					b.Locked("r", "t", nil)
				case <-done:
					return
				}
			}
		})
		if g == 6 {
			wg.Go(func() { s.Client().FlushAll(t.Context()) })
		}
	}
	wg.Wait() // on the way there may be as many too
	for _, b := range books {
		settled(t, b)
		eventually(t, "all know the same, and count it", func() bool { return len(b.List()) == 120 && b.view.Load().count[byTenant] == 120 })
	}
	close(done)
	waiting.Wait()
}

// What others ask Redis in vain, for it has no room left or they may not, does not
// keep orders from being known: their failures are not ours.
func TestOthersFail(t *testing.T) {
	s := storetest.Start(t)
	if err := s.Client().LPush(t.Context(), "of another type", "x").Err(); err != nil {
		t.Fatal(err)
	}
	r := s.Patient(false)
	a, b := replica(t, Settings{}, s.Patient(false)), replica(t, Settings{Closed: true}, r)
	stop := make(chan struct{})
	var others sync.WaitGroup
	failed := make(chan struct{}, 1)
	others.Go(func() {
		for {
			err := r.Do(t.Context(), func(ctx context.Context, c store.Client) error { return c.Get(ctx, "of another type").Err() })
			if err != nil {
				select {
				case failed <- struct{}{}:
				default:
				}
			}
			select {
			case <-stop:
				return
			case <-time.After(time.Millisecond):
			}
		}
	})
	defer others.Wait()
	defer close(stop)
	<-failed
	eventually(t, "Redis is left alone by the others for seconds", func() bool { return r.Wait() > 3*time.Second })
	o := give(t, a, tenant("t"))
	eventually(t, "it is known there", knows(b, o.ID))
	if err := b.Stale(); err != nil {
		t.Error(err)
	}
}

// A Redis that breaks off while it tells a latecomer what there is, is asked on
// before anybody is served.
func TestBreaksOff(t *testing.T) {
	s := storetest.Start(t)
	a := replica(t, Settings{}, s.Patient(false))
	const n = 3*pageLength + 7
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for range n / 8 {
				give(t, a, tenant("t"))
			}
		})
	}
	wg.Wait()
	client := goredis.NewClient(&goredis.Options{Addr: s.Addr, ReadTimeout: time.Minute, MaxRetries: -1})
	client.AddHook(&brittle{every: 2})
	r := store.With(client, time.Minute)
	t.Cleanup(func() { _ = r.Close() })
	if got, want := len(replica(t, Settings{}, r).List()), len(a.List()); got != want {
		t.Errorf("it opens with %d of %d orders", got, want)
	}
}

// brittle is a connection that breaks at every such script.
type brittle struct {
	every int
	n     atomic.Int64
}

func (b *brittle) DialHook(next goredis.DialHook) goredis.DialHook { return next }

func (b *brittle) ProcessPipelineHook(next goredis.ProcessPipelineHook) goredis.ProcessPipelineHook {
	return next
}

func (b *brittle) ProcessHook(next goredis.ProcessHook) goredis.ProcessHook {
	return func(ctx context.Context, cmd goredis.Cmder) error {
		if cmd.Name() == "evalsha" && b.n.Add(1)%int64(b.every) == 0 {
			cmd.SetErr(io.ErrUnexpectedEOF)
			return io.ErrUnexpectedEOF
		}
		return next(ctx, cmd)
	}
}

// A Redis that has no room, or lets nobody write, is read all the same: what it has
// is known, what is given holds here, and is shared when that is over.
func TestRefusingRedis(t *testing.T) {
	for name, c := range map[string]struct{ refuse, allow []any }{
		"no room":       {[]any{"config", "set", "maxmemory", "1"}, []any{"config", "set", "maxmemory", "0"}},
		"no permission": {[]any{"acl", "setuser", "default", "-xadd"}, []any{"acl", "setuser", "default", "+xadd"}},
	} {
		t.Run(name, func(t *testing.T) {
			s := storetest.Start(t)
			old := give(t, replica(t, Settings{}, s.Patient(false)), tenant("old"))
			if err := s.Client().Do(t.Context(), c.refuse...).Err(); err != nil {
				t.Fatal(err)
			}
			a, b := replica(t, Settings{Closed: true}, s.Patient(false)), replica(t, Settings{}, s.Patient(false))
			o, shared, err := a.Give(t.Context(), tenant("new"))
			if err != nil || shared || !knows(a, o.ID)() || !knows(a, old.ID)() || a.Stale() != nil {
				t.Errorf("shared %t, %v, stale %v: %v", shared, err, a.Stale(), a.List())
			}
			eventually(t, "it is told", func() bool { return a.Trouble() != nil })
			if err := s.Client().Do(t.Context(), c.allow...).Err(); err != nil {
				t.Fatal(err)
			}
			eventually(t, "it is known there", knows(b, o.ID))
			eventually(t, "nothing is wrong", func() bool { return a.Trouble() == nil })
		})
	}
}
