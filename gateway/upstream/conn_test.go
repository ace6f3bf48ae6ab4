package upstream

import (
	"context"
	"errors"
	"net"
	"testing"
	"testing/synctest"
	"time"
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

// A reader that waits may not have been woken yet by what has come. The
// request is not written then either, and what has come is no answer to it.
func TestSurplusBeforeItsReader(t *testing.T) {
	for name, speak := range map[string]func(theirs net.Conn) error{
		"bytes":   func(theirs net.Conn) error { _, err := theirs.Write([]byte("surplus")); return err },
		"the end": func(theirs net.Conn) error { return theirs.Close() },
	} {
		t.Run(name, func(t *testing.T) {
			ln, err := net.Listen("tcp", "127.0.0.1:0")
			if err != nil {
				t.Fatal(err)
			}
			defer ln.Close()
			ours, err := net.Dial("tcp", ln.Addr().String())
			if err != nil {
				t.Fatal(err)
			}
			theirs, err := ln.Accept()
			if err != nil {
				t.Fatal(err)
			}
			defer theirs.Close()
			c := &conn{Conn: ours, reading: true}
			defer c.Close()
			c.ready(t.Context())
			if err := speak(theirs); err != nil {
				t.Fatal(err)
			}
			for begin := time.Now(); !arrived(ours) && time.Since(begin) < 20*time.Second; {
				time.Sleep(time.Millisecond)
			}
			if _, err := c.Write([]byte("request")); !errors.Is(err, errSurplus) {
				t.Errorf("the request was written: %v", err)
			}
			if n, _ := c.Read(make([]byte, 10)); n > 0 {
				t.Error("what came before is read as an answer")
			}
		})
	}
}

// A connection over which nothing has come is written to.
func TestSilence(t *testing.T) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	ours, err := net.Dial("tcp", ln.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	c := &conn{Conn: ours, reading: true}
	defer c.Close()
	c.ready(t.Context())
	if _, err := c.Write([]byte("request")); err != nil {
		t.Error(err)
	}
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
