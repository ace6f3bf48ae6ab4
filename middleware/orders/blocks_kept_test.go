package orders

import (
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	goredis "github.com/redis/go-redis/v9"

	"github.com/gatehouse-dev/gatehouse/middleware/store/storetest"
)

// someBlocks are one of each target, of a detector's second time.
func someBlocks(t testing.TB, lasting time.Duration) []Order {
	ends := time.Now().Add(lasting)
	out := []Order{
		{Address: network(t, "203.0.113.7")},
		{Address: network(t, "198.51.100.0/24")},
		{Address: network(t, "2001:db8::/64"), User: alice},
		{Issuer: "a", Subject: "u", Action: ActionStepUp},
	}
	for i := range out {
		o := &out[i]
		o.Kind, o.By, o.Detector, o.Level, o.Ends, o.Reason = Block, "guard", "auth_failures", 2, ends, "5 in 15m"
	}
	return out
}

// blocks reports which of someBlocks hold.
func blocks(b *Book) (out [4]bool) {
	out[0] = b.BlockedAddress(addr("203.0.113.7")) != nil
	out[1] = b.BlockedAddress(addr("198.51.100.9")) != nil
	out[2] = b.BlockedUser(netip.MustParsePrefix("2001:db8::/64"), alice) != nil
	out[3] = b.BlockedSubject("a", "u", time.Time{}) != nil
	return out
}

var every = [4]bool{true, true, true, true}

// Blocks are there after a restart, to the byte; what was lifted is not, and what
// has ended is known for its level.
func TestBlocksRestart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		path := file(t)
		b := reopened(t, path)
		var want []Order
		for _, o := range someBlocks(t, time.Hour) {
			want = append(want, give(t, b, o))
			time.Sleep(2 * time.Millisecond) // the list is in the sequence of their times
		}
		lifted := give(t, b, blockOf(t, "192.0.2.1", 0))
		end(t, b, lifted.ID)
		short := blockOf(t, "192.0.2.2", 2*shortest)
		short.Detector, short.Level = "auth_failures", 3
		give(t, b, short)
		eventually(t, "the short one ends", func() bool { return b.BlockedAddress(addr("192.0.2.2")) == nil })
		for range 2 {
			if err := b.Close(); err != nil {
				t.Fatal(err)
			}
			b = reopened(t, path)
			if diff := cmp.Diff(want, b.List(), prefixes); diff != "" || blocks(b) != every {
				t.Fatal(blocks(b), diff)
			}
			if b.BlockedAddress(addr("192.0.2.1")) != nil || b.BlockedAddress(addr("192.0.2.2")) != nil {
				t.Error("what was lifted, or has ended, is back")
			}
			if level, ok := b.LastBlock(&short); level != 3 || !ok {
				t.Errorf("level %d %t", level, ok)
			}
		}
	})
}

// What was written before there were blocks is read, by file and by Redis.
func TestBeforeBlocks(t *testing.T) {
	path := filepath.Join(t.TempDir(), "orders.json")
	old := []string{
		`{"order":{"id":"A","kind":"revocation","issuer":"a","subject":"u","issued_before":"2026-01-02T03:04:05.6Z","by":"admin","at":"2026-01-02T03:04:05.6Z","until":"2999-01-01T00:00:00Z"}}`,
		`{"order":{"id":"B","kind":"lockdown","route":"r","tenant":"t","roles":["admin"],"reason":"drill","by":"admin","at":"2026-01-02T03:04:05.6Z"}}`,
		`{"lift":{"id":"C","by":"admin","at":"2026-01-02T03:04:05.6Z","until":"2999-01-01T00:00:00Z"}}`,
	}
	if err := os.WriteFile(path, []byte(header+strings.Join(old, "\n")+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	fromFile := reopened(t, path)
	s := storetest.Start(t)
	for _, line := range old {
		if err := s.Client().XAdd(t.Context(), &goredis.XAddArgs{Stream: stream, Values: []any{"order", line}}).Err(); err != nil {
			t.Fatal(err)
		}
	}
	for name, b := range map[string]*Book{"file": fromFile, "Redis": replica(t, Settings{}, s.Patient(false))} {
		tok := token(func(t *Token) { t.Issued = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC) })
		if b.Revoked(tok) == nil || b.Locked("r", "t", nil) == nil || len(b.List()) != 2 || b.Trouble() != nil {
			t.Errorf("%s: %v %v", name, b.List(), b.Trouble())
		}
	}
}

// What one replica blocks the other one does, and escalates from the same level;
// a lift on either is for good.
func TestBlocksReplicas(t *testing.T) {
	s := storetest.Start(t)
	a, b := replica(t, Settings{}, s.Patient(false)), replica(t, Settings{}, s.Patient(false))
	targets := someBlocks(t, time.Hour)
	var given []Order
	for _, o := range targets {
		given = append(given, give(t, a, o))
	}
	eventually(t, "the other one blocks", func() bool { return blocks(b) == every })
	for i := range targets {
		if level, ok := b.LastBlock(&targets[i]); level != 2 || !ok {
			t.Errorf("%v: level %d %t", targets[i], level, ok)
		}
		end(t, b, given[i].ID)
	}
	eventually(t, "lifted here", func() bool { return blocks(a) == [4]bool{} })
	for i := range targets {
		if level, ok := a.LastBlock(&targets[i]); ok {
			t.Errorf("%v: level %d of a block that was lifted", targets[i], level)
		}
	}
}

// Redis is killed, emptied or restarted: no block is lost, none comes back, and
// levels are known.
func TestBlocksForgetfulRedis(t *testing.T) {
	for name, forget := range map[string]func(*storetest.Server){
		"killed and restarted": func(s *storetest.Server) { s.Kill(); s.Start() },
		"emptied":              func(s *storetest.Server) { s.Client().FlushAll(t.Context()) },
	} {
		t.Run(name, func(t *testing.T) {
			s := storetest.Start(t)
			path := file(t)
			a, b := replica(t, Settings{File: path}, s.Open()), replica(t, Settings{}, s.Open())
			targets := someBlocks(t, time.Hour)
			for _, o := range targets {
				give(t, a, o)
			}
			lifted := give(t, a, blockOf(t, "192.0.2.1", time.Hour))
			end(t, a, lifted.ID)
			short := blockOf(t, "192.0.2.2", 60*shortest)
			short.Detector, short.Level = "auth_failures", 3
			give(t, a, short)
			eventually(t, "the other one blocks", func() bool { return blocks(b) == every })
			forget(s)
			if blocks(a) != every || blocks(b) != every {
				t.Error("without Redis", blocks(a), blocks(b))
			}
			eventually(t, "a latecomer knows all, and what was lifted", func() bool {
				c := still(t, s.Patient(false))
				c.turn(t.Context())
				level, ok := c.LastBlock(&short)
				return blocks(c) == every && c.entries[lifted.ID] != nil && c.BlockedAddress(addr("192.0.2.1")) == nil && level == 3 && ok
			})
			// All replicas and Redis are gone, and one file is left.
			_, _ = a.Close(), b.Close()
			s.Kill()
			s.Start()
			a, b = replica(t, Settings{File: path}, s.Open()), replica(t, Settings{}, s.Open())
			if blocks(a) != every {
				t.Error("from the file", blocks(a))
			}
			eventually(t, "the other one hears of it", func() bool { return blocks(b) == every })
			if b.BlockedAddress(addr("192.0.2.1")) != nil {
				t.Error("what was lifted is back")
			}
		})
	}
}

// A block that the Redis of others has no room for, or that is none, keeps nobody
// out and is told.
func TestBlocksGarbage(t *testing.T) {
	s := storetest.Start(t)
	about := []string{
		`"address":"0.0.0.0/0"`, `"address":"::/0"`, `"address":"::ffff:0.0.0.0/96"`, `"address":"0.0.0.0/7"`,
		`"address":"10.1.1.1/8"`, `"address":"10.0.0.0/8","user":"alice"`, `"address":"10.0.0.0/8","action":"step_up"`,
		`"address":"10.0.0.0/8","level":-9`, `"address":"10.0.0.0/8","reason":"\u001b[2J"`, `"subject":"u"`, `"address":""`,
	}
	for i, text := range about {
		line := fmt.Sprintf(`{"order":{"id":"G%d","kind":"block","at":"2026-01-01T00:00:00Z",%s}}`, i, text)
		if err := s.Client().XAdd(t.Context(), &goredis.XAddArgs{Stream: stream, Values: []any{"order", line}}).Err(); err != nil {
			t.Fatal(err)
		}
	}
	b := replica(t, Settings{}, s.Patient(false))
	if err := b.Trouble(); err == nil || !strings.Contains(err.Error(), fmt.Sprint(len(about), " entries of the store are left out")) {
		t.Error(err)
	}
	for _, a := range []string{"10.1.1.1", "203.0.113.7", "2001:db8::1", "::1", "0.0.0.1"} {
		if o := b.BlockedAddress(addr(a)); o != nil {
			t.Errorf("%s is blocked by %v", a, o)
		}
	}
	if got := b.List(); len(got) != 0 {
		t.Errorf("%v", got)
	}
}
