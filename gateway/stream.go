package gateway

import (
	"io"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/gatehouse-dev/gatehouse/middleware"
)

// A flow is a call of gRPC, in which both sides may speak for as long as they
// like. Its client has the idle time for each piece, and need not say anything
// while the answer moves: timeouts.body, which is for all of a body, would end
// it. timeouts.stream bounds it nevertheless.
type flow struct {
	control *http.ResponseController
	idle    time.Duration
	until   time.Time // zero: no bound

	mu    sync.Mutex // both directions move it
	set   time.Time
	ended bool // the client has said all, or the exchange is over
}

// flows gives the flow of an exchange, nil where it is none. The upstream must be
// one of HTTP/2 by its settings: what says of itself that it is gRPC and goes
// elsewhere is bound as anything else.
func (s *passage) flows() *flow {
	r := s.x.Route
	if r == nil || !middleware.IsGRPC(s.in) {
		return nil
	}
	if u := s.p.config.Upstreams[r.Upstream]; u == nil || u.Protocol != "http2" && u.Protocol != "h2c" {
		return nil
	}
	f := &flow{control: &s.control, idle: s.timeouts().Idle.D()}
	if d := s.timeouts().Stream.D(); d > 0 {
		f.until = s.x.Start.Add(d)
	}
	return f
}

// moved gives the client the idle time from now on. A nil flow has none.
func (f *flow) moved() {
	if f == nil {
		return
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	now := time.Now()
	if f.ended || now.Sub(f.set) < f.idle/4 {
		return
	}
	f.set = now
	at := now.Add(f.idle)
	if !f.until.IsZero() && f.until.Before(at) {
		at = f.until
	}
	_ = f.control.SetReadDeadline(at)
}

// hurry sets when the client must have said the next piece, whatever it had before.
func (f *flow) hurry(at time.Time) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if !f.ended {
		_ = f.control.SetReadDeadline(at)
	}
}

// over ends the bound: the client has said all, or the exchange is over and nobody
// may touch its connection. What was set last is lifted or stays.
func (f *flow) over(lift bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if lift && !f.ended {
		_ = f.control.SetReadDeadline(time.Time{})
	}
	f.ended = true
}

// endedStream is why a stream was ended that has lasted for too long, for the
// record.
const endedStream = "stream_timeout"

// lasting ends a stream that lasts for longer than timeouts.stream. Whatever its
// reader waits for then, the upstream or its own client, fails.
type lasting struct {
	io.ReadCloser
	s     *passage
	timer *time.Timer

	mu           sync.Mutex
	over, closed bool
}

// last bounds how long an answer may last, where it is a stream that has no end
// of its own: what was upgraded, a call of gRPC, events.
func (s *passage) last(res *http.Response) {
	d := s.timeouts().Stream.D()
	if d <= 0 || s.flow == nil && res.StatusCode != http.StatusSwitchingProtocols && !hasNoEnd(res.Header) {
		return
	}
	l := &lasting{ReadCloser: res.Body, s: s}
	l.timer = time.AfterFunc(d, l.end)
	res.Body = l
}

func hasNoEnd(h http.Header) bool {
	t, _, _ := strings.Cut(h.Get("Content-Type"), ";")
	t = strings.TrimSpace(t)
	return strings.EqualFold(t, "text/event-stream") || strings.EqualFold(t, "multipart/x-mixed-replace")
}

func (l *lasting) end() {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed {
		return
	}
	l.over = true
	if l.s.x.Cancel != nil {
		l.s.x.Cancel(middleware.ErrEnded)
	}
	l.s.Cut()
}

func (l *lasting) isOver() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.over
}

// Read fails once the stream is over: the client must see that it is not all.
func (l *lasting) Read(p []byte) (int, error) {
	n, err := l.ReadCloser.Read(p)
	if l.isOver() {
		return 0, middleware.ErrEnded
	}
	return n, err
}

// Close waits for an end that is under way: from here on the client's connection
// may belong to another exchange.
func (l *lasting) Close() error {
	l.timer.Stop()
	l.mu.Lock()
	again := l.closed
	l.closed = true
	l.mu.Unlock()
	if !again && l.isOver() {
		l.s.x.Note("ended", endedStream)
	}
	return l.ReadCloser.Close()
}
