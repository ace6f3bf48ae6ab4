package bundle_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gatehouse-dev/gatehouse/policies/opa/bundle"
)

// place is where bundles are published, and a gateway's cache.
type place struct {
	t       testing.TB
	private []byte
	options bundle.Options
}

func newPlace(t testing.TB) *place {
	t.Helper()
	private, public := pair(t)
	dir := t.TempDir()
	cache := filepath.Join(dir, "cache")
	if err := os.Mkdir(cache, 0o755); err != nil {
		t.Fatal(err)
	}
	p := &place{t, private, bundle.Options{
		Source: filepath.Join(dir, "p.tar.gz"), Keys: map[string]string{"k1": filepath.Join(dir, "k1.pem")}, Cache: cache,
	}}
	p.write(p.options.Keys["k1"], public)
	return p
}

func (p *place) write(name string, content []byte) {
	p.t.Helper()
	if err := os.WriteFile(name, content, 0o644); err != nil {
		p.t.Fatal(err)
	}
}

// made is a bundle whose policy says so.
func (p *place) made(serial int64, says string) []byte {
	p.t.Helper()
	return build(p.t, map[string][]byte{"p.rego": []byte("package p\n\nx := \"" + says + "\"\n")}, serial, p.private, "k1")
}

func (p *place) open() *bundle.Source {
	p.t.Helper()
	s, err := bundle.Open(p.options)
	if err != nil {
		p.t.Fatal(err)
	}
	p.t.Cleanup(func() { s.Close() })
	return s
}

// take fetches and accepts.
func (p *place) take(s *bundle.Source, serial int64) {
	p.t.Helper()
	b, err := s.Fetch(context.Background())
	if err == nil {
		err = s.Accept(b)
	}
	if err != nil || b.Serial != serial {
		p.t.Fatalf("bundle %+v, error %v, want serial %d", b, err, serial)
	}
}

func (p *place) refused(s *bundle.Source, want string) {
	p.t.Helper()
	if b, err := s.Fetch(context.Background()); b != nil || err == nil || !strings.Contains(err.Error(), want) {
		p.t.Errorf("bundle %v, error %v, want %s", b, err, want)
	}
}

func (p *place) cached() []string {
	p.t.Helper()
	entries, err := os.ReadDir(p.options.Cache)
	if err != nil {
		p.t.Fatal(err)
	}
	var names []string
	for _, e := range entries {
		names = append(names, e.Name())
	}
	return names
}

func TestNeverBack(t *testing.T) {
	p := newPlace(t)
	s := p.open()
	p.write(p.options.Source, p.made(7, "a"))
	p.take(s, 7)
	p.take(s, 7) // the same once more
	p.write(p.options.Source, p.made(8, "b"))
	p.take(s, 8)
	if got := p.cached(); !slices.Equal(got, []string{"accepted.json", "last-good.tar.gz"}) {
		t.Errorf("cache %v", got)
	}
	// Neither while it runs, nor after a start.
	for range 2 {
		p.write(p.options.Source, p.made(7, "a"))
		p.refused(s, "serial 7, after 8")
		p.write(p.options.Source, p.made(8, "c"))
		p.refused(s, "serial 8 was another bundle before")
		s = p.open()
	}
	// A bundle that was fetched, and overtaken before it was accepted.
	p.write(p.options.Source, p.made(9, "d"))
	late, err := s.Fetch(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	p.write(p.options.Source, p.made(10, "e"))
	p.take(s, 10)
	if err := s.Accept(late); err == nil {
		t.Error("an older bundle was accepted")
	}
	// What was refused by others leaves no trace.
	p.write(p.options.Source, p.made(12, "f"))
	if _, err := s.Fetch(t.Context()); err != nil {
		t.Fatal(err)
	}
	p.write(p.options.Source, p.made(11, "g"))
	p.take(s, 11)
}

func TestLastGood(t *testing.T) {
	p := newPlace(t)
	s := p.open()
	if b, err := s.LastGood(); b != nil || err == nil {
		t.Errorf("bundle %v, error %v before there was one", b, err)
	}
	p.write(p.options.Source, p.made(7, "a"))
	p.take(s, 7)
	if b, err := s.LastGood(); b != nil || err == nil {
		t.Errorf("bundle %v, error %v while one is in force", b, err)
	}
	if err := os.Remove(p.options.Source); err != nil {
		t.Fatal(err)
	}
	s = p.open()
	p.refused(s, "no such file")
	if s.Err() == nil {
		t.Error("the missing file is not told")
	}
	b, err := s.LastGood()
	if err != nil || b.Serial != 7 || !bytes.Contains(b.Files["p.rego"], []byte(`"a"`)) {
		t.Fatalf("bundle %+v, error %v", b, err)
	}
	if err := s.Accept(b); err != nil {
		t.Error(err)
	}
	// It is verified like any other.
	kept := filepath.Join(p.options.Cache, "last-good.tar.gz")
	for want, content := range map[string][]byte{
		"is not a .tar.gz": []byte("x"),
		"serial 6":         p.made(6, "old"),
		"another bundle":   p.made(7, "b"),
		"verify":           build(t, sample(), 9, signedByAnother(t), "k1"),
	} {
		p.write(kept, content)
		if b, err := p.open().LastGood(); b != nil || err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("bundle %v, error %v, want %s", b, err, want)
		}
	}
	// After a crash between the two files the bundle is newer than the number.
	p.write(kept, p.made(8, "c"))
	if b, err := p.open().LastGood(); err != nil || b.Serial != 8 {
		t.Errorf("bundle %v, error %v", b, err)
	}
}

func signedByAnother(t *testing.T) []byte {
	t.Helper()
	private, _ := pair(t)
	return private
}

func TestCacheThatCannotBeRead(t *testing.T) {
	p := newPlace(t)
	for _, text := range []string{"", "{", "{}", `{"serial": 0, "content": "x"}`, `{"serial": 3}`, `{"serial": "7", "content": "x"}`} {
		p.write(filepath.Join(p.options.Cache, "accepted.json"), []byte(text))
		if s, err := bundle.Open(p.options); s != nil || err == nil || !strings.Contains(err.Error(), "does not tell which bundle was the last") {
			t.Errorf("%q: source %v, error %v", text, s, err)
		}
	}
}

func TestCacheThatCannotBeWritten(t *testing.T) {
	p := newPlace(t)
	s := p.open()
	p.write(p.options.Source, p.made(7, "a"))
	if err := os.RemoveAll(p.options.Cache); err != nil {
		t.Fatal(err)
	}
	b, err := s.Fetch(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Accept(b); err == nil || !strings.Contains(err.Error(), "cannot be kept") {
		t.Errorf("error %v", err)
	}
}

func TestRehearsalWritesNothing(t *testing.T) {
	p := newPlace(t)
	p.options.Rehearsal = true
	p.write(p.options.Source, p.made(7, "a"))
	p.take(p.open(), 7)
	if got := p.cached(); len(got) > 0 {
		t.Errorf("cache %v", got)
	}
}

func TestOpenWithoutKeys(t *testing.T) {
	p := newPlace(t)
	p.options.Keys = map[string]string{"k1": "no/such/file"}
	if s, err := bundle.Open(p.options); s != nil || err == nil || !strings.Contains(err.Error(), "key k1") {
		t.Errorf("source %v, error %v", s, err)
	}
}

// server answers in the place of the network.
type server struct {
	mu sync.Mutex
	answers
}

// answers are what it does, and has seen.
type answers struct {
	body   []byte
	etag   string
	status int
	err    error
	hangs  bool // until the client gives up
	asked  []time.Time
	known  []string // If-None-Match
}

// do changes or reads them.
func (s *server) do(f func(a *answers)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	f(&s.answers)
}

func (s *server) RoundTrip(r *http.Request) (*http.Response, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.asked = append(s.asked, time.Now())
	s.known = append(s.known, r.Header.Get("If-None-Match"))
	if s.hangs {
		s.mu.Unlock()
		<-r.Context().Done()
		s.mu.Lock()
		return nil, r.Context().Err()
	}
	if s.err != nil {
		return nil, s.err
	}
	res := &http.Response{
		StatusCode: s.status, Status: http.StatusText(s.status), Header: http.Header{"Etag": {s.etag}, "Location": {"/other"}},
		Body: io.NopCloser(bytes.NewReader(s.body)), Request: r,
	}
	if s.status == http.StatusOK && s.etag != "" && r.Header.Get("If-None-Match") == s.etag {
		res.StatusCode, res.Body = http.StatusNotModified, http.NoBody
	}
	return res, nil
}

func TestPolling(t *testing.T) {
	p := newPlace(t)
	candidate := bundle.Candidate(p.options.Cache)
	synctest.Test(t, func(t *testing.T) {
		web := &server{answers: answers{body: p.made(7, "a"), etag: `"a"`, status: http.StatusOK}}
		p.options.Source, p.options.Transport, p.options.Poll = "https://bundles.example.com/p.tar.gz?key=hidden", web, time.Minute
		s, err := bundle.Open(p.options)
		if err != nil {
			t.Fatal(err)
		}
		defer s.Close()
		wait := func(d time.Duration) {
			time.Sleep(d)
			synctest.Wait()
		}
		p.take(s, 7)
		wait(10 * time.Minute)
		web.do(func(a *answers) {
			if n := len(a.asked); n < 9 || n > 12 {
				t.Errorf("asked %d times in ten minutes", n)
			}
			if a.known[0] != "" || slices.ContainsFunc(a.known[1:], func(e string) bool { return e != `"a"` }) {
				t.Errorf("asked by ETags %q", a.known)
			}
			gaps := map[time.Duration]bool{}
			for i, at := range a.asked[2:] {
				gaps[at.Sub(a.asked[i+1])] = true
			}
			if len(gaps) < 2 {
				t.Errorf("always %v apart: gateways would ask all at once", gaps)
			}
		})
		if _, err := os.Stat(candidate); !errors.Is(err, os.ErrNotExist) {
			t.Errorf("a candidate without a change: %v", err)
		}
		// Another bundle, with no ETag.
		second := p.made(8, "b")
		publish := func(body []byte) { web.do(func(a *answers) { a.body, a.etag = body, "" }) }
		publish(second)
		wait(2 * time.Minute)
		if text, err := os.ReadFile(candidate); err != nil || !bytes.Equal(text, second) {
			t.Errorf("candidate of %d bytes, error %v", len(text), err)
		}
		p.take(s, 8)
		if err := os.Remove(candidate); err != nil {
			t.Fatal(err)
		}
		wait(5 * time.Minute)
		if _, err := os.Stat(candidate); err == nil {
			t.Error("the same answer is taken for a change")
		}

		// What is wrong is handed on too, so that it is told, and refused.
		publish([]byte("<html>Sign in to the network</html>"))
		wait(2 * time.Minute)
		if _, err := os.Stat(candidate); err != nil {
			t.Error(err)
		}
		p.refused(s, "is not a .tar.gz")
		publish(p.made(7, "a"))
		wait(2 * time.Minute)
		p.refused(s, "serial 7, after 8")
		publish(second)
		wait(2 * time.Minute)
		p.take(s, 8)
	})
}

func TestPollingThatFails(t *testing.T) {
	p := newPlace(t)
	synctest.Test(t, func(t *testing.T) {
		web := &server{answers: answers{body: p.made(7, "a"), etag: `"a"`, status: http.StatusOK}}
		p.options.Source, p.options.Transport = "https://bundles.example.com/p.tar.gz?key=hidden", web
		p.options.Poll, p.options.Size = 10*time.Second, 64<<10
		s, err := bundle.Open(p.options)
		if err != nil {
			t.Fatal(err)
		}
		p.take(s, 7)
		good := p.made(7, "a")
		times := func() (n int) {
			web.do(func(a *answers) { n = len(a.asked) })
			return n
		}
		fail := func(want string, like answers) {
			t.Helper()
			web.do(func(a *answers) { *a = like })
			time.Sleep(2 * time.Hour)
			synctest.Wait()
			if err := s.Err(); err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "hidden") {
				t.Errorf("error %v, want %s", err, want)
			}
			// Seven that double, then one each quarter of an hour.
			if n := times(); n < 8 || n > 20 {
				t.Errorf("%s: asked %d times in two hours", want, n)
			}
			p.take(s, 7) // what there was is still there
			web.do(func(a *answers) { *a = answers{body: good, status: http.StatusOK} })
			time.Sleep(20 * time.Minute)
			synctest.Wait()
			if s.Err() != nil || times() < 10 {
				t.Errorf("%s: after it is over error %v, asked %d times", want, s.Err(), times())
			}
		}
		fail("connection refused", answers{err: errors.New("connection refused")})
		fail("Internal Server Error", answers{status: http.StatusInternalServerError})
		fail("Found", answers{status: http.StatusFound})
		fail("deadline exceeded", answers{hangs: true})
		fail("larger than 65536 bytes", answers{status: http.StatusOK, body: make([]byte, 1<<20)})

		// Closing does not wait for an answer.
		web.do(func(a *answers) { a.hangs = true })
		time.Sleep(11 * time.Second)
		synctest.Wait()
		before := time.Now()
		s.Close()
		if d := time.Since(before); d > 0 {
			t.Errorf("closing took %v", d)
		}
	})
}

// Before the first answer there is nothing, and it is asked for at once.
func TestURLThatIsNotThere(t *testing.T) {
	p := newPlace(t)
	synctest.Test(t, func(t *testing.T) {
		web := &server{answers: answers{err: errors.New("connection refused")}}
		p.options.Source, p.options.Transport = "https://bundles.example.com/p.tar.gz", web
		s, err := bundle.Open(p.options)
		if err != nil {
			t.Fatal(err)
		}
		defer s.Close()
		p.refused(s, "connection refused")
		web.do(func(a *answers) { *a = answers{body: p.made(7, "a"), status: http.StatusOK} })
		time.Sleep(2 * bundle.DefaultPoll)
		synctest.Wait()
		if _, err := os.Stat(bundle.Candidate(p.options.Cache)); err != nil {
			t.Error(err)
		}
		p.take(s, 7)
	})
}
