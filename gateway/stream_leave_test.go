package gateway

import (
	"net/http"
	"net/http/httptest"
	"runtime"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/net/http2"
)

// leaving opens a stream, sends a part of a body, and resets the stream at once. It
// comes back when the gateway has seen all of that.
func (c *attacker) leaving(target string, part []byte, more ...[2]string) error {
	id, err := c.ask("POST", target, false, more...)
	for b := part; err == nil && len(b) > 0; {
		piece := b[:min(len(b), frameSize)]
		b = b[len(piece):]
		err = c.WriteData(id, false, piece)
	}
	if err == nil {
		err = c.WriteRSTStream(id, http2.ErrCodeCancel)
	}
	if err == nil {
		err = c.WritePing(false, [8]byte{byte(id >> 24), byte(id >> 16), byte(id >> 8), byte(id)})
	}
	if err == nil {
		err = c.w.Flush()
	}
	for err == nil {
		var frame http2.Frame
		if frame, err = c.ReadFrame(); err != nil {
			break
		}
		if p, ok := frame.(*http2.PingFrame); ok && p.IsAck() {
			break
		}
	}
	return err
}

// A stream that was reset holds nothing: neither a deadline that is set afterwards
// nor anything else keeps what came of its body and was read by nobody. The
// connection stays, and the times are those of every gateway.
func TestResetStreamsHoldNothing(t *testing.T) {
	const streams, most = 1500, 1 << 20
	part := make([]byte, 8<<10) // of each: so short that many are reset before a deadline is set
	for name, tt := range map[string]struct {
		target string
		more   [][2]string
		proto  int32 // what the upstream is asked in, if it is
	}{
		"no such route":    {target: "/nowhere"},
		"not signed in":    {target: "/staff/x"},
		"for the upstream": {target: "/plain/x", proto: 1},
		"a call":           {target: "/call/x", proto: 2, more: [][2]string{{"content-type", "application/grpc"}, {"te", "trailers"}}},
	} {
		t.Run(name, func(t *testing.T) {
			w := open(t)
			seen := w.speaksBoth("HR")
			w.start(`
upstreams:
  hr: {endpoints: ["{HR}"]}
  calls: {endpoints: ["{HR}"], protocol: h2c}
policies: {path: rego, budget: 1m}
routes:
  - {name: staff, match: {path: /staff/}, upstream: hr, authn: {issuers: [auth]}}
  - {name: plain, match: {path: /plain/}, upstream: hr, public: true, policy: "off"}
  - {name: calls, match: {path: /call/}, upstream: calls, public: true, policy: "off"}
`, "allow := true")
			conn := w.tls("h2")
			c := newAttacker(conn)
			defer conn.Close()
			if err := c.leaving(tt.target, part, tt.more...); err != nil {
				t.Fatal(err)
			}
			if tt.proto > 0 { // a backend that cannot be spoken to would hold other things
				o := w.ask(tlsH2, raw{method: "POST", target: tt.target, headers: tt.more, body: "x"})
				if o.err != nil || o.status != 200 || seen.Load() != tt.proto {
					t.Fatalf("%v, and the backend was asked in HTTP/%d", o, seen.Load())
				}
			}
			before := inUse()
			for range streams {
				_ = conn.SetDeadline(time.Now().Add(20 * time.Second)) // of each, and not of all
				if err := c.leaving(tt.target, part, tt.more...); err != nil {
					t.Fatal(err)
				}
			}
			now := inUse()
			for range 300 { // what is still being answered
				if now < before+most {
					break
				}
				time.Sleep(100 * time.Millisecond)
				now = inUse()
			}
			if now >= before+most {
				t.Errorf("%d streams that were reset hold %d KiB", streams, (now-before)>>10)
			}
		})
	}
}

// speaksBoth starts a backend that speaks HTTP/1.1 and h2c and leaves bodies unread.
// It tells which of them it was asked in last.
func (w *world) speaksBoth(name string) *atomic.Int32 {
	seen := new(atomic.Int32)
	s := httptest.NewUnstartedServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { seen.Store(int32(r.ProtoMajor)) }))
	s.Config.Protocols = &http.Protocols{}
	s.Config.Protocols.SetHTTP1(true)
	s.Config.Protocols.SetUnencryptedHTTP2(true)
	s.Start()
	w.t.Cleanup(s.Close)
	w.vars[name] = s.URL
	return seen
}

// inUse is what the process holds, without what only pools keep.
func inUse() uint64 {
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}
