package record

import (
	"bytes"
	"errors"
	"io"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/gatehouse-dev/gatehouse/policies"
)

// block is an output that takes nothing until it is let go.
type block struct {
	entered, free chan struct{}
	once          sync.Once
	bytes.Buffer
}

func (b *block) Write(p []byte) (int, error) {
	b.once.Do(func() { close(b.entered) })
	<-b.free
	return b.Buffer.Write(p)
}

// TestFullQueue: where the output hangs, decisions are dropped and counted, and
// nobody waits.
func TestFullQueue(t *testing.T) {
	out := &block{entered: make(chan struct{}), free: make(chan struct{})}
	lost := 0
	w := Open(Options{Output: out, Queue: 3, Lost: func(why string) {
		if why != LostQueue {
			t.Errorf("lost by %s", why)
		}
		lost++
	}})
	w.Write(entry(question(), allowed()))
	<-out.entered
	for range 5 {
		w.Write(entry(question(), allowed()))
	}
	if lost != 2 {
		t.Errorf("%d lost, want 2", lost)
	}
	close(out.free)
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	if n := strings.Count(out.String(), "\n"); n != 4 {
		t.Errorf("%d lines, want 4", n)
	}
	w.Write(entry(question(), allowed()))
	if lost != 3 {
		t.Error("a decision that came after Close was not counted")
	}
}

// TestHeavyQuestions: the queue is bounded in bytes, too.
func TestHeavyQuestions(t *testing.T) {
	out := &block{entered: make(chan struct{}), free: make(chan struct{})}
	lost := 0
	w := Open(Options{Output: out, Queue: 100, Bodies: true, Lost: func(string) { lost++ }})
	w.limit = 64 << 10
	w.Write(entry(question(), allowed()))
	<-out.entered
	heavy := question()
	heavy.Body = map[string]any{"file": strings.Repeat("x", 20<<10)}
	for range 5 {
		w.Write(entry(heavy, allowed()))
	}
	if lost != 2 {
		t.Errorf("%d of 5 bodies of 20 KiB did not fit, want 2", lost)
	}
	close(out.free)
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	if got := w.bytes.Load(); got != 0 {
		t.Errorf("%d bytes are still counted", got)
	}
}

type broken struct{}

func (broken) Write([]byte) (int, error) { return 0, errors.New("disk full") }

// TestLostWrites: what the output refuses is counted, and so is what cannot be
// written at all; the writer goes on.
func TestLostWrites(t *testing.T) {
	var lost []string
	w := Open(Options{Output: broken{}, Queue: 4, Lost: func(why string) { lost = append(lost, why) }})
	e := entry(question(), allowed())
	e.Labels = func(*policies.Input) map[string][]string { panic("labels") }
	w.Write(e)
	w.Write(entry(question(), allowed()))
	w.Write(Entry{}) // nothing was asked
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{LostWrite, LostWrite}, lost); diff != "" {
		t.Error(diff)
	}
}

// TestManyAtOnce: lines stay whole, and none is lost where there is room.
func TestManyAtOnce(t *testing.T) {
	var out bytes.Buffer
	w := Open(Options{Output: &out, Queue: 1000, Lost: func(why string) { t.Errorf("lost: %s", why) }})
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for range 50 {
				w.Write(entry(question(), allowed()))
			}
		})
	}
	wg.Wait()
	if err := errors.Join(w.Close(), w.Close()); err != nil {
		t.Fatal(err)
	}
	n := 0
	for r := NewReader(&out); ; n++ {
		if _, err := r.Next(); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			t.Fatal(err)
		}
	}
	if n != 400 {
		t.Errorf("%d records, want 400", n)
	}
}
