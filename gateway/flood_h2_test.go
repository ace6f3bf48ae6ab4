package gateway

import (
	"bufio"
	"bytes"
	"context"
	"crypto/tls"
	"io"
	"net"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"
)

// attacker is a connection over which HTTP/2 frames go in large pieces.
type attacker struct {
	frames
	w    *bufio.Writer
	next uint32       // stream to be opened
	n    int          // steps so far
	over atomic.Int64 // streams that have ended
}

// h2 writes a step after another, over one connection after another.
func h2(step func(c *attacker) error) func(context.Context, *flooder) {
	return func(ctx context.Context, a *flooder) { a.frames(ctx, true, step) }
}

// h2Blind is h2 by a client that reads nothing.
func h2Blind(step func(c *attacker) error) func(context.Context, *flooder) {
	return func(ctx context.Context, a *flooder) { a.frames(ctx, false, step) }
}

func (a *flooder) frames(ctx context.Context, read bool, step func(c *attacker) error) {
	for ctx.Err() == nil {
		conn, err := a.dialTLS(ctx, "h2")
		if err != nil {
			time.Sleep(time.Millisecond)
			continue
		}
		c := newAttacker(conn)
		gone := make(chan struct{})
		go func() {
			defer close(gone)
			if read {
				a.read(c)
			}
		}()
		for err == nil && ctx.Err() == nil {
			if err = step(c); err == nil {
				c.n++
				a.sent.Add(1)
			}
		}
		if ctx.Err() == nil {
			a.ended.Add(1)
		}
		_ = conn.Close()
		<-gone
	}
}

// dialTLS connects, until the context is done.
func (a *flooder) dialTLS(ctx context.Context, protocol string) (net.Conn, error) {
	d := tls.Dialer{Config: &tls.Config{RootCAs: a.pool, ServerName: "localhost", NextProtos: []string{protocol}, MinVersion: tls.VersionTLS12}}
	c, err := d.DialContext(ctx, "tcp", strings.TrimPrefix(a.base, "https://"))
	if err != nil {
		return nil, err
	}
	context.AfterFunc(ctx, func() { _ = c.Close() })
	return c, nil
}

func newAttacker(conn net.Conn) *attacker {
	c := &attacker{w: bufio.NewWriterSize(conn, 32<<10), next: 1}
	c.Framer = http2.NewFramer(c.w, conn)
	c.AllowIllegalWrites = true
	c.ReadMetaHeaders = hpack.NewDecoder(4096, nil)
	c.block = &bytes.Buffer{}
	c.enc = hpack.NewEncoder(c.block)
	_, _ = io.WriteString(c.w, http2.ClientPreface)
	_ = c.WriteSettings()
	_ = c.WriteWindowUpdate(0, 1<<30)
	_ = c.w.Flush()
	return c
}

// read counts what the gateway says, until it says no more.
func (a *flooder) read(c *attacker) {
	for {
		frame, err := c.ReadFrame()
		if err != nil {
			return
		}
		switch frame := frame.(type) {
		case *http2.RSTStreamFrame:
			a.refused.Add(1)
			c.over.Add(1)
		case *http2.DataFrame:
			if frame.StreamEnded() {
				c.over.Add(1)
			}
		case *http2.MetaHeadersFrame:
			if n, _ := strconv.Atoi(frame.PseudoValue("status")); n >= 400 {
				a.refused.Add(1)
			}
			if frame.StreamEnded() {
				c.over.Add(1)
			}
		}
	}
}

// ask opens a stream with a request and gives its number. A "" method is GET.
func (c *attacker) ask(method, target string, end bool, more ...[2]string) (uint32, error) {
	id := c.next
	c.next += 2
	r := raw{method: "GET", host: "localhost", target: target, headers: more}
	if method != "" {
		r.method = method
	}
	return id, c.open(id, c.head(r.fields()...), end)
}

// after does something to a stream that was just opened with a whole request.
func after(what func(c *attacker, id uint32) error) func(context.Context, *flooder) {
	return h2(func(c *attacker) error {
		id, err := c.ask("", "/plain/1", true)
		if err != nil {
			return err
		}
		return what(c, id)
	})
}

// during does something again and again while a request is sent.
func during(what func(c *attacker, id uint32) error) func(context.Context, *flooder) {
	return h2(func(c *attacker) error {
		if c.n == 0 {
			if _, err := c.ask("POST", "/plain/1", false); err != nil {
				return err
			}
		}
		return what(c, 1)
	})
}

// inTurns asks again when others have been answered: more at once would be refused
// for their number.
func inTurns(target string, more ...[2]string) func(context.Context, *flooder) {
	return func(ctx context.Context, a *flooder) {
		a.frames(ctx, true, func(c *attacker) error {
			for ctx.Err() == nil && int64(c.n)-c.over.Load() >= 100 {
				if err := c.w.Flush(); err != nil {
					return err
				}
				time.Sleep(time.Millisecond)
			}
			_, err := c.ask("", target, true, more...)
			return err
		})
	}
}

// streamFloods are about streams: opened, reset, and left alone.
func streamFloods() []flood {
	return []flood{
		{"ordinary requests", inTurns("/plain/1"), true},
		{"rapid reset", after(func(c *attacker, id uint32) error { return c.WriteRSTStream(id, http2.ErrCodeCancel) }), true},
		{"made you reset: no window", after(func(c *attacker, id uint32) error { return c.WriteWindowUpdate(id, 0) }), true},
		{"made you reset: too much window", after(func(c *attacker, id uint32) error { return c.WriteWindowUpdate(id, 1<<31-1) }), true},
		{"made you reset: priority", after(func(c *attacker, id uint32) error { return c.WritePriority(id, http2.PriorityParam{StreamDep: id}) }), true},
		{"made you reset: data after the end", after(func(c *attacker, id uint32) error { return c.WriteData(id, true, []byte("x")) }), true},
		{"made you reset: head after the end", after(func(c *attacker, id uint32) error { return c.open(id, c.head([2]string{"x-a", "b"}), true) }), true},
		{"made you reset: more than declared", h2(func(c *attacker) error {
			id, err := c.ask("POST", "/plain/1", false, [2]string{"content-length", "1"})
			if err != nil {
				return err
			}
			return c.WriteData(id, true, []byte("xx"))
		}), true},
		{"streams past their number", h2(func(c *attacker) error {
			_, err := c.ask("POST", "/plain/1", false)
			return err
		}), true},
		{"the last stream id", h2(func(c *attacker) error {
			if c.n == 1 {
				c.next = 1<<31 - 1
			}
			_, err := c.ask("", "/plain/1", true)
			return err
		}), false},
		{"after GOAWAY", h2(func(c *attacker) error {
			if c.n == 0 {
				_ = c.WriteGoAway(0, http2.ErrCodeNo, nil)
			}
			_, err := c.ask("", "/plain/1", true)
			return err
		}), true},
		{"answers without a window", stalling(0), false},
		{"answers by the byte", stalling(1), false},
	}
}

// stalling asks for large answers on as many streams as may be open, takes the
// window of none, and keeps that up.
func stalling(window uint32) func(context.Context, *flooder) {
	return func(ctx context.Context, a *flooder) {
		a.frames(ctx, true, func(c *attacker) error {
			if c.n == 0 {
				_ = c.WriteSettings(http2.Setting{ID: http2.SettingInitialWindowSize, Val: window})
			}
			if c.n < 200 {
				_, err := c.ask("", "/plain/1?size=3000000", true)
				return err
			}
			for id := uint32(1); window > 0 && id < c.next; id += 2 {
				_ = c.WriteWindowUpdate(id, 1)
			}
			time.Sleep(10 * time.Millisecond)
			_ = c.WritePing(false, [8]byte{})
			return c.w.Flush()
		})
	}
}

// headFloods are about heads and how they are packed.
func headFloods() []flood {
	large := [2]string{"x-large", strings.Repeat("x", 3500)}
	reuse := make([][2]string, 500)
	for i := range reuse {
		reuse[i] = large
	}
	return []flood{
		{"CONTINUATION", h2(func(c *attacker) error {
			if c.n == 0 {
				return c.WriteHeaders(http2.HeadersFrameParam{StreamID: 1, BlockFragment: c.head(raw{method: "GET", target: "/", host: "x"}.fields()...)})
			}
			return c.WriteContinuation(1, false, c.head([2]string{"x-" + strconv.Itoa(c.n), strings.Repeat("x", 1000)}))
		}), false},
		{"CONTINUATION without an octet", h2(func(c *attacker) error {
			if c.n == 0 {
				return c.WriteHeaders(http2.HeadersFrameParam{StreamID: 1, BlockFragment: c.head(raw{method: "GET", target: "/", host: "x"}.fields()...)})
			}
			return c.WriteContinuation(1, false, nil)
		}), true},
		{"HPACK: one field, many times", inTurns("/plain/1", reuse...), true},
		{"HPACK: as much as is read", inTurns("/plain/1", reuse[:8]...), true},
		{"HPACK: table sizes", h2(func(c *attacker) error {
			id := c.next
			c.next += 2
			head := append(bytes.Repeat([]byte{0x20, 0x3f, 0xe1, 0x1f}, 1000), c.head(raw{method: "GET", target: "/plain/1", host: "localhost"}.fields()...)...)
			return c.open(id, head, true)
		}), false},
		{"HPACK: not to be unpacked", h2(func(c *attacker) error {
			id := c.next
			c.next += 2
			return c.open(id, bytes.Repeat([]byte{0xff}, 1000), true)
		}), false},
		{"fields without a name", h2(func(c *attacker) error {
			id := c.next
			c.next += 2
			return c.open(id, bytes.Repeat([]byte{0x40, 0x00, 0x00}, 300), true)
		}), true},
		{"cookies", inTurns("/plain/1", [2]string{"cookie", strings.Repeat("a=b;", 5000)}), true},
		{"header fields", inTurns("/plain/1", manyFields(400)...), true},
		{"trailers", h2(func(c *attacker) error {
			id, err := c.ask("POST", "/plain/1", false)
			if err != nil {
				return err
			}
			return c.open(id, c.head(manyFields(200)...), true)
		}), false},
	}
}

func manyFields(n int) (out [][2]string) {
	for i := range n {
		out = append(out, [2]string{"x-" + strconv.Itoa(i), "1"})
	}
	return out
}

// controlFloods are frames that ask for nothing, or for an answer only.
func controlFloods() []flood {
	ping := func(c *attacker) error { return c.WritePing(false, [8]byte{1}) }
	settings := func(c *attacker) error {
		return c.WriteSettings(http2.Setting{ID: http2.SettingMaxFrameSize, Val: 1 << 15})
	}
	return []flood{
		{"PING", h2(ping), true},
		{"PING, nothing is read", h2Blind(ping), true},
		{"SETTINGS", h2(settings), true},
		{"SETTINGS, nothing is read", h2Blind(settings), true},
		{"SETTINGS, windows of many streams", h2(func(c *attacker) error {
			if c.n < 200 {
				_, err := c.ask("POST", "/plain/1", false)
				return err
			}
			return c.WriteSettings(http2.Setting{ID: http2.SettingInitialWindowSize, Val: uint32(1000 + c.n%2)})
		}), true},
		{"PRIORITY", h2(func(c *attacker) error {
			return c.WritePriority(uint32(2*c.n+1)&(1<<31-1), http2.PriorityParam{StreamDep: 0, Weight: 1})
		}), true},
		{"WINDOW_UPDATE", during(func(c *attacker, id uint32) error { return c.WriteWindowUpdate(id, 1) }), true},
		{"DATA without an octet", during(func(c *attacker, id uint32) error { return c.WriteData(id, false, nil) }), true},
		{"DATA of one octet", during(func(c *attacker, id uint32) error { return c.WriteData(id, false, []byte("x")) }), true},
		{"DATA, padding only", during(func(c *attacker, id uint32) error { return c.WriteDataPadded(id, false, nil, make([]byte, 255)) }), true},
		{"frames of no known kind", h2(func(c *attacker) error { return c.WriteRawFrame(0xbe, 0, 0, make([]byte, 1000)) }), true},
		{"frames larger than allowed", h2(func(c *attacker) error { return c.WriteRawFrame(http2.FrameData, 0, 1, make([]byte, 20<<10)) }), false},
	}
}
