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
