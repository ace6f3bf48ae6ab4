package alert

import (
	"context"
	"crypto/tls"
	"sync"
	"testing"
	"time"
)

// Whose time is over ends the connection, and leaves alone whatever comes after it.
func TestSyslogLate(t *testing.T) {
	dir := devCerts(t)
	w := syslogTo(t, toSyslog(newSyslogd(t, dir, "127.0.0.1:0", serverTLS(t, dir))))
	w.settle = 0
	defer w.hangUp()
	for range 20 {
		if err := w.deliver(t.Context(), testEvent()); err != nil {
			t.Fatal(err)
		}
		if err := w.deliver(over(t), testEvent()); err == nil {
			t.Fatal("it was taken in no time")
		}
	}
}

// A server that takes nothing more does not hold a sender longer than it may.
func TestSyslogHangs(t *testing.T) {
	dir := devCerts(t)
	l, err := tls.Listen("tcp", "127.0.0.1:0", serverTLS(t, dir))
	if err != nil {
		t.Fatal(err)
	}
	var wait sync.WaitGroup
	release := make(chan struct{})
	wait.Go(func() {
		c, err := l.Accept()
		if err != nil {
			return
		}
		defer c.Close()
		_ = c.(*tls.Conn).Handshake()
		<-release
	})
	defer wait.Wait()
	defer l.Close()
	defer close(release)
	c := toSyslog(&syslogd{Listener: l, dir: dir})
	w := syslogTo(t, c)
	w.settle = 0
	defer w.hangUp()
	if err := w.deliver(t.Context(), testEvent()); err != nil {
		t.Fatal(err)
	}
	for n := 0; ; n++ {
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		err := w.deliver(ctx, testEvent())
		late := ctx.Err() != nil
		cancel()
		if err != nil && late {
			return // the buffers are full
		}
		if err != nil {
			t.Fatal(err)
		}
		if n == 100_000 {
			t.Fatal("it took everything")
		}
	}
}
