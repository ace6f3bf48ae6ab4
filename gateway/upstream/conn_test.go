package upstream

import (
	"context"
	"errors"
	"net"
	"testing"
	"testing/synctest"
)

// What comes between the moment in which a kept connection is taken and the
// first byte of the request is no answer, and the request is not written.
func TestSurplusWhileTaken(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ours, theirs := net.Pipe()
		c := &conn{Conn: ours}
		read := make(chan error)
		go func() {
			_, err := c.Read(make([]byte, 10))
			read <- err
		}()
		c.ready(t.Context())
		go func() { _, _ = theirs.Write([]byte("surplus")) }()
		if err := <-read; !errors.Is(err, errSurplus) {
			t.Errorf("the reader got %v", err)
		}
		if _, err := c.Write([]byte("request")); !errors.Is(err, errSurplus) {
			t.Errorf("the request was written: %v", err)
		}
		_ = c.Close()
		_ = theirs.Close()
	})
}

// An answer is read as one: the connection is quiet no more once a byte of the
// request was written.
func TestAnswerAfterTaken(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ours, theirs := net.Pipe()
		c := &conn{Conn: ours}
		read := make(chan string)
		go func() {
			p := make([]byte, 10)
			n, _ := c.Read(p)
			read <- string(p[:n])
		}()
		c.ready(t.Context())
		go func() {
			p := make([]byte, 10)
			_, _ = theirs.Read(p)
			_, _ = theirs.Write([]byte("answer"))
		}()
		if _, err := c.Write([]byte("request")); err != nil {
			t.Error(err)
		}
		if got := <-read; got != "answer" {
			t.Errorf("the reader got %q", got)
		}
		_ = c.Close()
		_ = theirs.Close()
	})
}

// Whoever takes a connection waits for its reader, until it is closed or
// nobody wants it any more.
func TestReadyWaits(t *testing.T) {
	for name, end := range map[string]func(c *conn, cancel func()){
		"reader": func(c *conn, _ func()) { go func() { _, _ = c.Read(make([]byte, 1)) }() },
		"closed": func(c *conn, _ func()) { _ = c.Close() },
		"given up": func(_ *conn, cancel func()) {
			cancel()
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				ours, theirs := net.Pipe()
				c := &conn{Conn: ours}
				ctx, cancel := context.WithCancel(t.Context())
				defer cancel()
				done := make(chan struct{})
				go func() { c.ready(ctx); close(done) }()
				synctest.Wait()
				select {
				case <-done:
					t.Fatal("nobody waits for the reader")
				default:
				}
				end(c, cancel)
				<-done
				_ = c.Close()
				_ = theirs.Close()
			})
		})
	}
}
