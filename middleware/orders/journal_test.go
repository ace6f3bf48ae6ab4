package orders

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/gatehouse-dev/gatehouse/middleware/store/storetest"
)

// reopened is a Book of the same file, as after a restart.
func reopened(t testing.TB, file string) *Book {
	t.Helper()
	return open(t, Settings{File: file})
}

func file(t testing.TB) string { return filepath.Join(t.TempDir(), "orders.json") }

// What was given is there after a restart, to the byte, and what was lifted is not.
func TestRestart(t *testing.T) {
	path := file(t)
	b := reopened(t, path)
	var want []Order
	for _, o := range []Order{
		{Kind: Revocation, Issuer: "a", JTI: "<&>\u2028\"\\"},
		{Kind: Revocation, Issuer: "a", Subject: "u", Reason: "left", By: "admin"},
		{Kind: Lockdown, All: true, Roles: []string{"admin", "oncall"}},
	} {
		want = append(want, give(t, b, o))
		time.Sleep(2 * time.Millisecond) // the list is in the sequence of their times
	}
	gone := give(t, b, Order{Kind: Lockdown, Route: "r"})
	end(t, b, gone.ID)
	for range 3 {
		if err := b.Close(); err != nil {
			t.Fatal(err)
		}
		b = reopened(t, path)
		if diff := cmp.Diff(want, b.List(), prefixes); diff != "" {
			t.Fatal(diff)
		}
		if b.entries[gone.ID] == nil || b.Locked("r", "", []string{"admin"}) != nil {
			t.Error("the lift is forgotten")
		}
	}
	info, err := os.Stat(path)
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Error(info.Mode(), err)
	}
	if left, err := filepath.Glob(filepath.Join(filepath.Dir(path), "*")); err != nil || len(left) != 1 {
		t.Error(left, err)
	}
}

// The largest order that may be given can be read again.
func TestLargest(t *testing.T) {
	path := file(t)
	b := reopened(t, path)
	full := func(n int) string { return strings.Repeat(`"`, n) }
	o := Order{Kind: Lockdown, Route: full(maxName), Tenant: full(maxValue), Reason: strings.Repeat("\u2028", maxValue/3), By: full(maxName)}
	for range maxRoles {
		o.Roles = append(o.Roles, full(maxName))
	}
	want := give(t, b, o)
	if err := b.Close(); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]Order{want}, reopened(t, path).List(), prefixes); diff != "" {
		t.Error(diff)
	}
}

const order1 = `{"order":{"id":"A","kind":"lockdown","all":true,"at":"2026-01-01T00:00:00Z"}}` + "\n"

// A file that cannot be read is an error that names the line and says what to do.
// It is left as it is.
func TestCorrupt(t *testing.T) {
	for name, tt := range map[string]struct{ text, want string }{
		"empty":               {"", ":1: this is not"},
		"something else":      {`{"orders":[]}` + "\n", ":1: this is not"},
		"another version":     {strings.Replace(header, "1", "2", 1), ":1: this is not"},
		"half a header":       {header[:10], ":1: this is not"},
		"not JSON":            {header + order1 + "x\n" + order1, ":3: it is not the JSON"},
		"an empty line":       {header + "\n", ":2: it is not the JSON"},
		"NUL":                 {header + order1 + "\x00\x00\n", ":3: it is not the JSON"},
		"half a line":         {header + order1[:30] + "\n", ":2: it is not the JSON"},
		"another field":       {header + strings.Replace(order1, "all", "hall", 1), ":2: it is not the JSON"},
		"an order of nothing": {header + strings.Replace(order1, "true", "false", 1), ":2: a lockdown names"},
		"a long line":         {header + strings.Repeat("x", 2*maxRecord) + "\n", ":2: "},
	} {
		path := filepath.Join(t.TempDir(), "orders.json")
		if err := os.WriteFile(path, []byte(tt.text), 0o600); err != nil {
			t.Fatal(err)
		}
		for _, open := range []func(Settings) (*Book, error){
			Rehearse, func(s Settings) (*Book, error) { return Open(s, nil) },
		} {
			_, err := open(Settings{Keep: day, File: path})
			if err == nil || !strings.HasPrefix(err.Error(), path+tt.want) || !strings.Contains(err.Error(), "put a good copy in its place, or remove it") {
				t.Errorf("%s: %v", name, err)
			}
		}
		if left, err := os.ReadFile(path); err != nil || string(left) != tt.text {
			t.Errorf("%s: the file was changed: %q %v", name, left, err)
		}
	}
}

// A last line without an end was never promised to anybody.
func TestTorn(t *testing.T) {
	path := filepath.Join(t.TempDir(), "orders.json")
	for _, tail := range []string{order1[:40], strings.TrimSuffix(order1, "\n"), "\x00\x00\x00"} {
		if err := os.WriteFile(path, []byte(header+order1+tail), 0o600); err != nil {
			t.Fatal(err)
		}
		b := reopened(t, path)
		if got := b.List(); len(got) != 1 || got[0].ID != "A" {
			t.Errorf("%q: %v", tail, got)
		}
		o := give(t, b, tenant("t"))
		if b = reopened(t, path); !knows(b, o.ID)() || len(b.List()) != 2 {
			t.Errorf("%q: what follows is lost: %v", tail, b.List())
		}
	}
}

// A rehearsal knows what is on disk and leaves it alone.
func TestRehearse(t *testing.T) {
	path := file(t)
	b, err := Rehearse(Settings{Keep: day, File: path})
	if err != nil {
		t.Fatal(err)
	}
	give(t, b, tenant("t"))
	if _, err := os.Stat(path); !os.IsNotExist(err) {
		t.Errorf("it made something: %v", err)
	}
	serving := reopened(t, path)
	before := give(t, serving, tenant("t"))
	if b, err = Rehearse(Settings{Keep: day, File: path}); err != nil || !knows(b, before.ID)() {
		t.Errorf("%v", err)
	}
	after := give(t, serving, tenant("t"))
	if !knows(reopened(t, path), after.ID)() {
		t.Error("the rehearsal took the file away")
	}
}

// A folder that takes nothing is an error at start.
func TestUnwritable(t *testing.T) {
	path := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(path, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(Settings{Keep: day, File: filepath.Join(path, "orders.json")}, nil); err == nil {
		t.Error("orders are kept in a file that is a folder")
	}
}

// A disk that fails under way is told, what is given holds all the same, and all
// of it is written when the disk is well.
func TestDiskFails(t *testing.T) {
	path := file(t)
	b := reopened(t, path)
	folder := filepath.Dir(path)
	if err := os.Rename(folder, folder+"-away"); err != nil {
		t.Fatal(err)
	}
	b.journal.mu.Lock()
	_ = b.journal.file.Close() // what is written now fails
	b.journal.mu.Unlock()
	o, shared, err := b.Give(t.Context(), tenant("t"))
	if err == nil || !shared || o.ID == "" || !knows(b, o.ID)() || b.Trouble() == nil {
		t.Errorf("%+v %t %v, trouble %v", o, shared, err, b.Trouble())
	}
	if err := os.Rename(folder+"-away", folder); err != nil {
		t.Fatal(err)
	}
	b.sweep(t.Context())
	if err := b.Trouble(); err != nil || !knows(reopened(t, path), o.ID)() {
		t.Errorf("not written: %v", err)
	}
}

// The file does not grow with what is over.
func TestCompaction(t *testing.T) {
	path := file(t)
	synctest.Test(t, func(t *testing.T) {
		b := open(t, Settings{File: path, Keep: time.Hour})
		keep := give(t, b, Order{Kind: Lockdown, Route: "r"})
		const n = surplus + 10
		for range n {
			give(t, b, tenant("t"))
		}
		if got := lines(t, path); got != n+2 {
			t.Fatalf("%d lines", got)
		}
		time.Sleep(time.Hour + slack + 2*sweepEvery)
		synctest.Wait()
		if got := lines(t, path); got != 2 {
			t.Errorf("%d lines are left", got)
		}
		if got := b.List(); len(got) != 1 || got[0].ID != keep.ID || len(b.entries) != 1 {
			t.Errorf("%v", got)
		}
		if r, l, n := b.Count(); r != 0 || l != 1 || n != 0 {
			t.Errorf("%d revocations, %d lockdowns, %d blocks", r, l, n)
		}
		after := give(t, b, tenant("t"))
		if !knows(open(t, Settings{File: path}), after.ID)() {
			t.Error("the file is not in use any more")
		}
	})
}

func lines(t *testing.T, path string) int {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return strings.Count(string(text), "\n")
}

// Many who write at once all find what they wrote.
func TestConcurrentWriters(t *testing.T) {
	path := file(t)
	b := reopened(t, path)
	var wg sync.WaitGroup
	for range 16 {
		wg.Go(func() {
			for range 10 {
				o, _, err := b.Give(t.Context(), tenant("t"))
				if err != nil {
					t.Error(err)
					return
				}
				text, err := os.ReadFile(path)
				if err != nil || !strings.Contains(string(text), o.ID) {
					t.Errorf("%s was given and is not on disk: %v", o.ID, err)
				}
			}
		})
	}
	wg.Wait()
	if got := len(reopened(t, path).List()); got != 160 {
		t.Errorf("%d orders", got)
	}
}

// TestMain runs this in a process of its own, which gives orders without end and
// says each that was given.
func child(path string) error {
	b, err := Open(Settings{Keep: day, File: path}, nil)
	if err != nil {
		return err
	}
	for {
		o, _, err := b.Give(context.Background(), tenant("t"))
		if err != nil {
			return err
		}
		fmt.Println(o.ID)
	}
}

// A process that is killed at any moment has kept everything it gave.
func TestKilled(t *testing.T) {
	path := file(t)
	var given []string
	for round := range 5 {
		cmd := exec.Command(os.Args[0])
		cmd.Env = append(os.Environ(), childFile+"="+path)
		cmd.Stderr = os.Stderr
		out, err := cmd.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		in := bufio.NewScanner(out)
		for n := 0; in.Scan(); n++ {
			given = append(given, in.Text())
			if n == 10+3*round {
				_ = cmd.Process.Kill()
			}
		}
		if err := cmd.Wait(); err == nil {
			t.Fatal("it was not killed")
		}
	}
	b := reopened(t, path)
	for _, id := range given {
		if !knows(b, id)() {
			t.Errorf("%s was given and is lost", id)
		}
	}
	if len(given) < 50 {
		t.Errorf("only %d were given", len(given))
	}
}

// What has expired is still in the file for a while, and does not take the room of
// what counts.
func TestExpiredInTheFile(t *testing.T) {
	path := file(t)
	old := header
	for i := range 30 {
		old += fmt.Sprintf(`{"order":{"id":"O%d","kind":"revocation","tenant":"t","issued_before":"2020-01-01T00:00:00Z","at":"2020-01-01T00:00:00Z","until":"2020-02-01T00:00:00Z"}}`+"\n", i)
		old += fmt.Sprintf(`{"lift":{"id":"L%d","at":"2020-01-01T00:00:00Z","until":"2021-01-01T00:00:00Z"}}`+"\n", i)
	}
	lifted := strings.Replace(order1, `"A"`, `"B"`, 1) + `{"lift":{"id":"B","at":"2020-01-01T00:00:00Z","until":"2021-01-01T00:00:00Z"}}` + "\n"
	if err := os.WriteFile(path, []byte(old+order1+lifted), 0o600); err != nil {
		t.Fatal(err)
	}
	b := open(t, Settings{File: path, most: 20})
	if l := b.List(); len(l) != 1 || l[0].ID != "A" {
		t.Errorf("%v", l)
	}
	if _, err := Rehearse(Settings{Keep: day, File: path, most: 1}); err != nil {
		t.Error(err)
	}
}

// A file that could not be written is written when it can be, whatever becomes of
// Redis.
func TestDiskFailsAndRedis(t *testing.T) {
	path := file(t)
	s := storetest.Start(t)
	b, err := read(Settings{Keep: day, File: path})
	if err != nil {
		t.Fatal(err)
	}
	b.journal = &journal{path: path, all: b.records}
	defer b.Close()
	b.Use(b.settings, s.Patient(false))
	b.turn(t.Context())
	gone := give(t, b, Order{Kind: Revocation, Tenant: "gone"})
	if err := os.Rename(filepath.Dir(path), filepath.Dir(path)+"-away"); err != nil {
		t.Fatal(err)
	}
	b.journal.close() // what is written now fails
	o, _, err := b.Give(t.Context(), tenant("t"))
	if err == nil {
		t.Fatal("it was written")
	}
	b.turn(t.Context())
	b.mu.Lock()
	b.entries[gone.ID].order.Until = time.Now().Add(-2 * slack) // it is to be removed
	b.mu.Unlock()
	s.Kill()
	if err := os.Rename(filepath.Dir(path)+"-away", filepath.Dir(path)); err != nil {
		t.Fatal(err)
	}
	b.sweep(t.Context())
	if !knows(reopened(t, path), o.ID)() {
		t.Errorf("it is not in the file: %v", b.Trouble())
	}
}

// Two processes that were given one folder: the one whose file was replaced says
// so when it is told something, and by itself, and leaves the other's alone.
func TestTwoOfOneFile(t *testing.T) {
	path := file(t)
	a := reopened(t, path)
	first := give(t, a, tenant("t"))
	b := reopened(t, path)
	a.sweep(t.Context())
	if err := a.Trouble(); err == nil || !strings.Contains(err.Error(), "replaced by another process") {
		t.Errorf("nobody is told: %v", err)
	}
	o, _, err := a.Give(t.Context(), tenant("lost"))
	if err == nil || o.ID == "" {
		t.Errorf("it is said to be kept: %v", err)
	}
	second := give(t, b, tenant("u"))
	if err := errors.Join(a.Close(), b.Close()); err != nil {
		t.Fatal(err)
	}
	c := reopened(t, path)
	if !knows(c, first.ID)() || !knows(c, second.ID)() || b.Trouble() != nil {
		t.Error(c.List(), b.Trouble())
	}
}

// A file that somebody has removed is written anew.
func TestFileRemoved(t *testing.T) {
	path := file(t)
	a := reopened(t, path)
	first := give(t, a, tenant("t"))
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	second := give(t, a, tenant("u"))
	if err := a.Close(); err != nil {
		t.Fatal(err)
	}
	if c := reopened(t, path); !knows(c, first.ID)() || !knows(c, second.ID)() {
		t.Error(c.List())
	}
}
