package h1

import (
	"net"
	"os"
	"time"
)

// below is a connection under TLS. It passes everything on until HTTP/2 was
// negotiated. From then on it bounds the writes, as net/http's server would by two
// deadlines for every flush, and gathers small ones (gather.go).
type below struct {
	net.Conn
	pools  *pools
	frames bool          // HTTP/2 was negotiated; set before anybody else may write
	bound  time.Duration // of a write then: this at most, and half of it at least; 0: none
	still  bool          // whoever reads does not want to wait, which he knows of alone

	gathering
	at    time.Time // the write deadline that the connection has
	given bool      // somebody else has set it
}

// NetConn gives the connection itself, for who wants to look at its socket.
func (b *below) NetConn() net.Conn { return b.Conn }

// Read reads, unless it might have to wait for that and is not to. TLS forgets the
// error, which is one of time.
func (b *below) Read(p []byte) (int, error) {
	if b.still {
		return 0, os.ErrDeadlineExceeded
	}
	return b.Conn.Read(p)
}

// Write writes, or says what has become of writes before.
func (b *below) Write(p []byte) (int, error) {
	if !b.frames {
		return b.Conn.Write(p)
	}
	if done, err := b.gather(p); err != nil {
		return 0, err
	} else if done {
		return len(p), nil
	}
	b.turn.Lock()
	defer b.turn.Unlock()
	if err := b.send(); err != nil {
		return 0, err
	}
	b.pace()
	return b.Conn.Write(p)
}

// pace moves the write deadline once in a while only, unless somebody else has set
// one.
func (b *below) pace() {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.given || b.bound <= 0 {
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

// SetWriteDeadline sets the write deadline; zero: writes have that of the bound. TLS
// sets one to say goodbye, for which it does not wait where a write is under way: it
// closes the connection. So it is here, where TLS knows nothing of that write.
func (b *below) SetWriteDeadline(t time.Time) error {
	b.mu.Lock()
	b.given = !t.IsZero()
	if b.given && b.sending {
		b.mu.Unlock()
		return b.Conn.Close()
	}
	defer b.mu.Unlock()
	if b.bound > 0 && !b.given {
		return nil // the next write moves it
	}
	b.at = t
	return b.Conn.SetWriteDeadline(t)
}

// Close closes the connection, and waits until nobody writes to it any more.
func (b *below) Close() error {
	b.mu.Lock()
	if b.err == nil {
		b.err = net.ErrClosed
	}
	b.mu.Unlock()
	err := b.Conn.Close()
	b.flushers.Wait()
	return err
}
