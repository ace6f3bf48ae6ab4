package alert

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
)

func record1(n int) *record {
	r := &record{Event: found(address(n)), Finding: "f"}
	r.ID = newID()
	return r
}

func opened(t *testing.T, folder string, most int64) *spool {
	t.Helper()
	s, err := openSpool(folder, most)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// drain takes everything out, in the order in which it is given.
func drain(t *testing.T, s *spool) (out []string, lost int64) {
	t.Helper()
	for {
		r, n, ok, err := s.next()
		if !ok {
			return out, lost
		}
		if err != nil {
			out = append(out, err.Error())
			continue
		}
		out, lost = append(out, r.Client.String()), lost+r.Lost
		s.done(n)
	}
}

func files(t *testing.T, folder string) (out []string) {
	t.Helper()
	list, err := os.ReadDir(folder)
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range list {
		out = append(out, f.Name())
	}
	return out
}

// A spool gives back what was put into it, in order, whoever opens it.
func TestSpool(t *testing.T) {
	for name, folder := range map[string]string{"disk": filepath.Join(t.TempDir(), "a", "b"), "memory": ""} {
		s := opened(t, folder, 1<<20)
		for i := range 20 {
			if gone, err := s.put(record1(i)); gone > 0 || err != nil {
				t.Fatal(gone, err)
			}
		}
		if n, size, err := s.waiting(); n != 20 || size < 20*300 || err != nil {
			t.Errorf("%s: %d events, %d bytes, %v", name, n, size, err)
		}
		if folder != "" {
			for _, f := range files(t, folder) {
				info, err := os.Stat(filepath.Join(folder, f))
				if err != nil || info.Mode().Perm() != 0o600 || !strings.HasSuffix(f, eventEnding) {
					t.Errorf("%s: %v %v", f, info, err)
				}
			}
			if info, err := os.Stat(folder); err != nil || info.Mode().Perm() != 0o700 {
				t.Errorf("%v %v", info, err)
			}
			_, size, _ := s.waiting()
			if s = opened(t, folder, 1<<20); s.bytes != size || s.volatile() != 0 {
				t.Errorf("%d bytes, want %d; %d in memory", s.bytes, size, s.volatile())
			}
		}
		got, _ := drain(t, s)
		for i := range 20 {
			if len(got) != 20 || got[i] != address(i) {
				t.Fatalf("%s: %q", name, got)
			}
		}
		if n, size, _ := s.waiting(); n != 0 || size != 0 {
			t.Errorf("%s: %d events, %d bytes are left", name, n, size)
		}
		if folder != "" && len(files(t, folder)) != 0 {
			t.Errorf("%q are left", files(t, folder))
		}
	}
}

// Without room the oldest go, and what comes says how many went.
func TestSpoolIsBounded(t *testing.T) {
	folder := t.TempDir()
	for name, folder := range map[string]string{"disk": folder, "memory": ""} {
		s := opened(t, folder, 1<<20)
		if _, err := s.put(record1(0)); err != nil {
			t.Fatal(err)
		}
		s.most = s.bytes*10 + s.bytes/2
		gone := 0
		for i := range 49 {
			n, err := s.put(record1(i + 1))
			gone += n
			if err != nil || s.bytes > s.most {
				t.Fatal(s.bytes, err)
			}
		}
		if folder != "" {
			s = opened(t, folder, s.most) // it is known after a restart too
			s.most = s.bytes + 100
			n, err := s.put(record1(50))
			if gone += n; n == 0 || err != nil {
				t.Fatal(n, err)
			}
		}
		got, lost := drain(t, s)
		if int64(gone) != lost || gone == 0 || got[len(got)-1] != address(gone+len(got)-1) || got[0] != address(gone) {
			t.Errorf("%s: %d went, %d are told of; left %q", name, gone, lost, got)
		}
	}
	// What is being delivered stays.
	s := opened(t, "", 1)
	if _, err := s.put(record1(0)); err != nil {
		t.Fatal(err)
	}
	_, number, _, _ := s.next()
	for i := range 5 {
		_, _ = s.put(record1(i + 1))
	}
	if len(s.entries) != 2 || s.entries[0].number != number || s.entries[1].lost != 4 {
		t.Errorf("%+v", s.entries)
	}
}

// A file that is not what was written is set aside, and blocks no other.
func TestDamagedFiles(t *testing.T) {
	folder := t.TempDir()
	s := opened(t, folder, 1<<20)
	for i := range 6 {
		if _, err := s.put(record1(i)); err != nil {
			t.Fatal(err)
		}
	}
	list := files(t, folder)
	change := func(n int, f func(b []byte) []byte) {
		path := filepath.Join(folder, list[n])
		b, err := os.ReadFile(path)
		if err == nil {
			err = os.WriteFile(path, f(b), 0o600)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	change(0, func(b []byte) []byte { return b[:len(b)-10] })
	change(1, func([]byte) []byte { return nil })
	change(3, func(b []byte) []byte { return bytes.Replace(b, []byte("login"), []byte("other"), 1) })
	if err := os.Remove(filepath.Join(folder, list[4])); err != nil { // somebody has delivered it
		t.Fatal(err)
	}
	for _, odd := range []string{"00000000000000000001-0.event.part", "README", "x.event"} {
		if err := os.WriteFile(filepath.Join(folder, odd), nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	s = opened(t, folder, 1<<20)
	got, _ := drain(t, s)
	damaged := func(n int) string { return list[n] + ": " + errDamaged.Error() }
	want := strings.Join([]string{damaged(0), damaged(1), address(2), damaged(3), address(5)}, "\n")
	if strings.Join(got, "\n") != want {
		t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), want)
	}
	left := strings.Join(files(t, folder), " ")
	if want := strings.Join([]string{list[0] + damagedEnding, list[1] + damagedEnding, list[3] + damagedEnding, "README", "x.event"}, " "); left != want {
		t.Errorf("left %s, want %s", left, want)
	}
	if n, size, _ := s.waiting(); n != 0 || size != 0 {
		t.Errorf("%d events, %d bytes", n, size)
	}
	// Many of them do not fill the disk.
	for range 3 * maxDamaged {
		if _, err := s.put(record1(1)); err != nil {
			t.Fatal(err)
		}
	}
	for _, f := range files(t, folder) {
		if strings.HasSuffix(f, eventEnding) && f != "x.event" {
			if err := os.WriteFile(filepath.Join(folder, f), []byte("x"), 0o600); err != nil {
				t.Fatal(err)
			}
		}
	}
	drain(t, s)
	if n := len(files(t, folder)); n != maxDamaged+2 {
		t.Errorf("%d files", n)
	}
}

// A disk that takes nothing leaves memory, within the same bound.
func TestDiskFails(t *testing.T) {
	folder := filepath.Join(t.TempDir(), "siem")
	s := opened(t, folder, 1<<20)
	if _, err := s.put(record1(0)); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(folder, folder+"-gone"); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(folder, nil, 0o600); err != nil { // not even root can write into it
		t.Fatal(err)
	}
	for i := range 3 {
		if _, err := s.put(record1(i + 1)); err == nil {
			t.Fatal("no error")
		}
	}
	if n, _, err := s.waiting(); n != 4 || err == nil || s.volatile() != 3 {
		t.Errorf("%d wait, %d in memory: %v", n, s.volatile(), err)
	}
	if err := os.Remove(folder); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(folder+"-gone", folder); err != nil {
		t.Fatal(err)
	}
	if _, err := s.put(record1(4)); err != nil || s.volatile() != 3 {
		t.Errorf("the disk is back: %v", err)
	}
	if got, _ := drain(t, s); strings.Join(got, " ") != "10.0.0.0 10.0.0.1 10.0.0.2 10.0.0.3 10.0.0.4" {
		t.Errorf("%q", got)
	}
}

// Later is behind the others, and moving keeps the order.
func TestSpoolMoves(t *testing.T) {
	s, folder := opened(t, "", 1<<20), t.TempDir()
	for i := range 3 {
		_, _ = s.put(record1(i))
	}
	_, number, _, _ := s.next()
	s.later(number)
	to := opened(t, folder, 1<<20)
	if gone, damaged := to.move(s); gone+damaged != 0 {
		t.Error(gone, damaged)
	}
	if got, _ := drain(t, opened(t, folder, 1<<20)); strings.Join(got, " ") != "10.0.0.1 10.0.0.2 10.0.0.0" {
		t.Errorf("%q", got)
	}
}

// Many put and one takes.
func TestSpoolByMany(t *testing.T) {
	s := opened(t, t.TempDir(), 1<<20)
	var wait sync.WaitGroup
	for range 4 {
		wait.Go(func() {
			for i := range 50 {
				_, _ = s.put(record1(i))
			}
		})
	}
	n := 0
	for n < 200 {
		_, number, ok, err := s.next()
		if err != nil {
			t.Fatal(err)
		}
		if ok {
			s.done(number)
			n++
		} else {
			<-s.more
		}
	}
	wait.Wait()
	if left, size, _ := s.waiting(); left != 0 || size != 0 {
		t.Errorf("%d left, %d bytes", left, size)
	}
}
