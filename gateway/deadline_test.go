package gateway

import (
	"bufio"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/net/http2"
)

// ends reports whether the gateway ends a connection, though every now and then
// more is written to it.
func ends(c net.Conn, more func() error) bool {
	_ = c.SetDeadline(time.Now().Add(30 * time.Second))
	over := make(chan error, 1)
	go func() {
		_, err := io.Copy(io.Discard, c)
		over <- err
	}()
	for {
		select {
		case err := <-over:
			return !os.IsTimeout(err)
		case <-time.After(30 * time.Millisecond):
			if more != nil && more() != nil {
				more = nil // the reader will see it, too
			}
		}
	}
}

// dialRaw connects to a listener and says nothing, or more.
func dialRaw(t *testing.T, address string) net.Conn {
	t.Helper()
	_, hostport, _ := strings.Cut(address, "://")
	c, err := net.Dial("tcp", hostport)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	_ = c.SetDeadline(time.Now().Add(20 * time.Second))
	return c
}

// A connection on which no request gets anywhere is ended, however it stalls:
// by silence or a byte at a time, in the handshake, the head or a body, and
// while frames come that ask for nothing.
func TestStalledConnections(t *testing.T) {
	t.Parallel() // it mostly waits
	w := open(t)
	w.backend("HR", echo("A"))
	// Long enough for a connection to come about before it stalls.
	w.start("timeouts: {header: 5s, body: 5s, idle: 3s}\n"+plain, "")
	trickle := func(c net.Conn, text string) func() error {
		return func() error {
			_, err := io.WriteString(c, text)
			return err
		}
	}
	var wg sync.WaitGroup
	for name, stall := range map[string]func() (net.Conn, func() error){
		"no handshake": func() (net.Conn, func() error) { return dialRaw(t, w.base), nil },
		"a slow handshake": func() (net.Conn, func() error) {
			c := dialRaw(t, w.base)
			_, _ = c.Write([]byte{22, 3, 1, 2, 0, 1, 0, 1, 252, 3, 3})
			return c, trickle(c, "x")
		},
		"nothing after the handshake": func() (net.Conn, func() error) { return w.tls("http/1.1"), nil },
		"nothing":                     func() (net.Conn, func() error) { return dialRaw(t, w.plain), nil },
		"a slow head": func() (net.Conn, func() error) {
			c := dialRaw(t, w.plain)
			_, _ = io.WriteString(c, "GET /plain/1 HTTP/1.1\r\nHost: localhost\r\nX: ")
			return c, trickle(c, "x")
		},
		"a slow head over TLS": func() (net.Conn, func() error) {
			c := w.tls("http/1.1")
			_, _ = io.WriteString(c, "GET /plain/1 HTTP/1.1\r\nHost: localhost\r\nX: ")
			return c, trickle(c, "x")
		},
		"a slow second head": func() (net.Conn, func() error) {
			c := dialRaw(t, w.plain)
			_, _ = io.WriteString(c, "GET /plain/1 HTTP/1.1\r\nHost: localhost\r\n\r\nGET /")
			return c, trickle(c, "x")
		},
		"idle":          func() (net.Conn, func() error) { return idleAfterOne(t, dialRaw(t, w.plain)), nil },
		"idle over TLS": func() (net.Conn, func() error) { return idleAfterOne(t, w.tls("http/1.1")), nil },
		"HTTP/2 without a request": func() (net.Conn, func() error) {
			f := w.frames()
			return f.Conn, nil
		},
		"HTTP/2, idle after one": func() (net.Conn, func() error) {
			f := w.frames()
			_ = f.open(1, f.head(raw{method: "GET", host: "localhost", target: "/plain/1"}.fields()...), true)
			return f.Conn, nil
		},
		"HTTP/2, pings and settings only": func() (net.Conn, func() error) {
			f := w.frames()
			return f.Conn, func() error {
				_ = f.WriteSettings()
				_ = f.WritePriority(1, http2.PriorityParam{StreamDep: 3})
				return f.WritePing(false, [8]byte{})
			}
		},
		"HTTP/2, a slow head": func() (net.Conn, func() error) {
			f := w.frames()
			block := f.head(raw{method: "GET", host: "localhost", target: "/plain/1"}.fields()...)
			_ = f.WriteHeaders(http2.HeadersFrameParam{StreamID: 1, BlockFragment: block, EndStream: true})
			long := f.head([2]string{"x-a", strings.Repeat("x", 4000)})
			return f.Conn, func() error {
				err := f.WriteContinuation(1, false, long[:1])
				long = long[1:]
				return err
			}
		},
		"HTTP/2, half a frame": func() (net.Conn, func() error) {
			f := w.frames()
			_, _ = f.Conn.Write([]byte{0, 0x40, 0, 1, 4, 0, 0, 0, 1})
			return f.Conn, trickle(f.Conn, "\x00")
		},
	} {
		c, more := stall()
		wg.Go(func() {
			if !ends(c, more) {
				t.Errorf("%s: the connection stays open", name)
			}
			_ = c.Close()
		})
	}
	wg.Wait()
}

func idleAfterOne(t *testing.T, c net.Conn) net.Conn {
	t.Helper()
	_, _ = io.WriteString(c, "GET /plain/1 HTTP/1.1\r\nHost: localhost\r\n\r\n")
	if o := readH1(bufio.NewReader(c), "GET"); o.status != 200 {
		t.Fatal(o)
	}
	return c
}

// A body a byte at a time has the time that a body has, and no more, whoever is
// to read it: the backend, a stage, or nobody since the request is refused.
func TestTricklingBodies(t *testing.T) {
	t.Parallel() // it mostly waits
	w := open(t)
	w.backend("HR", func(rw http.ResponseWriter, r *http.Request) { _, _ = io.Copy(rw, r.Body) })
	w.start("timeouts: {body: 300ms}\n"+plain+"  - {name: held, match: {path: /held/}, upstream: hr, public: true, policy: off, sanitize: {html: strip}}\n", "")
	for _, target := range []string{"/plain/1", "/held/1", "/nowhere", "/plain/%2e"} {
		for _, upgrade := range []string{"", "Connection: upgrade\r\nUpgrade: \x80\r\n"} {
			c := dialRaw(t, w.plain)
			_, _ = io.WriteString(c, "POST "+target+" HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"+upgrade+"Content-Length: 1000\r\n\r\n")
			if !ends(c, func() error { _, err := io.WriteString(c, "1"); return err }) {
				t.Errorf("%s %q: the connection stays open", target, upgrade)
			}
			_ = c.Close()
		}
		f := w.frames()
		_ = f.open(1, f.head(raw{method: "POST", host: "localhost", target: target, headers: [][2]string{{"content-type", "application/json"}}}.fields()...), false)
		got := make(chan outcome, 1)
		go func() { got <- f.answer(1) }()
		data := http2.NewFramer(f.Conn, nil) // f has the other goroutine
		for over := false; !over; {
			_ = data.WriteData(1, false, []byte("1"))
			select {
			case o := <-got:
				if o.status < 400 || o.err != nil {
					t.Errorf("%s over HTTP/2: %v", target, o)
				}
				over = true
			case <-time.After(30 * time.Millisecond):
			}
		}
		_ = f.Close()
	}
}

// Who does not take what is sent is given up: small answers and refusals as well
// as large ones, whether it is the window of a stream that is closed, that of the
// connection, or TCP itself.
func TestClientsThatDoNotRead(t *testing.T) {
	t.Parallel() // it mostly waits
	w := open(t)
	w.backend("HR", func(rw http.ResponseWriter, r *http.Request) {
		size := 1
		_, _ = fmt.Sscan(r.URL.Query().Get("size"), &size)
		_, _ = rw.Write(make([]byte, size))
	})
	// Time enough to ask, and to answer a ping. What the server says by itself has it, too.
	w.start("timeouts: {idle: 4s}\n"+plain+"    timeouts: {idle: 200ms}\n", "")
	t.Run("a large answer", func(t *testing.T) {
		c := w.wire(plainH1)
		_, _ = io.WriteString(c, "GET /plain/1?size=30000000 HTTP/1.1\r\nHost: localhost\r\n\r\n")
		if e := w.cut("/plain/1", 1); e[0]["bytes"] == 30000000.0 {
			t.Errorf("on record: %v", e)
		}
	})
	var wg sync.WaitGroup
	for name, tt := range map[string]struct {
		window uint32
		target string
	}{
		"no window":              {0, "/plain/1?size=100000"},
		"no window for refusals": {0, "/nowhere"},
		"a byte of window":       {1, "/plain/1?size=3"},
	} {
		f := w.stalledStreams(t, tt.window, tt.target)
		wg.Go(func() {
			if resets, err := f.resets(stuckStreams); err != nil {
				t.Errorf("HTTP/2, %s: %d streams were ended: %v", name, resets, err)
			}
		})
	}
	_ = w.stalledStreams(t, 1<<30, "/plain/2?size=3000000") // what stalls is TCP, and it is the connection that ends
	w.cut("/plain/2", 1)
	wg.Wait()
	eventually(t, "nothing in flight", func() bool { return w.metric("gatehouse_requests_in_flight") == "0" })
	// Last, since these fill the log.
	for name, tt := range map[string]struct {
		way    proto
		target string
	}{
		"answers":          {plainH1, "/plain/1?size=100000"},
		"answers over TLS": {tlsH1, "/plain/1?size=100000"},
		"refusals":         {plainH1, "/nowhere"},
		"upgrades":         {plainH1, "/plain/1 HTTP/1.1\r\nConnection: upgrade\r\nUpgrade: \x80\r\nX:"},
	} {
		c := w.wire(tt.way)
		wg.Go(func() {
			if err := overfill(c, tt.target); err != nil {
				t.Errorf("pipelined %s: %v", name, err)
			}
		})
	}
	wg.Wait()
}

// resets waits until n streams were ended one by one.
func (f *frames) resets(n int) (got int, err error) {
	_ = f.SetReadDeadline(time.Now().Add(time.Minute))
	for got < n {
		frame, err := f.ReadFrame()
		if err != nil {
			return got, err
		}
		switch frame := frame.(type) {
		case *http2.RSTStreamFrame:
			got++
		case *http2.PingFrame: // or the connection would be ended
			_ = f.WritePing(true, frame.Data)
		}
	}
	return got, nil
}

// cut waits until at least n exchanges with a path are on record as not sent whole.
func (w *world) cut(path string, n int) (out []map[string]any) {
	w.t.Helper()
	eventually(w.t, fmt.Sprintf("%d cut answers", n), func() bool {
		out = nil
		for _, e := range w.log("exchange") {
			if e["path"] == path && e["aborted"] == true {
				out = append(out, e)
			}
		}
		return len(out) >= n
	})
	return out
}

// overfill asks again and again and reads nothing, until the gateway has had
// enough.
func overfill(c net.Conn, target string) error {
	defer c.Close()
	_ = c.SetDeadline(time.Now().Add(2 * time.Minute)) // what was sent is answered first, and that is much
	batch := strings.Repeat("GET "+target+" HTTP/1.1\r\nHost: localhost\r\n\r\n", 1000)
	for range 1000 {
		if _, err := io.WriteString(c, batch); err != nil {
			if os.IsTimeout(err) {
				return errors.New("the gateway waits for a client that does not read")
			}
			return nil
		}
	}
	return errors.New("a million requests were taken and no answer")
}

// stuckStreams is how many requests stalledStreams has open.
const stuckStreams = 50

// stalledStreams asks often at once. With a large window the connection has
// one, too.
func (w *world) stalledStreams(t *testing.T, window uint32, target string) *frames {
	t.Helper()
	f := w.frames()
	_ = f.WriteSettings(http2.Setting{ID: http2.SettingInitialWindowSize, Val: window})
	if window > 1<<16 {
		_ = f.WriteWindowUpdate(0, window)
	}
	for i := range stuckStreams {
		if err := f.open(uint32(2*i+1), f.head(raw{method: "GET", host: "localhost", target: target}.fields()...), true); err != nil {
			t.Fatal(err)
		}
	}
	return f
}

// The time that is set when a head was read is not what a body, or an answer,
// has: an upstream may be slow to connect to, and 100 Continue goes out late. The
// times are short, so that a busy machine may need more than one try.
func TestLateContinue(t *testing.T) {
	t.Parallel() // it mostly waits
	for _, h2 := range []bool{false, true} {
		t.Run(fmt.Sprint("HTTP/2 ", h2), func(t *testing.T) {
			t.Parallel()
			var err error
			for range 5 {
				if err = lateContinue(t, h2); err == nil {
					return
				}
			}
			t.Error(err)
		})
	}
}

// lateContinue sends a request to an upstream that lets wait for each handshake, of
// which there are two: one tells what it speaks. Together they take longer than the
// server gives an answer, and each less than there is to connect.
func lateContinue(t *testing.T, h2 bool) error {
	w := open(t)
	pair, err := tls.LoadX509KeyPair(w.dir+"/certs/gateway.pem", w.dir+"/certs/gateway-key.pem")
	if err != nil {
		t.Fatal(err)
	}
	hr := httptest.NewUnstartedServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) { _, _ = io.Copy(rw, r.Body) }))
	hr.TLS = &tls.Config{Certificates: []tls.Certificate{pair}, GetConfigForClient: func(*tls.ClientHelloInfo) (*tls.Config, error) {
		time.Sleep(1400 * time.Millisecond)
		return nil, nil //nolint:nilnil // as it is configured
	}}
	hr.StartTLS()
	t.Cleanup(hr.Close)
	w.vars["HR"] = strings.Replace(hr.URL, "127.0.0.1", "localhost", 1)
	w.start("timeouts: {idle: 1s}\n"+strings.Replace(plain, "{endpoints: [\"{HR}\"]}", "{endpoints: [\"{HR}\"], ca: certs/ca.pem}", 1), "")
	c := w.client(h2)
	c.Transport.(*http.Transport).ExpectContinueTimeout = 20 * time.Second
	res, err := c.Do(w.request("POST", "/plain/1", strings.NewReader("late"), "Expect: 100-continue"))
	if err != nil {
		return err
	}
	defer res.Body.Close()
	if b, err := io.ReadAll(res.Body); res.StatusCode != 200 || string(b) != "late" || err != nil {
		return fmt.Errorf("%s: %q, %w", res.Status, b, err)
	}
	return nil
}
