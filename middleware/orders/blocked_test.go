package orders

import (
	"encoding/hex"
	"errors"
	"fmt"
	"net/netip"
	"strconv"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
)

func addr(text string) netip.Addr { return netip.MustParseAddr(text) }

func id(o *Order) string {
	if o == nil {
		return ""
	}
	return o.ID
}

// blockOf is an order to block an address or a network, for so long; 0 is until it
// is lifted.
func blockOf(t testing.TB, text string, lasting time.Duration) Order {
	o := Order{Kind: Block, Address: network(t, text), By: "admin"}
	if lasting > 0 {
		o.Ends = time.Now().Add(lasting)
	}
	return o
}

func TestBlockedAddress(t *testing.T) {
	for _, tt := range []struct {
		block, address string
		want           bool
	}{
		{"203.0.113.7", "203.0.113.7", true},
		{"203.0.113.7", "::ffff:203.0.113.7", true},
		{"::ffff:203.0.113.7", "203.0.113.7", true},
		{"203.0.113.7", "203.0.113.8", false},
		{"203.0.113.7", "2001:db8::cb00:7107", false},
		{"203.0.113.0/24", "203.0.113.255", true},
		{"203.0.113.0/24", "203.0.114.0", false},
		{"203.0.113.0/24", "::ffff:203.0.113.255", true},
		{"10.0.0.0/8", "10.255.255.255", true},
		{"10.0.0.0/8", "11.0.0.0", false},
		{"2001:db8::7", "2001:db8::7", true},
		{"2001:db8::7", "2001:db8::8", false},
		{"2001:db8::/64", "2001:db8::8", true},
		{"2001:db8::/64", "2001:db8:0:1::8", false},
		{"2001:db8::/32", "2001:db8:ffff::1", true},
		{"fe80::/64", "fe80::1%eth0", true},
		{"::/64", "0.0.0.1", false},
		{"::/64", "::1", true},
		{"::/64", "::ffff:0.0.0.1", false},
		{"cb00:7107::/32", "203.0.113.7", false},
	} {
		b := open(t, Settings{})
		o := give(t, b, blockOf(t, tt.block, time.Hour))
		if got := b.BlockedAddress(addr(tt.address)); (got != nil) != tt.want || got != nil && got.ID != o.ID {
			t.Errorf("%s blocks %s: %v, want %t", tt.block, tt.address, got, tt.want)
		}
		if b.BlockedAddress(netip.Addr{}) != nil || b.BlockedUser(o.Address, alice) != nil || b.BlockedSubject("a", tt.address, time.Time{}) != nil {
			t.Error("it blocks somebody else")
		}
		end(t, b, o.ID)
		if got := b.BlockedAddress(addr(tt.address)); got != nil || len(b.view.Load().lengths[0]) != 0 {
			t.Errorf("%s: lifted, and holds: %v", tt.block, got)
		}
	}
}

// Of several blocks the one that ends last is told, and each ends by itself.
func TestBlockedTwice(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := open(t, Settings{})
		a := addr("203.0.113.7")
		short := give(t, b, blockOf(t, "203.0.113.7", time.Hour))
		wide := give(t, b, blockOf(t, "203.0.112.0/22", 3*time.Hour))
		long := give(t, b, blockOf(t, "203.0.113.7", 2*time.Hour))
		give(t, b, blockOf(t, "203.0.113.0/24", time.Minute))
		if got := b.BlockedAddress(a); id(got) != wide.ID {
			t.Errorf("%v", got)
		}
		endless := give(t, b, blockOf(t, "203.0.113.0/25", 0))
		if got := b.BlockedAddress(a); id(got) != endless.ID {
			t.Errorf("without an end: %v", got)
		}
		end(t, b, endless.ID)
		end(t, b, wide.ID)
		if got := b.BlockedAddress(a); id(got) != long.ID {
			t.Errorf("of the same address: %v", got)
		}
		end(t, b, long.ID)
		if got := b.BlockedAddress(a); id(got) != short.ID {
			t.Errorf("the one that is left: %v", got)
		}
		time.Sleep(time.Hour - time.Nanosecond)
		if b.BlockedAddress(a) == nil {
			t.Error("it holds until the last moment")
		}
		time.Sleep(time.Nanosecond)
		if got := b.BlockedAddress(a); got != nil {
			t.Errorf("it has ended: %v", got)
		}
	})
}

func TestBlockedUser(t *testing.T) {
	bob := hex.EncodeToString(make([]byte, 16))
	b := open(t, Settings{})
	four, six := blockOf(t, "203.0.113.7", time.Hour), blockOf(t, "2001:db8::/64", time.Hour)
	wide := blockOf(t, "198.51.100.0/24", time.Hour)
	four.User, six.User, wide.User = alice, alice, alice
	four, six, wide = give(t, b, four), give(t, b, six), give(t, b, wide)
	for _, tt := range []struct{ from, user, want string }{
		{"203.0.113.7/32", alice, four.ID},
		{"203.0.113.7/32", bob, ""},
		{"203.0.113.7/32", "", ""},
		{"203.0.113.8/32", alice, ""},
		{"2001:db8::/64", alice, six.ID},
		{"2001:db8:0:1::/64", alice, ""},
		{"198.51.100.9/32", alice, wide.ID},
		{"198.51.0.0/16", alice, ""}, // wider than what is blocked
	} {
		if got := b.BlockedUser(netip.MustParsePrefix(tt.from), tt.user); id(got) != tt.want {
			t.Errorf("%s from %s: %v", tt.user, tt.from, got)
		}
	}
	if b.BlockedUser(netip.Prefix{}, alice) != nil || b.BlockedAddress(addr("203.0.113.7")) != nil || b.BlockedAddress(addr("198.51.100.9")) != nil {
		t.Error("a block of a username keeps others out")
	}
}

func TestBlockedSubject(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := open(t, Settings{})
		now := time.Now()
		step := give(t, b, Order{Kind: Block, Issuer: "a", Subject: "u", Action: ActionStepUp, Ends: now.Add(4 * time.Hour)})
		for _, tt := range []struct {
			name, issuer, subject string
			authenticated         time.Time
			want                  string
		}{
			{"signed in before", "a", "u", now.Add(-time.Hour), step.ID},
			{"signed in at that moment", "a", "u", now, step.ID},
			{"nobody knows when", "a", "u", time.Time{}, step.ID},
			{"signed in anew", "a", "u", now.Add(time.Second), ""},
			{"somebody else", "a", "v", time.Time{}, ""},
			{"of another issuer", "b", "u", time.Time{}, ""},
			{"nobody", "", "", time.Time{}, ""},
		} {
			if got := b.BlockedSubject(tt.issuer, tt.subject, tt.authenticated); id(got) != tt.want {
				t.Errorf("%s: %v", tt.name, got)
			}
		}
		block := give(t, b, Order{Kind: Block, Issuer: "a", Subject: "u", Ends: now.Add(time.Hour)})
		for _, when := range []time.Time{{}, now.Add(-time.Hour), now.Add(time.Minute)} {
			if got := b.BlockedSubject("a", "u", when); id(got) != block.ID {
				t.Errorf("signed in %s: %v", when, got)
			}
		}
		time.Sleep(time.Hour)
		if got := b.BlockedSubject("a", "u", now); id(got) != step.ID {
			t.Errorf("what is left asks for a step-up: %v", got)
		}
		if got := b.BlockedSubject("a", "u", now.Add(time.Minute)); got != nil {
			t.Errorf("signed in anew: %v", got)
		}
		if b.Revoked(token(nil)) != nil {
			t.Error("a block calls nothing back")
		}
	})
}

// An ended block holds nobody and is known for its level, until it is forgotten or
// lifted.
func TestLastBlock(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := open(t, Settings{})
		user := blockOf(t, "203.0.113.7", time.Hour)
		user.User = alice
		subject := Order{Kind: Block, Issuer: "a", Subject: "u", Ends: time.Now().Add(time.Hour)}
		for _, o := range []Order{blockOf(t, "203.0.113.7", time.Hour), user, subject} {
			if level, ok := b.LastBlock(&o); ok {
				t.Errorf("nobody blocked it: %d", level)
			}
			give(t, b, o)
			if level, ok := b.LastBlock(&o); ok {
				t.Errorf("an operator's has no level: %d", level)
			}
			o.Detector, o.Level, o.By = "auth_failures", 3, "guard"
			third := give(t, b, o)
			o.Level = 2
			second := give(t, b, o)
			if level, ok := b.LastBlock(&o); level != 3 || !ok {
				t.Errorf("%d %t", level, ok)
			}
			end(t, b, third.ID)
			if level, ok := b.LastBlock(&o); level != 2 || !ok {
				t.Errorf("lifted: %d %t", level, ok)
			}
			if second.Until.Sub(second.Ends) != day {
				t.Errorf("kept until %s", second.Until)
			}
			o.Level = 1 << 50
			if got := give(t, b, o); got.Level != maxLevel {
				t.Errorf("level %d", got.Level)
			}
		}
		time.Sleep(2 * time.Hour)
		synctest.Wait()
		if got := b.List(); len(got) != 0 {
			t.Errorf("in force: %v", got)
		}
		if _, _, n := b.Count(); n != 0 {
			t.Errorf("%d are counted", n)
		}
		ended := b.Ended()
		if len(ended) != 9 {
			t.Errorf("%d are remembered: %v", len(ended), ended)
		}
		if level, ok := b.LastBlock(&user); level != maxLevel || !ok {
			t.Errorf("ended: %d %t", level, ok)
		}
		for _, o := range ended {
			if o.User != "" {
				end(t, b, o.ID) // so that the next begins anew
			}
		}
		if level, ok := b.LastBlock(&user); ok {
			t.Errorf("its level is known: %d", level)
		}
		if level, ok := b.LastBlock(&subject); level != maxLevel || !ok {
			t.Errorf("of another target: %d %t", level, ok)
		}
		time.Sleep(day)
		synctest.Wait()
		if level, ok := b.LastBlock(&subject); ok || len(b.Ended()) != 0 || held(b.view.Load()) != 0 {
			t.Errorf("it is forgotten: %d %v", level, b.Ended())
		}
	})
}

func TestGiveBlock(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := open(t, Settings{})
		now := time.Now().UTC()
		o := Order{Kind: Block, Address: network(t, "203.0.113.7"), Ends: now.Add(time.Hour + time.Microsecond), By: "admin"}
		got, _, err := b.Give(t.Context(), o)
		want := Order{ID: got.ID, Kind: Block, Address: o.Address, By: "admin", At: now, Ends: now.Add(time.Hour), Until: now.Add(time.Hour + day)}
		if diff := cmp.Diff(want, got, prefixes); err != nil || diff != "" {
			t.Error(err, diff)
		}
		if diff := cmp.Diff([]Order{want}, b.List(), prefixes); diff != "" {
			t.Error(diff)
		}
		if r, l, n := b.Count(); r != 0 || l != 0 || n != 1 {
			t.Error(r, l, n)
		}
		o.Ends = time.Time{}
		if got := give(t, b, o); !got.Ends.IsZero() || !got.Until.IsZero() {
			t.Errorf("it has an end: %v", got)
		}
		if b.BlockedAddress(addr("203.0.113.7")).Ends != (time.Time{}) {
			t.Error("the one without an end is not told")
		}
	})
}

func TestNilBookBlocks(t *testing.T) {
	var b *Book
	if b.BlockedAddress(addr("::1")) != nil || b.BlockedUser(netip.MustParsePrefix("::1/64"), alice) != nil ||
		b.BlockedSubject("a", "u", time.Time{}) != nil || b.Ended() != nil {
		t.Error("no Book has a block")
	}
	if _, ok := b.LastBlock(&Order{}); ok {
		t.Error("no Book has a level")
	}
}

// The guard, which attackers make busy, fills half of a Book, and leaves the last
// tenth of it for operators.
func TestGuardFills(t *testing.T) {
	by := func(b *Book, o Order, who string) error {
		o.By = who
		_, _, err := b.Give(t.Context(), o)
		return err
	}
	guardBlocks := func(b *Book) (n int) {
		for by(b, blockOf(t, fmt.Sprintf("203.0.113.%d", n), time.Hour), "guard") == nil && n < 100 {
			n++
		}
		return n
	}
	b := open(t, Settings{most: 40})
	if n := guardBlocks(b); n != 20 {
		t.Errorf("%d of 40 are blocks", n)
	}
	for range 16 {
		if err := by(b, tenant("t"), "issuer a"); err != nil {
			t.Errorf("nobody can sign out any more: %v", err)
		}
	}
	if err := by(b, blockOf(t, "198.51.100.1", 0), "admin"); err != nil {
		t.Errorf("no operator can block any more: %v", err)
	}
	crowded := open(t, Settings{most: 40})
	for range 30 {
		if err := by(crowded, tenant("t"), "issuer a"); err != nil {
			t.Fatal(err)
		}
	}
	if n := guardBlocks(crowded); n != 6 {
		t.Errorf("%d blocks beside 30 of 40", n)
	}
	if err := by(crowded, Order{Kind: Lockdown, All: true}, "admin"); err != nil {
		t.Errorf("no operator can close anything any more: %v", err)
	}
	if err := by(crowded, blockOf(t, "198.51.100.1", time.Hour), "guard of the realm"); !errors.Is(err, errFull) {
		t.Error(err)
	}
}

// A flood of blocks, up to a hundred thousand, while requests are judged: every one
// holds as soon as it is given, and nobody else is held.
func TestBlocksWhileJudged(t *testing.T) {
	const before, n = 97_000, 100_000
	b := crowd(t, before)
	var givers, judges sync.WaitGroup
	stop := make(chan struct{})
	for range 4 {
		judges.Go(func() {
			for {
				if o := b.BlockedAddress(addr("198.51.100.1")); o != nil {
					t.Errorf("an innocent address is blocked: %v", o)
					return
				}
				if o := b.BlockedSubject("a", "innocent", time.Time{}); o != nil {
					t.Errorf("an innocent subject is blocked: %v", o)
					return
				}
				select {
				case <-stop:
					return
				default:
				}
			}
		})
	}
	for g := range 4 {
		givers.Go(func() {
			for i := before + g; i < n; i += 4 {
				o, a := nth(i)
				if _, _, err := b.Give(t.Context(), o); err != nil {
					t.Error(err)
					return
				}
				if a.IsValid() && b.BlockedAddress(a) == nil || !a.IsValid() && b.BlockedSubject("a", o.Subject, time.Time{}) == nil {
					t.Errorf("%v does not hold", o)
					return
				}
			}
		})
	}
	givers.Wait()
	close(stop)
	judges.Wait()
	if _, _, got := b.Count(); got != n || len(b.List()) != n || held(b.view.Load()) != n {
		t.Errorf("%d of %d are counted, %d listed", got, n, len(b.List()))
	}
}

// nth is one of many blocks: of two addresses, a /64 and a subject.
func nth(i int) (Order, netip.Addr) {
	o := Order{Kind: Block, By: "guard", Detector: "auth_failures", Level: 1, Ends: time.Now().Add(time.Hour)}
	var a netip.Addr
	bits := 32
	switch i % 4 {
	case 0, 1:
		a = netip.AddrFrom4([4]byte{10, byte(i >> 16), byte(i >> 8), byte(i)})
	case 2:
		a, bits = netip.AddrFrom16([16]byte{0x20, 1, 0x0d, 0xb8, 4: byte(i >> 16), 5: byte(i >> 8), 6: byte(i), 15: 7}), 64
	default:
		o.Issuer, o.Subject = "a", strconv.Itoa(i)
		return o, a
	}
	o.Address = netip.PrefixFrom(a, bits).Masked()
	return o, a
}
