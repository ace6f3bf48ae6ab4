package gateway

import (
	"errors"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
)

// thing is something that plans share.
type thing struct {
	name   string
	closed *[]string
}

func (t *thing) Close() error {
	*t.closed = append(*t.closed, t.name)
	return nil
}

func TestShared(t *testing.T) {
	var s Shared
	var closed []string
	opened := 0
	get := func(l *lease, kind, settings string) *thing {
		t.Helper()
		v, err := hold(l, kind, settings, func() (*thing, error) {
			opened++
			return &thing{kind + " " + settings, &closed}, nil
		})
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
	first, second := &lease{from: &s}, &lease{from: &s}
	a := get(first, "upstream", "1")
	if get(first, "upstream", "1") != a || get(second, "upstream", "1") != a {
		t.Error("the same settings are not the same thing")
	}
	if get(first, "issuer", "1") == a || get(second, "upstream", "2") == a {
		t.Error("another kind or other settings are the same thing")
	}
	if opened != 3 {
		t.Errorf("%d things were opened", opened)
	}
	first.release()
	if want := []string{"issuer 1"}; !slices.Equal(closed, want) {
		t.Errorf("closed %q, want %q", closed, want)
	}
	first.release() // a second time gives nothing back
	fresh := &lease{from: &s}
	if get(fresh, "upstream", "1") != a {
		t.Error("what is still held was opened again")
	}
	fresh.release()
	second.release()
	if want := []string{"issuer 1", "upstream 2", "upstream 1"}; !slices.Equal(closed, want) {
		t.Errorf("closed %q, want %q: last opened, first closed", closed, want)
	}
	if len(s.m) != 0 {
		t.Errorf("%d are still held", len(s.m))
	}
	third := &lease{from: &s}
	if get(third, "upstream", "1") == a {
		t.Error("what was closed is used again")
	}
	third.release()
}

func TestSharedFailure(t *testing.T) {
	var s Shared
	l := &lease{from: &s}
	no := errors.New("no")
	if _, err := hold(l, "x", 1, func() (int, error) { return 0, no }); !errors.Is(err, no) {
		t.Errorf("got %v", err)
	}
	if _, err := hold(l, "x", func() {}, func() (int, error) { return 0, nil }); err == nil {
		t.Error("settings that cannot be told apart were taken")
	}
	if _, err := hold(l, "x", 1, func() (int, error) { return 7, nil }); err != nil {
		t.Errorf("a failure was kept: %v", err)
	}
	if _, err := hold(l, "x", 1, func() (string, error) { return "", nil }); err == nil {
		t.Error("a thing of another type was given")
	}
	l.release()
	if len(s.m) != 0 {
		t.Errorf("%d are still held", len(s.m))
	}
}

func TestSharedByMany(t *testing.T) {
	var s Shared
	var wg sync.WaitGroup
	var opened, closed atomic.Int64
	for range 8 {
		wg.Go(func() {
			for i := range 200 {
				l := &lease{from: &s}
				for _, settings := range []int{1, i % 3} {
					v, err := hold(l, "x", settings, func() (*once, error) {
						opened.Add(1)
						return &once{all: &closed}, nil
					})
					if err != nil || v.closed.Load() {
						t.Errorf("closed while it was held, or %v", err)
					}
				}
				l.release()
			}
		})
	}
	wg.Wait()
	if len(s.m) != 0 || opened.Load() != closed.Load() {
		t.Errorf("%d are still held; %d were opened and %d closed", len(s.m), opened.Load(), closed.Load())
	}
}

// once is something that is closed once.
type once struct {
	closed atomic.Bool
	all    *atomic.Int64
}

func (o *once) Close() error {
	if o.closed.Swap(true) {
		panic("closed twice")
	}
	o.all.Add(1)
	return nil
}
