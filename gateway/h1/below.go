package h1

import (
	"net"
	"sync"
	"time"
)

// below is a connection under TLS. It passes everything on, until HTTP/2 was
// negotiated: from then on it bounds the writes, as net/http's server would by two
// deadlines for every flush.
type below struct {
	net.Conn
	bound time.Duration // of a write: this at most, and half of it at least; 0: none. Set before anybody else may write

	mu    sync.Mutex
	at    time.Time // the write deadline that the connection has
	given bool      // somebody else has set it
}

// NetConn gives the connection itself, for who wants to look at its socket.
func (b *below) NetConn() net.Conn { return b.Conn }

// Write sees to it that it ends within the bound.
func (b *below) Write(p []byte) (int, error) {
	if b.bound > 0 {
		b.pace()
	}
	return b.Conn.Write(p)
}

// pace moves the deadline once in a while only, unless somebody else has set one,
// as TLS does to say goodbye.
func (b *below) pace() {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.given {
		return
	}
	now := time.Now()
	if left := b.at.Sub(now); b.bound/2 <= left && left <= b.bound {
		return
	}
	b.at = now.Add(b.bound)
	_ = b.Conn.SetWriteDeadline(b.at)
}

// SetDeadline sets both deadlines.
func (b *below) SetDeadline(t time.Time) error {
	if err := b.SetReadDeadline(t); err != nil {
		return err
	}
	return b.SetWriteDeadline(t)
}

// SetWriteDeadline sets the write deadline. Where none is wanted, writes have that
// of the bound.
func (b *below) SetWriteDeadline(t time.Time) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.given = !t.IsZero()
	if b.bound > 0 && !b.given {
		return nil // the next write moves it
	}
	b.at = t
	return b.Conn.SetWriteDeadline(t)
}
