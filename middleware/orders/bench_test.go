package orders

import (
	"fmt"
	"strconv"
	"testing"
	"time"
)

// filled is a Book with n revocations, of each kind that names somebody alike,
// and no disk or store.
func filled(t testing.TB, n int) *Book {
	t.Helper()
	b := open(t, Settings{})
	now := time.Now()
	b.mu.Lock()
	defer b.mu.Unlock()
	e := b.view.Load().edit()
	for i := range n {
		o := Order{Kind: Revocation, Issuer: "other"}
		switch v := strconv.Itoa(i); i % 4 {
		case 0:
			o.JTI = v
		case 1:
			o.SID = v
		case 2:
			o.Subject = v
		case 3:
			o.Tenant = v
		}
		o.settle(fmt.Sprint("ID", i), 30*day, now)
		if _, err := b.take(record{Order: &o}, "", e); err != nil {
			t.Fatal(err)
		}
	}
	b.publish(e)
	return b
}

// Nobody pays for orders but those they are about, and they only for the clock.
func TestNoAllocations(t *testing.T) {
	for _, n := range []int{0, 1000} {
		b, roles := filled(t, n), roles()
		tok, revoked := token(nil), token(func(t *Token) { t.Issuer, t.SID, t.Authenticated = "other", "1", time.Time{} })
		if n > 0 {
			give(t, b, Order{Kind: Lockdown, Route: "other", Roles: []string{"admin"}})
		}
		if got := testing.AllocsPerRun(100, func() {
			if b.Revoked(tok) != nil || (b.Revoked(revoked) != nil) != (n > 0) {
				t.Error("wrong")
			}
			if b.Locked("r", "t", roles) != nil || (b.Locked("other", "t", roles) != nil) != (n > 0) || b.Stale() != nil {
				t.Error("wrong")
			}
		}); got != 0 {
			t.Errorf("%d orders: %v allocations", n, got)
		}
	}
}

func roles() []string { return []string{"hr", "manager"} }

func BenchmarkRevoked(b *testing.B) {
	for _, n := range []int{0, 100_000} {
		book := filled(b, n)
		tok := token(nil)
		b.Run(fmt.Sprintf("orders=%d/none", n), func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if book.Revoked(tok) != nil {
					b.Fatal("revoked")
				}
			}
		})
		if n == 0 {
			continue
		}
		tok = token(func(t *Token) { t.Issuer, t.SID, t.Authenticated = "other", "1", time.Time{} })
		b.Run(fmt.Sprintf("orders=%d/one", n), func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if book.Revoked(tok) == nil {
					b.Fatal("not revoked")
				}
			}
		})
	}
}

func BenchmarkLocked(b *testing.B) {
	for _, n := range []int{0, 10} {
		book, roles := open(b, Settings{}), roles()
		for i := range n {
			give(b, book, Order{Kind: Lockdown, Route: fmt.Sprint(i)})
		}
		b.Run(fmt.Sprintf("lockdowns=%d", n), func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if book.Locked("r", "t", roles) != nil {
					b.Fatal("locked")
				}
			}
		})
	}
}

// BenchmarkGive is what one more costs, in memory, and on disk.
func BenchmarkGive(b *testing.B) {
	for _, n := range []int{0, 100_000} {
		for _, path := range []string{"", "orders.json"} {
			book := filled(b, n)
			if path != "" {
				book.journal = &journal{path: b.TempDir() + "/" + path, all: book.records}
				if err := book.journal.tidy(0); err != nil {
					b.Fatal(err)
				}
			}
			b.Run(fmt.Sprintf("orders=%d/disk=%t", n, path != ""), func(b *testing.B) {
				i := 0
				for b.Loop() {
					i++
					give(b, book, Order{Kind: Revocation, Issuer: "a", SID: strconv.Itoa(i)})
				}
			})
		}
	}
}

// crowd is a Book with n blocks, of addresses, networks and subjects.
func crowd(t testing.TB, n int) *Book {
	t.Helper()
	b := open(t, Settings{})
	b.mu.Lock()
	defer b.mu.Unlock()
	e := b.view.Load().edit()
	for i := range n {
		o, _ := nth(i)
		o.settle(fmt.Sprint("ID", i), 0, time.Now())
		if _, err := b.take(record{Order: &o}, "", e); err != nil {
			t.Fatal(err)
		}
	}
	b.publish(e)
	return b
}

// Nobody pays for blocks but those who are blocked, and they only for the clock.
func TestBlocksNoAllocations(t *testing.T) {
	for _, n := range []int{0, 1000} {
		b := crowd(t, n)
		blocked, user := addr("10.0.0.1"), blockOf(t, "203.0.113.7", time.Hour)
		if user.User = alice; n > 0 {
			give(t, b, user)
		}
		mapped, six := addr("::ffff:198.51.100.1"), addr("2001:db8:ffff::1")
		if got := testing.AllocsPerRun(100, func() {
			if b.BlockedAddress(mapped) != nil || b.BlockedAddress(six) != nil || (b.BlockedAddress(blocked) != nil) != (n > 0) {
				t.Error("wrong")
			}
			if (b.BlockedUser(user.Address, alice) != nil) != (n > 0) || (b.BlockedSubject("a", "3", time.Time{}) != nil) != (n > 0) {
				t.Error("wrong")
			}
			if level, _ := b.LastBlock(&user); level != 0 {
				t.Error("wrong")
			}
		}); got != 0 {
			t.Errorf("%d blocks: %v allocations", n, got)
		}
	}
}

func BenchmarkBlockedAddress(b *testing.B) {
	for _, n := range []int{0, 100_000} {
		book := crowd(b, n)
		for _, tt := range []struct{ name, address string }{
			{"none", "198.51.100.1"}, {"none6", "2001:db8:ffff::1"}, {"one", "10.0.0.1"},
		} {
			a := addr(tt.address)
			b.Run(fmt.Sprintf("blocks=%d/%s", n, tt.name), func(b *testing.B) {
				b.ReportAllocs()
				for b.Loop() {
					if (book.BlockedAddress(a) != nil) != (n > 0 && tt.name == "one") {
						b.Fatal("wrong")
					}
				}
			})
		}
	}
}

func BenchmarkBlockedSubject(b *testing.B) {
	for _, n := range []int{0, 100_000} {
		book := crowd(b, n)
		b.Run(fmt.Sprintf("blocks=%d/none", n), func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if book.BlockedSubject("a", "u", time.Time{}) != nil {
					b.Fatal("blocked")
				}
			}
		})
	}
}

// BenchmarkGiveBlock is what one more costs, in memory.
func BenchmarkGiveBlock(b *testing.B) {
	for _, n := range []int{0, 100_000} {
		book := crowd(b, n)
		b.Run(fmt.Sprintf("blocks=%d", n), func(b *testing.B) {
			b.ReportAllocs()
			i := n
			for b.Loop() {
				o, _ := nth(i)
				o.By = "admin" // who may give more than half
				i++
				give(b, book, o)
			}
		})
	}
}
