package h1

import (
	"context"
	"testing"
	"testing/synctest"
)

// Whoever asks to be called when a request is over is called once, or not at all
// where he has taken it back: he, and nobody who asked after him.
func TestLifeCalls(t *testing.T) {
	const asks, stops, ends = 'a', 's', 'e'
	for name, tt := range map[string]struct {
		do   string // for one after another: each asks; s stops the first of them
		want []int  // how often each is called
	}{
		"one":                          {"ae", []int{1}},
		"one, ended twice":             {"aee", []int{1}},
		"one who stops":                {"ase", []int{0}},
		"one who stops late":           {"aes", []int{1}},
		"two":                          {"aae", []int{1, 1}},
		"two, the first stops":         {"aase", []int{0, 1}},
		"two in turn":                  {"asae", []int{0, 1}},
		"two in turn, he stops again":  {"asase", []int{0, 1}},
		"one who comes late":           {"ea", []int{1}},
		"three, the second comes last": {"aaea", []int{1, 1, 1}},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				l := &life{}
				called := make([]int, len(tt.want))
				var stop []func() bool
				for _, c := range tt.do {
					switch c {
					case asks:
						i := len(stop)
						stop = append(stop, l.AfterFunc(func() { called[i]++ }))
					case stops:
						before := called[0]
						if stopped := stop[0](); stopped && before > 0 {
							t.Error("stopped what was called already")
						}
					case ends:
						l.end()
					}
					synctest.Wait()
				}
				for i, want := range tt.want {
					if called[i] != want {
						t.Errorf("number %d was called %d times, want %d", i, called[i], want)
					}
				}
			})
		})
	}
}

// Package context waits for a request like for any other context of its own, and
// what it makes ends with it.
func TestLifeIsAContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := &life{}
		ctx, cancel := context.WithCancel(l)
		defer cancel()
		called := false
		context.AfterFunc(l, func() { called = true })
		l.end()
		synctest.Wait()
		if ctx.Err() == nil || !called {
			t.Errorf("it ended: %v, called: %v", ctx.Err(), called)
		}
	})
}
