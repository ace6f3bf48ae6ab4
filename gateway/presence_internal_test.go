package gateway

import (
	"context"
	"slices"
	"testing"
	"testing/synctest"
)

// Whoever asks to be called when the client leaves is called, sooner or later, and
// whoever has taken that back is not.
func TestPresence(t *testing.T) {
	tests := []struct {
		name string
		do   func(c *presence, leave func(), call func(name string) func())
		want []string
	}{
		{"not before it is watched", func(c *presence, leave func(), call func(string) func()) {
			c.AfterFunc(call("first"))
			leave()
		}, nil},
		{"left before it is watched", func(c *presence, leave func(), call func(string) func()) {
			c.AfterFunc(call("first"))
			leave()
			c.watch()
			c.watch()
		}, []string{"first"}},
		{"left after it is watched", func(c *presence, leave func(), call func(string) func()) {
			c.AfterFunc(call("first"))
			c.watch()
			leave()
		}, []string{"first"}},
		{"asked after it is watched", func(c *presence, leave func(), call func(string) func()) {
			c.watch()
			c.AfterFunc(call("first"))
			leave()
		}, []string{"first"}},
		{"asked after it has left", func(c *presence, leave func(), call func(string) func()) {
			leave()
			c.AfterFunc(call("first"))
		}, []string{"first"}},
		{"asked by two", func(c *presence, leave func(), call func(string) func()) {
			c.AfterFunc(call("first"))
			c.AfterFunc(call("second"))
			c.watch()
			leave()
		}, []string{"first", "second"}},
		{"taken back", func(c *presence, leave func(), call func(string) func()) {
			stop := c.AfterFunc(call("first"))
			if !stop() || stop() {
				call("stopped twice or never")()
			}
			c.watch()
			leave()
		}, nil},
		{"taken back while it is watched", func(c *presence, leave func(), call func(string) func()) {
			stop := c.AfterFunc(call("first"))
			c.watch()
			if !stop() || stop() {
				call("stopped twice or never")()
			}
			leave()
		}, nil},
		{"taken back too late", func(c *presence, leave func(), call func(string) func()) {
			stop := c.AfterFunc(call("first"))
			c.watch()
			leave()
			synctest.Wait()
			if stop() {
				call("stopped")()
			}
		}, []string{"first"}},
		{"taken back by who is not asking any more", func(c *presence, leave func(), call func(string) func()) {
			stop := c.AfterFunc(call("first"))
			stop()
			c.AfterFunc(call("second"))
			if stop() {
				call("stopped")()
			}
			c.watch()
			leave()
		}, []string{"second"}},
		{"what is made of it ends at once", func(c *presence, leave func(), call func(string) func()) {
			ctx, cancel := context.WithCancel(c)
			defer cancel()
			context.AfterFunc(c, call("first"))
			leave()
			if ctx.Err() == nil || context.Cause(c) == nil || c.Err() == nil {
				call("not ended")()
			}
		}, []string{"first"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				called := make(chan string, 4)
				ctx, leave := context.WithCancel(t.Context())
				tt.do(&presence{Context: ctx}, leave, func(name string) func() { return func() { called <- name } })
				synctest.Wait()
				close(called)
				var got []string
				for name := range called {
					got = append(got, name)
				}
				slices.Sort(got)
				if !slices.Equal(got, tt.want) {
					t.Errorf("called: %q, want %q", got, tt.want)
				}
			})
		})
	}
}
