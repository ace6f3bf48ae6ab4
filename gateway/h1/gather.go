package h1

import "sync"

// gathering is what was written to a connection of HTTP/2 and has yet to leave.
//
// net/http flushes the head of an answer before its handler comes to the content,
// which makes two writes of nearly every answer. A small write is copied, and leaves
// together with those that follow before a goroutine that was started for it gets its
// turn. What goes wrong then ends the connection, and later writes fail. What does
// not fit waits for its turn and for the client, as any write does.
type gathering struct {
	turn     sync.Mutex     // of whoever writes to the connection; comes before mu
	flushers sync.WaitGroup // those who do so for what is gathered

	mu      sync.Mutex
	room    *[writeSize]byte // nil: nothing is gathered
	n       int              // bytes of it
	sending bool             // what was gathered is being written
	err     error            // nothing is written any more
}

// gather takes p if there is room for it. While somebody else's deadline holds it
// takes nothing: TLS says goodbye, and the connection is closed behind that.
func (b *below) gather(p []byte) (done bool, err error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.err != nil || b.given || b.n+len(p) > writeSize {
		return false, b.err
	}
	if b.room == nil {
		b.room = b.pools.write()
		b.flushers.Add(1)
		go b.flush()
	}
	b.n += copy(b.room[b.n:], p)
	return true, nil
}

// flush writes what is gathered when it gets its turn. Nobody waits for what it finds
// out, so where that is a failure it ends the connection.
func (b *below) flush() {
	defer b.flushers.Done()
	b.turn.Lock()
	defer b.turn.Unlock()
	if b.send() != nil {
		_ = b.Conn.Close()
	}
}

// send writes what is gathered. It is for who has the turn.
func (b *below) send() error {
	b.mu.Lock()
	room, n, err := b.room, b.n, b.err
	b.room, b.n, b.sending = nil, 0, b.room != nil
	b.mu.Unlock()
	if room == nil {
		return err
	}
	if err == nil {
		b.pace()
		_, err = b.Conn.Write(room[:n])
	}
	b.pools.writes.Put(room)
	b.mu.Lock()
	defer b.mu.Unlock()
	b.sending = false
	if b.err == nil {
		b.err = err
	}
	return err
}
