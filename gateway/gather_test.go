package gateway

import (
	"errors"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gatehouse-dev/gatehouse/config"
	"github.com/gatehouse-dev/gatehouse/middleware/audit"
)

// writes is an output that keeps each write, and may fail.
type writes struct {
	got []string
	err error
}

func (w *writes) Write(p []byte) (int, error) {
	w.got = append(w.got, string(p))
	return len(p), w.err
}

func (w *writes) Sync() error { return nil }

// Lines of many exchanges at once are written in one go, none later than it takes
// to gather them, none out of order, and none is lost.
func TestGatherer(t *testing.T) {
	long := strings.Repeat("x", gatherSize-1)
	for name, tt := range map[string]struct {
		running int64
		do      func(g *gatherer)
		want    []string // writes
	}{
		"one exchange":            {1, func(g *gatherer) { put(g, "a", "b") }, []string{"a", "b"}},
		"some exchanges":          {many - 1, func(g *gatherer) { put(g, "a", "b") }, []string{"a", "b"}},
		"a crowd":                 {many, func(g *gatherer) { put(g, "a", "b", "c") }, []string{"abc"}},
		"for a moment":            {many, func(g *gatherer) { put(g, "a"); time.Sleep(2 * gatherFor); put(g, "b", "c") }, []string{"a", "bc"}},
		"fewer in between":        {many, func(g *gatherer) { put(g, "a"); g.running.Store(1); put(g, "b") }, []string{"ab"}},
		"fewer later":             {many, func(g *gatherer) { put(g, "a"); time.Sleep(2 * gatherFor); g.running.Store(1); put(g, "b", "c") }, []string{"a", "b", "c"}},
		"a message":               {many, func(g *gatherer) { put(g, "a"); _, _ = g.Write([]byte("m")); put(g, "b") }, []string{"a", "m", "b"}},
		"synced":                  {many, func(g *gatherer) { put(g, "a"); _ = g.Sync(); put(g, "b") }, []string{"a", "b"}},
		"as much as is gathered":  {many, func(g *gatherer) { put(g, long, "a", "b") }, []string{long + "a", "b"}},
		"a line longer than that": {many, func(g *gatherer) { put(g, "a", long+long+long, "b") }, []string{"a", long + long + long, "b"}},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				out := &writes{}
				g := &gatherer{out: out}
				g.running.Store(tt.running)
				tt.do(g)
				time.Sleep(2 * gatherFor)
				synctest.Wait()
				if !slices.Equal(out.got, tt.want) {
					t.Errorf("%.90q was written, want %.90q", out.got, tt.want)
				}
			})
		})
	}
}

func put(g *gatherer, lines ...string) {
	for _, l := range lines {
		_, _ = gathered{g}.Write([]byte(l))
	}
}

// That gathered lines could not be written is told to who writes next, once.
func TestGathererTellsOfErrors(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		full := errors.New("no space left")
		out := &writes{err: full}
		g := &gatherer{out: out}
		g.running.Store(many)
		if _, err := (gathered{g}).Write([]byte("a")); err != nil {
			t.Errorf("a line that waits: %v", err)
		}
		time.Sleep(2 * gatherFor)
		synctest.Wait()
		out.err = nil
		for i, want := range []error{full, nil} {
			if _, err := g.Write([]byte("m")); !errors.Is(err, want) {
				t.Errorf("write %d says %v, want %v", i, err, want)
			}
		}
	})
}

// What was gathered before a file is opened anew, or closed, is in it.
func TestGatheredLinesStayWithTheirFile(t *testing.T) {
	name := filepath.Join(t.TempDir(), "access.log")
	l, err := OpenLog(config.Log{Level: "info", Output: name}, io.Discard, io.Discard)
	if err != nil {
		t.Fatal(err)
	}
	for range many {
		l.enter()
	}
	l.access(&audit.Record{ID: "one"}, "")
	if err := os.Rename(name, name+".1"); err != nil {
		t.Fatal(err)
	}
	if err := l.Reopen(); err != nil {
		t.Fatal(err)
	}
	l.access(&audit.Record{ID: "two"}, "")
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	for file, want := range map[string]string{name + ".1": "one", name: "two"} {
		b, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if got := string(b); strings.Count(got, "\n") != 1 || !strings.Contains(got, `"request_id":"`+want+`"`) {
			t.Errorf("%s has %q, want the line of %s", filepath.Base(file), got, want)
		}
	}
}
