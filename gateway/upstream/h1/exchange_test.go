package h1

import (
	"bufio"
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/iotest"
	"testing/synctest"
	"time"
)

const short = 50 * time.Millisecond

// endless is a body without end.
type endless struct{ closed atomic.Bool }

func (e *endless) Read(p []byte) (int, error) {
	if e.closed.Load() {
		return 0, http.ErrBodyReadAfterClose
	}
	clear(p)
	return len(p), nil
}
func (e *endless) Close() error { e.closed.Store(true); return nil }

// An answer that comes while the request is still sent is seen; the rest is not
// sent, and the connection not used again.
func TestEarlyAnswer(t *testing.T) {
	for name, length := range map[string]int64{"length": 1 << 40, "chunks": -1} {
		for way, read := range map[string]bool{"reads on": true, "reads no more": false} {
			t.Run(name+" "+way, func(t *testing.T) {
				var conns atomic.Int64
				c := client(t, raw(t, counting(&conns, func(c net.Conn, r *bufio.Reader) {
					if _, err := http.ReadRequest(r); err != nil {
						return
					}
					_, _ = io.WriteString(c, "HTTP/1.1 413 Too Large\r\nContent-Length: 3\r\n\r\nno!")
					if read {
						_, _ = io.Copy(io.Discard, r)
					} else {
						_, _ = r.ReadByte()
						time.Sleep(short)
					}
				})))
				for range 2 {
					body := &endless{}
					r := ask(t, "POST", "/", nil)
					r.Body, r.ContentLength = body, length
					if status, text, err := whole(c.Do(&Call{Answer: time.Minute, Idle: time.Minute}, r)); status != 413 || text != "no!" || err != nil {
						t.Errorf("got %d %q %v", status, text, err)
					}
					if !body.closed.Load() {
						t.Error("the body is still open")
					}
				}
				if conns.Load() != 2 || c.Stats() != (Stats{}) {
					t.Errorf("%d connections, left behind %+v", conns.Load(), c.Stats())
				}
			})
		}
	}
}

// Request and answer can take turns, piece by piece.
func TestBothWaysAtOnce(t *testing.T) {
	c := client(t, raw(t, func(c net.Conn, r *bufio.Reader) {
		q, err := http.ReadRequest(r)
		if err != nil {
			return
		}
		_, _ = io.WriteString(c, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
		p := make([]byte, 100)
		for {
			n, err := q.Body.Read(p)
			if n > 0 {
				fmt.Fprintf(c, "%x\r\n%s\r\n", n, p[:n])
			}
			if err != nil {
				_, _ = io.WriteString(c, "0\r\n\r\n")
				break
			}
		}
		_, _ = r.ReadByte()
	}))
	ours, body := io.Pipe()
	r := ask(t, "POST", "/", ours)
	res, err := c.Do(&Call{Answer: time.Minute, Idle: time.Minute}, r)
	if err != nil {
		t.Fatal(err)
	}
	p := make([]byte, 100)
	for i := range 20 {
		want := fmt.Sprintf("piece %d", i)
		_, _ = io.WriteString(body, want)
		if n, err := io.ReadFull(res.Body, p[:len(want)]); string(p[:n]) != want || err != nil {
			t.Fatalf("got %q %v, want %q", p[:n], err, want)
		}
	}
	_ = body.Close()
	if rest, err := io.ReadAll(res.Body); len(rest) > 0 || err != nil {
		t.Errorf("left %q %v", rest, err)
	}
	_ = res.Body.Close()
	if s := c.Stats(); s != (Stats{Idle: 1}) {
		t.Errorf("the connection is not kept: %+v", s)
	}
}

// Bodies arrive as they are, whatever their length and however they are read, and
// the connection is used again.
func TestBodies(t *testing.T) {
	var conns atomic.Int64
	c := client(t, raw(t, counting(&conns, func(c net.Conn, r *bufio.Reader) {
		for {
			q, err := http.ReadRequest(r)
			if err != nil {
				return
			}
			h := sha256.New()
			n, err := io.Copy(h, q.Body)
			text := fmt.Sprintf("%d %x %v %d %v", n, h.Sum(nil), err, q.ContentLength, q.TransferEncoding)
			fmt.Fprintf(c, "HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s", len(text), text)
		}
	})))
	for _, n := range []int{0, 1, small - 1, small, small + 1, piece, piece + 1, 1 << 20} {
		content := bytes.Repeat([]byte("0123456789abcdef"), n/16+1)[:n]
		sum := sha256.Sum256(content)
		for _, known := range []bool{true, false} {
			for way, wrap := range map[string]func(io.Reader) io.Reader{
				"whole": func(r io.Reader) io.Reader { return r }, "halves": iotest.HalfReader, "end with data": iotest.DataErrReader,
			} {
				for _, method := range []string{"POST", "DELETE"} {
					r := ask(t, method, "/", io.NopCloser(wrap(bytes.NewReader(content))))
					r.ContentLength = int64(n)
					want := fmt.Sprintf("%d %x <nil> %d []", n, sum, n)
					if !known || n == 0 {
						r.ContentLength = -1
						want = fmt.Sprintf("%d %x <nil> -1 [chunked]", n, sum)
					}
					if n == 0 && method == "DELETE" {
						want = fmt.Sprintf("%d %x <nil> 0 []", n, sum)
					}
					if _, got, err := whole(c.Do(&Call{Answer: time.Minute}, r)); err != nil || got != want {
						t.Errorf("%s %d bytes %s, known %v: got %.100q %v, want %q", method, n, way, known, got, err, want)
					}
				}
			}
		}
	}
	if conns.Load() > 2 { // one where an answer has overtaken the end of its request by much
		t.Errorf("%d connections", conns.Load())
	}
}

// A body that is not as long as it says ends the call, and nothing of another
// request comes behind it.
func TestBodyOfAnotherLength(t *testing.T) {
	for _, length := range []int64{10, small + 10} {
		for name, n := range map[string]int64{"shorter": length - 1, "longer": length + 1} {
			t.Run(fmt.Sprint(name, length), func(t *testing.T) {
				c := client(t, raw(t, always(okAnswer)))
				r := ask(t, "POST", "/", io.LimitReader(strings.NewReader(strings.Repeat("x", int(n))), n))
				r.ContentLength = length
				res, err := c.Do(&Call{Answer: time.Second}, r)
				if err == nil { // it may answer before we know
					_, _ = io.Copy(io.Discard, res.Body)
					_ = res.Body.Close()
				}
				if length < small && !errors.Is(err, ErrRequest) {
					t.Errorf("got %v", err)
				}
				if s := c.Stats(); s != (Stats{}) {
					t.Errorf("the connection is kept: %+v", s)
				}
			})
		}
	}
}

// A body that cannot be read is the client's doing.
func TestBodyThatFails(t *testing.T) {
	for _, want := range []error{io.ErrUnexpectedEOF, os.ErrDeadlineExceeded, &http.MaxBytesError{Limit: 3}} {
		for _, length := range []int64{100, 100_000, -1} {
			c := client(t, raw(t, func(_ net.Conn, r *bufio.Reader) { _, _ = io.Copy(io.Discard, r) }))
			r := ask(t, "POST", "/", io.MultiReader(strings.NewReader("half"), iotest.ErrReader(want)))
			r.ContentLength = length
			_, err := c.Do(&Call{Answer: time.Minute}, r)
			var mine *BodyError
			if !errors.As(err, &mine) || !errors.Is(err, want) || c.Stats() != (Stats{}) {
				t.Errorf("%d: got %v, want %v, left behind %+v", length, err, want, c.Stats())
			}
		}
	}
}

// lastly is a body whose read fails a while after the context of its request is done.
type lastly struct {
	ctx context.Context
	err error
}

func (l lastly) Read([]byte) (int, error) {
	<-l.ctx.Done()
	time.Sleep(short)
	return 0, l.err
}

// The time for a body may run out with the context of its request. Then the client
// was too slow, though the call was over before that was known; any other failure
// comes of the client having left.
func TestBodyThatFailsAfterTheEnd(t *testing.T) {
	for fault, slow := range map[error]bool{os.ErrDeadlineExceeded: true, io.ErrUnexpectedEOF: false, http.ErrBodyReadAfterClose: false} {
		synctest.Test(t, func(t *testing.T) {
			c := piped(t, func(_ net.Conn, r *bufio.Reader) { _, _ = io.Copy(io.Discard, r) })
			ctx, cancel := context.WithCancel(t.Context())
			r := ask(t, "POST", "/", nil).WithContext(ctx)
			r.Body, r.ContentLength = io.NopCloser(lastly{ctx, fault}), small+1
			time.AfterFunc(short, cancel)
			_, err := c.Do(&Call{Answer: time.Minute}, r)
			var mine *BodyError
			if errors.As(err, &mine) != slow || err == nil {
				t.Errorf("%v: got %v", fault, err)
			}
		})
	}
}

// The bounds of a call hold for the upstream, for each of its ways to be slow.
func TestSlowUpstream(t *testing.T) {
	slowly := func(text string) func(net.Conn, *bufio.Reader) {
		return func(c net.Conn, r *bufio.Reader) {
			if _, err := http.ReadRequest(r); err != nil {
				return
			}
			for i := range text {
				if _, err := io.WriteString(c, text[i:i+1]); err != nil {
					return
				}
				time.Sleep(short / 10)
			}
			_, _ = io.Copy(io.Discard, r)
		}
	}
	for name, tt := range map[string]struct {
		talk   func(net.Conn, *bufio.Reader)
		length int64
		want   error
	}{
		"silent":             {slowly(""), 0, ErrNoAnswer},
		"byte by byte":       {slowly("HTTP/1.1 200 OK\r\n" + strings.Repeat("X: y\r\n", 1000)), 0, ErrNoAnswer},
		"interim":            {slowly("HTTP/1.1 103 Early Hints\r\n\r\n"), 0, ErrNoAnswer},
		"reads nothing":      {nil, 1 << 40, ErrNoAnswer},
		"half a body":        {always("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf"), 0, ErrIdle},
		"half a chunk":       {always("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\na\r\nhalf"), 0, ErrIdle},
		"half a chunk's end": {always("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nhalf\r\n0\r"), 0, ErrIdle},
		"no end":             {always("HTTP/1.1 200 OK\r\n\r\nhalf"), 0, ErrIdle},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			talk := tt.talk
			if talk == nil {
				talk = func(net.Conn, *bufio.Reader) { <-t.Context().Done() }
			}
			k := &Call{Answer: 4 * short, Idle: time.Minute}
			if errors.Is(tt.want, ErrIdle) {
				k = &Call{Answer: time.Minute, Idle: short}
			}
			c := client(t, raw(t, talk))
			r := ask(t, "POST", "/", nil)
			if tt.length > 0 {
				r.Body, r.ContentLength = &endless{}, tt.length
			}
			_, _, err := whole(c.Do(k, r))
			if !errors.Is(err, tt.want) {
				t.Errorf("got %v, want %v", err, tt.want)
			}
			if s := c.Stats(); s != (Stats{}) {
				t.Errorf("left behind: %+v", s)
			}
		})
	}
}

// The client's time is not the upstream's: neither while it sends nor while it
// does not read.
func TestSlowClient(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := piped(t, always("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n0123456789"))
		for _, length := range []int64{5, -1} {
			ours, body := io.Pipe()
			go func() {
				for i := range 5 {
					time.Sleep(time.Duration(i) * 2 * short) // the last one longer than Answer
					_, _ = io.WriteString(body, "x")
				}
				_ = body.Close()
			}()
			r := ask(t, "POST", "/", ours)
			r.ContentLength = length
			res, err := c.Do(&Call{Answer: 6 * short, Idle: 4 * short}, r)
			if err != nil {
				t.Fatal(err)
			}
			var got string
			for p := make([]byte, 2); err == nil; {
				time.Sleep(short)
				var n int
				n, err = res.Body.Read(p)
				got += string(p[:n])
			}
			_ = res.Body.Close()
			if got != "0123456789" || !errors.Is(err, io.EOF) {
				t.Errorf("got %q %v", got, err)
			}
		}
	})
}

// Who ends a call ends it wherever it is, and is told in what it fails with.
func TestCancel(t *testing.T) {
	why := errors.New("enough")
	for name, tt := range map[string]struct {
		answer string
		body   io.ReadCloser
	}{
		"before an answer": {"", nil},
		"while it is sent": {"", &endless{}},
		"in the middle":    {"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf", nil},
		"both at once":     {"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf", &endless{}},
	} {
		for way, context := range map[string]bool{"by the call": false, "by the context": true} {
			t.Run(name+" "+way, func(t *testing.T) {
				there := make(chan struct{}, 1)
				c := client(t, raw(t, func(c net.Conn, r *bufio.Reader) {
					if _, err := http.ReadRequest(r); err != nil {
						return
					}
					if _, _ = io.WriteString(c, tt.answer); tt.answer == "" {
						there <- struct{}{}
					}
					_, _ = io.Copy(io.Discard, r)
				}))
				k := &Call{Answer: time.Minute, Idle: time.Minute}
				r := ask(t, "POST", "/", nil)
				if tt.body != nil {
					r.Body, r.ContentLength = &endless{}, -1
				}
				ctx, leave := cancelCause(r)
				end := k.Cancel
				if context {
					end = leave
				}
				defer leave(nil)
				go func() {
					<-there
					time.Sleep(short / 5)
					end(why)
				}()
				res, err := c.Do(k, ctx)
				if err == nil {
					half := make([]byte, len("half"))
					if n, err := io.ReadFull(res.Body, half); string(half) != "half" {
						t.Errorf("got %q %v", half[:n], err)
					}
					there <- struct{}{}
					_, err = io.ReadAll(res.Body)
					_ = res.Body.Close()
				}
				if !errors.Is(err, why) || (res != nil) != (tt.answer != "") {
					t.Errorf("got %v %v", res, err)
				}
				if s := c.Stats(); s != (Stats{}) {
					t.Errorf("left behind: %+v", s)
				}
				k.Cancel(why) // does nothing any more
			})
		}
	}
}

func cancelCause(r *http.Request) (*http.Request, context.CancelCauseFunc) {
	ctx, cancel := context.WithCancelCause(r.Context())
	return r.WithContext(ctx), cancel
}

// A call that is over has no hold on the connection that others use by then.
func TestCancelAfterTheEnd(t *testing.T) {
	c := client(t, raw(t, always(okAnswer)))
	var before []*Call
	for range 20 {
		k := &Call{Answer: time.Minute}
		res, err := c.Do(k, ask(t, "GET", "/", nil))
		for _, old := range before {
			old.Cancel(errors.New("late"))
		}
		if _, body, err := whole(res, err); body != "ok" || err != nil {
			t.Fatalf("got %q %v", body, err)
		}
		before = append(before, k)
	}
	if s := c.Stats(); s != (Stats{Idle: 1}) {
		t.Errorf("%+v", s)
	}
}

// Closing may run beside reading, and what was given stays as it is while others
// use the connection and its buffers.
func TestUseAfterRelease(t *testing.T) {
	c := client(t, raw(t, func(c net.Conn, r *bufio.Reader) {
		for {
			q, err := http.ReadRequest(r)
			if err != nil {
				return
			}
			b, _ := io.ReadAll(q.Body)
			fmt.Fprintf(c, "HTTP/1.1 200 OK\r\nX-Id: %s\r\nTransfer-Encoding: chunked\r\n\r\n%x\r\n%s\r\n0\r\nX-Sum: %s\r\n\r\n", q.URL.Path, len(b), b, q.URL.Path)
		}
	}))
	var wg sync.WaitGroup
	for w := range 8 {
		wg.Go(func() {
			var kept []*http.Response
			for i := range 60 {
				path := fmt.Sprintf("/%d/%d", w, i)
				content := strings.Repeat(path, 1+i*40)
				res, err := c.Do(&Call{Answer: time.Minute, Idle: time.Minute}, ask(t, "POST", path, strings.NewReader(content)))
				if err != nil {
					t.Error(err)
					return
				}
				switch i % 4 {
				case 0: // closed in the middle of reading
					done := make(chan struct{})
					go func() { _ = res.Body.Close(); close(done) }()
					_, _ = io.Copy(io.Discard, res.Body)
					<-done
					continue
				case 1:
					_ = res.Body.Close()
					if n, err := res.Body.Read(make([]byte, 1<<20)); err == nil && n > len(content) {
						t.Errorf("%d bytes after the end", n)
					}
					continue
				}
				b, err := io.ReadAll(res.Body)
				if string(b) != content || err != nil {
					t.Errorf("%s: %.40q %v", path, b, err)
				}
				_ = res.Body.Close()
				_ = res.Body.Close()
				if n, err := res.Body.Read(make([]byte, 10)); n > 0 || err == nil {
					t.Errorf("read %d after the end", n)
				}
				kept = append(kept, res)
				for j, old := range kept {
					id := old.Header.Get("X-Id")
					if !strings.HasPrefix(id, fmt.Sprintf("/%d/", w)) || old.Trailer.Get("X-Sum") != id {
						t.Errorf("the header of answer %d has become %v %v", j, old.Header, old.Trailer)
					}
				}
			}
		})
	}
	wg.Wait()
	if s := c.Stats(); s.Busy != 0 {
		t.Errorf("left behind: %+v", s)
	}
}

// An answer to an upgrade gives the connection, with what has come behind the head.
func TestUpgrade(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := piped(t, func(c net.Conn, r *bufio.Reader) {
			q, err := http.ReadRequest(r)
			if err != nil {
				return
			}
			if q.Header.Get("Upgrade") != "echo" || q.Header.Get("Connection") != "Upgrade" {
				_, _ = io.WriteString(c, "HTTP/1.1 400 Bad\r\nContent-Length: 0\r\n\r\n")
				return
			}
			_, _ = io.WriteString(c, "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\nhello ")
			_, _ = io.Copy(c, r)
		})
		r := ask(t, "GET", "/", nil)
		r.Header.Set("Connection", "keep-alive, Upgrade")
		r.Header.Set("Upgrade", "echo")
		res, err := c.Do(&Call{Answer: short, Idle: short}, r)
		if err != nil || res.StatusCode != 101 {
			t.Fatalf("got %v %v", res, err)
		}
		both, ok := res.Body.(io.ReadWriteCloser)
		if !ok {
			t.Fatal("nothing can be written")
		}
		late := time.AfterFunc(2*short, func() { _, _ = io.WriteString(both, "world") }) // the bounds of the call hold no more
		defer late.Stop()
		p := make([]byte, len("hello world"))
		if _, err := io.ReadFull(both, p); string(p) != "hello world" || err != nil {
			t.Errorf("got %q %v", p, err)
		}
		_ = both.Close()
		if s := c.Stats(); s != (Stats{}) {
			t.Errorf("left behind: %+v", s)
		}
		r.Header.Del("Connection")
		if status, _, err := whole(c.Do(&Call{}, r)); status != 400 || err != nil {
			t.Errorf("Upgrade without Connection was sent: %d %v", status, err)
		}
	})
}

func TestResets(t *testing.T) {
	for name, answer := range map[string]string{"before": "", "in the head": "HTTP/1.1 200 OK\r\nCon", "in the body": "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf"} {
		c := client(t, raw(t, func(c net.Conn, r *bufio.Reader) {
			_, _ = http.ReadRequest(r)
			_, _ = io.WriteString(c, answer)
			time.Sleep(short / 5)
			_ = c.(*net.TCPConn).SetLinger(0)
		}))
		if _, _, err := whole(c.Do(&Call{Answer: time.Minute, Idle: time.Minute}, ask(t, "GET", "/", nil))); err == nil || errors.Is(err, io.EOF) {
			t.Errorf("%s: got %v", name, err)
		}
		if s := c.Stats(); s != (Stats{}) {
			t.Errorf("left behind: %+v", s)
		}
	}
}

// What has arrived of a body is known, whatever it ends by; and what is still to
// come is not.
func TestArrived(t *testing.T) {
	for name, tt := range map[string]struct{ head, first, second string }{
		"length":    {"Content-Length: 6000\r\n\r\n", strings.Repeat("x", 5000), strings.Repeat("y", 1000)},
		"chunks":    {"Transfer-Encoding: chunked\r\n\r\n", "1388\r\n" + strings.Repeat("x", 5000) + "\r\n", "3e8\r\n" + strings.Repeat("y", 1000) + "\r\n0\r\n\r\n"},
		"no length": {"Connection: close\r\n\r\n", strings.Repeat("x", 5000), strings.Repeat("y", 1000)},
	} {
		t.Run(name, func(t *testing.T) {
			next := make(chan struct{})
			c := client(t, raw(t, func(c net.Conn, r *bufio.Reader) {
				if _, err := http.ReadRequest(r); err == nil {
					_, _ = io.WriteString(c, "HTTP/1.1 200 OK\r\n"+tt.head+tt.first)
					<-next
					_, _ = io.WriteString(c, tt.second)
				}
			}))
			res, err := c.Do(&Call{Answer: time.Minute, Idle: time.Minute}, ask(t, "GET", "/", nil))
			if err != nil {
				t.Fatal(err)
			}
			defer res.Body.Close()
			b := res.Body.(*body)
			p, n := make([]byte, 700), 0
			read := func(until int, want byte) {
				t.Helper()
				for deadline := time.Now().Add(10 * time.Second); n < until; {
					if !b.Arrived() {
						if time.Now().After(deadline) {
							t.Fatalf("%d bytes have arrived, want %d", n, until)
						}
						time.Sleep(time.Millisecond)
						continue
					}
					m, err := b.Read(p)
					if err != nil && err != io.EOF || m > 0 && p[m-1] != want {
						t.Fatalf("%q, %v", p[:m], err)
					}
					n += m
				}
			}
			read(5000, 'x')
			if b.Arrived() {
				t.Error("more has arrived than was sent")
			}
			close(next)
			read(6000, 'y')
			if m, err := b.Read(p); m != 0 || err != io.EOF || !b.Arrived() {
				t.Errorf("%d bytes and %v at the end", m, err)
			}
		})
	}
}
