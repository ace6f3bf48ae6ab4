package listen

import (
	"net"
	"net/netip"
	"testing"
)

// order is a watch that looks whether a connection is closed when it is told of it.
type order struct {
	diary
	inner *closable
	early bool
}

// closable is a connection that knows whether it is closed.
type closable struct {
	fake
	closed bool
}

func (c *closable) Close() error { c.closed = true; return nil }

func (o *order) Refused(why Reason, from netip.Addr, err error) {
	o.early = !o.inner.closed
	o.diary.Refused(why, from, err)
}

// Whoever sees that a connection was refused finds it counted.
func TestRefusedIsCountedBeforeItEnds(t *testing.T) {
	o := &order{inner: &closable{fake: fake{from: &net.TCPAddr{IP: net.IPv4(192, 0, 2, 1), Port: 1}}}}
	l := New(nil, func() Settings { return Settings{Total: 1} }, o)
	if c := l.admit(&fake{from: o.inner.from}); c == nil {
		t.Fatal("the first one is refused")
	} else {
		defer c.Close()
	}
	if c := l.admit(o.inner); c != nil || !o.early || !o.inner.closed {
		t.Errorf("let in: %v, counted before its end: %v, ended: %v", c != nil, o.early, o.inner.closed)
	}
}
