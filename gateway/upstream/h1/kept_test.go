package h1

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"testing/synctest"
	"time"
)

// What may have had an effect is not sent again, though its method is safe and its
// connection was a kept one: an answer has begun, or the body is on its way.
func TestNotSentAgainHalfway(t *testing.T) {
	for name, tt := range map[string]struct{ body, answer string }{
		"an answer has begun": {"", "HTTP/1.1 20"},
		"a body that streams": {strings.Repeat("x", 50_000), ""},
	} {
		t.Run(name, func(t *testing.T) {
			var dialed atomic.Int64
			c := client(t, raw(t, func(c net.Conn, r *bufio.Reader) {
				for _, answer := range []string{okAnswer, tt.answer} {
					q, err := http.ReadRequest(r)
					if err != nil {
						return
					}
					_, _ = io.Copy(io.Discard, q.Body)
					_, _ = io.WriteString(c, answer)
				}
			}), func(s *Settings) {
				dial := s.Dial
				s.Dial = func(ctx context.Context) (net.Conn, error) { dialed.Add(1); return dial(ctx) }
			})
			if _, _, err := whole(c.Do(&Call{}, ask(t, "GET", "/", nil))); err != nil {
				t.Fatal(err)
			}
			if _, body, err := whole(c.Do(&Call{}, ask(t, "GET", "/", strings.NewReader(tt.body)))); err == nil || dialed.Load() != 1 {
				t.Errorf("got %q %v, over %d connections", body, err, dialed.Load())
			}
		})
	}
}

// A call that is to have a connection for itself leaves it to nobody.
func TestOnce(t *testing.T) {
	var conns atomic.Int64
	c := client(t, raw(t, counting(&conns, always(okAnswer))))
	for range 3 {
		if _, body, err := whole(c.Do(&Call{Once: true}, ask(t, "GET", "/", nil))); err != nil || body != "ok" {
			t.Fatalf("got %q %v", body, err)
		}
	}
	if s := c.Stats(); conns.Load() != 3 || s != (Stats{}) {
		t.Errorf("%d connections, left behind %+v", conns.Load(), s)
	}
}

// deaf is a connection on which a request seems not to have been written, once the
// answer to it is there: as when a server answers without reading, and closes.
type deaf struct{ *net.TCPConn }

func (d *deaf) Write(p []byte) (int, error) {
	n, err := d.TCPConn.Write(p)
	if err != nil {
		return n, err
	}
	looking := &peeker{}
	looking.init(d.TCPConn)
	for !looking.arrived() {
		time.Sleep(time.Millisecond)
	}
	return n, &net.OpError{Op: "write", Net: "tcp", Err: syscall.EPIPE}
}

// An answer that is there counts, though the request could not be written to its end.
func TestAnswerToWhatCouldNotBeWritten(t *testing.T) {
	address := raw(t, answering("HTTP/1.1 413 Too Large\r\nContent-Length: 2\r\n\r\nno"))
	c := client(t, address, func(s *Settings) {
		s.Dial = func(ctx context.Context) (net.Conn, error) {
			c, err := dialer(address)(ctx)
			if err != nil {
				return nil, err
			}
			return &deaf{c.(*net.TCPConn)}, nil
		}
	})
	if status, body, err := whole(c.Do(&Call{Answer: time.Minute}, ask(t, "POST", "/", strings.NewReader("much")))); err != nil || status != 413 || body != "no" {
		t.Errorf("got %d %q %v", status, body, err)
	}
}

// Who has waited for a connection gets none over which something has come, though
// it was free only a moment: the end of the answer was just where the buffer ends.
func TestSurplusForWhoWaits(t *testing.T) {
	head := "HTTP/1.1 200 OK\r\nContent-Length: %04d\r\n\r\n"
	size := readBuffer - len(fmt.Sprintf(head, 0))
	answer := fmt.Sprintf(head, size) + strings.Repeat("x", size)
	const surplus = "HTTP/1.1 200 OK\r\nContent-Length: 8\r\n\r\npoisoned"
	begun, now := make(chan struct{}, 1), make(chan struct{})
	var conns atomic.Int64
	c := client(t, raw(t, func(c net.Conn, r *bufio.Reader) {
		if conns.Add(1) > 1 {
			always(okAnswer)(c, r)
			return
		}
		if _, err := http.ReadRequest(r); err != nil {
			return
		}
		begun <- struct{}{}
		<-now
		_, _ = io.WriteString(c, answer+surplus)
		_, _ = r.Peek(1)
	}), func(s *Settings) { s.Max = 1 })
	first := make(chan error, 1)
	go func() {
		_, body, err := whole(c.Do(&Call{Answer: time.Minute}, ask(t, "GET", "/", nil)))
		if err == nil && len(body) != size {
			err = errors.New(body)
		}
		first <- err
	}()
	<-begun
	second := make(chan string, 1)
	go func() {
		_, body, err := whole(c.Do(&Call{Answer: time.Minute}, ask(t, "POST", "/", nil)))
		second <- fmt.Sprint(body, err)
	}()
	for c.Stats().Waiting == 0 {
		time.Sleep(time.Millisecond)
	}
	close(now)
	if err := <-first; err != nil {
		t.Error(err)
	}
	if got := <-second; got != "ok<nil>" {
		t.Errorf("who waited got %q", got)
	}
}

// Kept connections whose other side has gone are found and closed, long before their
// own time is over.
func TestDeadConnectionsAreSwept(t *testing.T) {
	end := make(chan struct{})
	c := client(t, raw(t, func(c net.Conn, r *bufio.Reader) { answering(okAnswer)(c, r); <-end }), func(s *Settings) { s.IdleTimeout = time.Hour })
	if _, _, err := whole(c.Do(&Call{}, ask(t, "GET", "/", nil))); err != nil {
		t.Fatal(err)
	}
	c.pool.sweep()
	if s := c.Stats(); s.Idle != 1 {
		t.Errorf("one that is alive was closed: %+v", s)
	}
	close(end)
	kept(c, ended)
	c.pool.sweep()
	if s := c.Stats(); s != (Stats{}) {
		t.Errorf("left behind: %+v", s)
	}
}

// A head is bounded though it came in one piece.
func TestShortHeadsAreBounded(t *testing.T) {
	for length, want := range map[int]bool{90: true, 110: false} {
		const begin, end = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nX: ", "\r\n\r\n"
		head := begin + strings.Repeat("y", length-len(begin+end)) + end
		c := client(t, raw(t, answering(head+"ok")), func(s *Settings) { s.HeadBytes = 100 })
		_, _, err := whole(c.Do(&Call{}, ask(t, "GET", "/", nil)))
		if (err == nil) != want || !want && !errors.Is(err, ErrAnswer) {
			t.Errorf("%d bytes of 100: %v", length, err)
		}
	}
}

// A call that has ended before it asks for a connection has not asked the upstream
// either.
func TestEndedBeforeItsTurn(t *testing.T) {
	c := client(t, raw(t, always(okAnswer)), func(s *Settings) { s.Max = 1 })
	held, err := c.Do(&Call{}, ask(t, "GET", "/", nil))
	if err != nil {
		t.Fatal(err)
	}
	defer held.Body.Close()
	k, why := &Call{}, errors.New("enough")
	k.Cancel(why)
	if _, err := c.Do(k, ask(t, "GET", "/", nil)); !errors.Is(err, why) || !k.Queued() || k.Sent() {
		t.Errorf("got %v, queued %v, sent %v", err, k.Queued(), k.Sent())
	}
}

// Who gets its place so late that there is no time for a connection has waited for
// others, and not for the upstream.
func TestPlaceThatComesTooLate(t *testing.T) {
	for name, tt := range map[string]struct {
		free time.Duration
		busy bool
	}{"late": {800 * time.Millisecond, true}, "soon": {200 * time.Millisecond, false}} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				c := piped(t, always("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf"))
				c.pool.max = 1
				held, err := c.Do(&Call{}, ask(t, "GET", "/", nil))
				if err != nil {
					t.Fatal(err)
				}
				c.set.Dial = func(ctx context.Context) (net.Conn, error) { <-ctx.Done(); return nil, ctx.Err() }
				time.AfterFunc(tt.free, func() { _ = held.Body.Close() })
				if _, err := c.Do(&Call{Answer: time.Second}, ask(t, "GET", "/", nil)); !errors.Is(err, ErrNoAnswer) || errors.Is(err, ErrBusy) != tt.busy {
					t.Errorf("got %v", err)
				}
			})
		})
	}
}
