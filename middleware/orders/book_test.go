package orders

import (
	"errors"
	"net/netip"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

const day = 24 * time.Hour

// prefixes makes cmp compare them as Go does.
var prefixes = cmpopts.EquateComparable(netip.Prefix{})

func open(t testing.TB, s Settings) *Book {
	t.Helper()
	if s.Keep == 0 {
		s.Keep = 30 * day
	}
	b, err := Open(s, nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := b.Close(); err != nil {
			t.Error(err)
		}
	})
	return b
}

func give(t testing.TB, b *Book, o Order) Order {
	t.Helper()
	given, _, err := b.Give(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	return given
}

// token is one that none of the orders below names.
func token(change func(*Token)) *Token {
	now := time.Now().Truncate(time.Second)
	t := &Token{Issuer: "a", JTI: "j", SID: "s", Subject: "u", Tenant: "t", Issued: now, Authenticated: now}
	if change != nil {
		change(t)
	}
	return t
}

func TestRevoked(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		time.Sleep(500 * time.Millisecond) // orders are given within a second
		at := time.Now()
		second := at.Truncate(time.Second)
		ofOther := func(t *Token) { t.Issuer = "b" }
		issued := func(d time.Duration) func(*Token) { return func(t *Token) { t.Issued = second.Add(d) } }
		for _, tt := range []struct {
			name  string
			o     Order
			token *Token
			want  bool
		}{
			{"jti", Order{Issuer: "a", JTI: "j"}, token(nil), true},
			{"jti, whenever issued", Order{Issuer: "a", JTI: "j"}, token(issued(day)), true},
			{"another jti", Order{Issuer: "a", JTI: "k"}, token(nil), false},
			{"jti of another issuer", Order{Issuer: "a", JTI: "j"}, token(ofOther), false},
			{"no jti", Order{Issuer: "a", JTI: "j"}, token(func(t *Token) { t.JTI = "" }), false},

			{"sid", Order{Issuer: "a", SID: "s"}, token(nil), true},
			{"sid, refreshed", Order{Issuer: "a", SID: "s"}, token(issued(day)), true},
			{"sid, signed in within its second", Order{Issuer: "a", SID: "s"}, token(func(t *Token) { t.Authenticated = second }), true},
			{"sid, signed in at that very moment", Order{Issuer: "a", SID: "s", At: second}, token(func(t *Token) { t.Authenticated = second }), true},
			{"sid, signed in anew", Order{Issuer: "a", SID: "s"}, token(func(t *Token) { t.Authenticated = second.Add(time.Second) }), false},
			{"sid, nobody knows when signed in", Order{Issuer: "a", SID: "s"}, token(func(t *Token) { t.Authenticated = time.Time{} }), true},
			{"sid of another issuer", Order{Issuer: "a", SID: "s"}, token(ofOther), false},
			{"another sid", Order{Issuer: "a", SID: "x"}, token(nil), false},
			{"a sid is not a jti", Order{Issuer: "a", SID: "j"}, token(nil), false},

			{"subject", Order{Issuer: "a", Subject: "u"}, token(nil), true},
			{"subject, later issue", Order{Issuer: "a", Subject: "u"}, token(issued(time.Second)), false},
			{"subject, signed in anew is not enough", Order{Issuer: "a", Subject: "u"}, token(func(t *Token) { t.Authenticated = second.Add(day) }), true},
			{"subject, no iat", Order{Issuer: "a", Subject: "u"}, token(func(t *Token) { t.Issued = time.Time{} }), true},
			{"subject of another issuer", Order{Issuer: "a", Subject: "u"}, token(ofOther), false},
			{"another subject", Order{Issuer: "a", Subject: "v"}, token(nil), false},

			{"issued in the second of the order", Order{IssuedBefore: at}, token(issued(0)), true},
			{"issued in that second, at its end", Order{IssuedBefore: second}, token(issued(900 * time.Millisecond)), true},
			{"issued a second later", Order{IssuedBefore: at}, token(issued(time.Second)), false},
			{"issued until, of all", Order{IssuedBefore: second.Add(-day)}, token(issued(-day)), true},
			{"issued until, of one issuer", Order{Issuer: "a", IssuedBefore: at}, token(nil), true},
			{"issued until, of another", Order{Issuer: "a", IssuedBefore: at}, token(ofOther), false},
			{"issued until, no iat", Order{IssuedBefore: second.Add(-day)}, token(func(t *Token) { t.Issued = time.Time{} }), true},

			{"tenant", Order{Tenant: "t"}, token(nil), true},
			{"tenant, any issuer", Order{Tenant: "t"}, token(ofOther), true},
			{"tenant of an issuer", Order{Issuer: "a", Tenant: "t"}, token(nil), true},
			{"tenant of another issuer", Order{Issuer: "a", Tenant: "t"}, token(ofOther), false},
			{"another tenant", Order{Tenant: "x"}, token(nil), false},
			{"no tenant", Order{Tenant: "t"}, token(func(t *Token) { t.Tenant = "" }), false},
			{"tenant, later issue", Order{Tenant: "t"}, token(issued(time.Second)), false},
			{"tenant until yesterday", Order{Tenant: "t", IssuedBefore: second.Add(-day)}, token(nil), false},
		} {
			b := open(t, Settings{})
			tt.o.Kind = Revocation
			o := give(t, b, tt.o)
			got := b.Revoked(tt.token)
			if (got != nil) != tt.want || got != nil && got.ID != o.ID {
				t.Errorf("%s: %v, want %v", tt.name, got, tt.want)
			}
		}
	})
}

// Of several orders about the same one is enough, and each ends by itself.
func TestRevokedTwice(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := open(t, Settings{Keep: day})
		early := give(t, b, Order{Kind: Revocation, Issuer: "a", Subject: "u"})
		time.Sleep(time.Hour)
		tok := token(nil)
		late := give(t, b, Order{Kind: Revocation, Issuer: "a", Subject: "u"})
		old := token(func(t *Token) { t.Issued = early.At })
		if o := b.Revoked(tok); o == nil || o.ID != late.ID {
			t.Errorf("%v", o)
		}
		if o := b.Revoked(old); o == nil {
			t.Error("the older token is not revoked")
		}
		if _, err := b.Lift(t.Context(), late.ID, "admin", ""); err != nil {
			t.Fatal(err)
		}
		if o := b.Revoked(tok); o != nil {
			t.Errorf("lifted: %v", o)
		}
		if o := b.Revoked(old); o == nil || o.ID != early.ID {
			t.Errorf("the other one: %v", o)
		}
		time.Sleep(day - time.Hour)
		if o := b.Revoked(old); o != nil || len(b.List()) != 0 {
			t.Errorf("forgotten: %v %v", o, b.List())
		}
	})
}

func TestLocked(t *testing.T) {
	for _, tt := range []struct {
		name          string
		o             Order
		route, tenant string
		roles         []string
		want          bool
	}{
		{"all", Order{All: true}, "r", "t", []string{"admin"}, true},
		{"all, nobody", Order{All: true}, "r", "", nil, true},
		{"all but a role", Order{All: true, Roles: []string{"oncall", "admin"}}, "r", "t", []string{"hr", "admin"}, false},
		{"all but another role", Order{All: true, Roles: []string{"admin"}}, "r", "t", []string{"hr"}, true},
		{"all but a role, nobody", Order{All: true, Roles: []string{"admin"}}, "r", "", nil, true},
		{"route", Order{Route: "r"}, "r", "", nil, true},
		{"another route", Order{Route: "q"}, "r", "t", nil, false},
		{"tenant", Order{Tenant: "t"}, "r", "t", nil, true},
		{"another tenant", Order{Tenant: "u"}, "r", "t", nil, false},
		{"tenant, nobody", Order{Tenant: "t"}, "r", "", nil, false},
		{"a tenant is not a route", Order{Tenant: "r"}, "r", "t", nil, false},
		{"tenant on a route", Order{Route: "r", Tenant: "t"}, "r", "t", nil, true},
		{"tenant on another route", Order{Route: "q", Tenant: "t"}, "r", "t", nil, false},
		{"another tenant on the route", Order{Route: "r", Tenant: "u"}, "r", "t", nil, false},
		{"the route, nobody of the tenant", Order{Route: "r", Tenant: "t"}, "r", "", nil, false},
	} {
		b := open(t, Settings{})
		tt.o.Kind = Lockdown
		o := give(t, b, tt.o)
		got := b.Locked(tt.route, tt.tenant, tt.roles)
		if (got != nil) != tt.want || got != nil && got.ID != o.ID {
			t.Errorf("%s: %v, want %v", tt.name, got, tt.want)
		}
	}
}

// What lets a role pass does not open what something else closes, and what names
// the route is told before what names all.
func TestLockedTwice(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := open(t, Settings{})
		all := give(t, b, Order{Kind: Lockdown, All: true, Until: time.Now().Add(time.Hour)})
		open := give(t, b, Order{Kind: Lockdown, Route: "r", Roles: []string{"admin"}})
		if o := b.Locked("r", "", []string{"admin"}); o == nil || o.ID != all.ID {
			t.Errorf("%v", o)
		}
		if o := b.Locked("r", "", nil); o == nil || o.ID != open.ID {
			t.Errorf("%v", o)
		}
		time.Sleep(time.Hour)
		if o := b.Locked("r", "", []string{"admin"}); o != nil {
			t.Errorf("it has ended: %v", o)
		}
		if o := b.Locked("r", "", nil); o == nil || o.ID != open.ID {
			t.Errorf("%v", o)
		}
	})
}

func TestGive(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := open(t, Settings{Keep: day})
		now := time.Now().UTC()
		changed := b.Changed()
		got, shared, err := b.Give(t.Context(), Order{ID: "mine", Kind: Revocation, Tenant: "t", By: "admin"})
		want := Order{ID: got.ID, Kind: Revocation, Tenant: "t", By: "admin", At: now, IssuedBefore: now, Until: now.Add(day)}
		if diff := cmp.Diff(want, got, prefixes); diff != "" || err != nil || !shared || got.ID == "mine" || got.ID == "" {
			t.Error(got.ID, shared, err, diff)
		}
		select {
		case <-changed:
		default:
			t.Error("nobody was told")
		}
		ahead := now.Add(time.Minute) // such a token lives for a day from then on
		if got = give(t, b, Order{Kind: Revocation, IssuedBefore: ahead}); !got.Until.Equal(ahead.Add(day)) {
			t.Errorf("kept until %s", got.Until)
		}
		if got = give(t, b, Order{Kind: Lockdown, All: true}); !got.Until.IsZero() {
			t.Errorf("a lockdown until %s", got.Until)
		}
		if _, _, err := b.Give(t.Context(), Order{Kind: Revocation}); err == nil || len(b.List()) != 3 {
			t.Errorf("a bad order: %v %v", err, b.List())
		}
	})
}

func TestLift(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := open(t, Settings{})
		first := give(t, b, Order{Kind: Lockdown, Route: "r"})
		time.Sleep(time.Second)
		second := give(t, b, Order{Kind: Lockdown, Route: "q"})
		if diff := cmp.Diff([]Order{first, second}, b.List(), prefixes); diff != "" {
			t.Error(diff)
		}
		changed := b.Changed()
		if shared, err := b.Lift(t.Context(), first.ID, "admin", "over"); err != nil || !shared {
			t.Error(shared, err)
		}
		<-changed
		if diff := cmp.Diff([]Order{second}, b.List(), prefixes); diff != "" || b.Locked("r", "", nil) != nil || b.Locked("q", "", nil) == nil {
			t.Error(diff)
		}
		for _, id := range []string{first.ID, "other", ""} {
			if _, err := b.Lift(t.Context(), id, "admin", ""); !errors.Is(err, ErrUnknown) {
				t.Errorf("%q: %v", id, err)
			}
		}
	})
}

// Records come in any sequence, and more than once.
func TestSequence(t *testing.T) {
	now := time.Now()
	for _, until := range []time.Time{{}, now.Add(time.Hour)} {
		order := record{Order: &Order{ID: "A", Kind: Lockdown, All: true, At: now, Until: until}}
		end := record{Lift: &lift{ID: "A", At: now, Until: now.Add(time.Hour)}}
		for _, records := range [][]record{{order, end}, {end, order}, {order, end, order, end}, {end, end, order, order}} {
			b := open(t, Settings{})
			b.mu.Lock()
			e := b.view.Load().edit()
			news := 0
			for _, r := range records {
				if n, err := b.take(r, "", e); err != nil {
					t.Error(err)
				} else if n {
					news++
				}
			}
			b.publish(e)
			b.mu.Unlock()
			if o := b.Locked("r", "", nil); o != nil || len(b.List()) != 0 || news != 2 || b.view.Load().count[byPlace] != 0 {
				t.Errorf("%v: locked by %v, %d news", records, o, news)
			}
		}
	}
}

func TestNilBook(t *testing.T) {
	var b *Book
	if b.Revoked(token(nil)) != nil || b.Locked("r", "t", nil) != nil || b.List() != nil || b.Stale() != nil || b.Changed() != nil {
		t.Error("no Book has an order")
	}
}

// A Book that an issuer has filled takes what operators give.
func TestFull(t *testing.T) {
	b := open(t, Settings{most: 20})
	by := func(o Order, who string) error {
		o.By = who
		_, _, err := b.Give(t.Context(), o)
		return err
	}
	n := 0
	for by(tenant("t"), "issuer a") == nil && n < 100 {
		n++
	}
	for _, o := range []Order{{Kind: Lockdown, All: true}, tenant("acme")} {
		if err := by(o, "admin"); err != nil {
			t.Errorf("an issuer gave %d orders; then: %v", n, err)
		}
	}
	if err := by(tenant("t"), "admin"); !errors.Is(err, errFull) {
		t.Error(err)
	}
	end(t, b, b.List()[0].ID) // what is there can be lifted
}
