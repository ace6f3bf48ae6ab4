package gateway

import (
	"bytes"
	"errors"
	"io"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"github.com/gatehouse-dev/gatehouse/middleware"
)

// errUpgrade is why an answer 101 goes no further: nobody has asked for one.
var errUpgrade = errors.New("the pipeline has answered 101")

// upgrade answers 101 and joins the client's connection with the upstream's until
// one of them ends. The exchange lasts as long: its plan, its record and whatever
// stages have put around the body of the answer.
func (s *passage) upgrade(w http.ResponseWriter, res *http.Response) {
	if s.x.Upgrade == "" || s.x.Tunnel == nil {
		_ = res.Body.Close()
		s.broken(w, errUpgrade)
		return
	}
	conn, client, err := s.control.Hijack()
	if err != nil {
		_ = res.Body.Close()
		s.broken(w, err)
		return
	}
	sp := &splice{passage: s, conn: conn, client: conn, body: res.Body, tunnel: s.x.Tunnel, idle: s.timeouts().Idle.D()}
	if n := client.Reader.Buffered(); n > 0 { // it did not wait for the answer
		ahead, _ := client.Reader.Peek(n)
		sp.client = io.MultiReader(bytes.NewReader(bytes.Clone(ahead)), conn)
	}
	s.splice.Store(sp)
	if s.cut.Load() { // meanwhile
		sp.cut()
	}
	defer conn.Close()
	if !s.g.splices.add(sp) {
		_ = res.Body.Close()
		return
	}
	defer s.g.deps.Metrics.Upgraded(s.x.Listener)()
	if s.g.Plan() != s.p { // it was replaced meanwhile
		sp.retire()
	}
	sp.run(switching(res))
}

// switching gives the head of the answer as it is written. It has no body and
// none of the fields that tell of one.
func switching(res *http.Response) []byte {
	dropHopByHop(res.Header)
	res.Header.Del("Content-Length")
	var b bytes.Buffer
	b.WriteString("HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: " + webSocket + "\r\n")
	_ = res.Header.Write(&b)
	b.WriteString("\r\n")
	return b.Bytes()
}

// Why a connection that was upgraded is ended, for the record.
const (
	endedDrain    = "drain"
	endedReplaced = "plan_replaced"
)

// A splice is two connections that have become one. What comes from the upstream
// is read through the stages, which count it and may end it; what comes from the
// client goes straight on.
//
// The upstream's clock runs while nothing moves in either direction; the client
// has twice the idle time to take each piece. Where one side has said all, the
// other may go on: the upstream as before, and the client for the idle time.
type splice struct {
	passage *passage
	conn    net.Conn  // the client's
	client  io.Reader // it, with what was read of it already
	body    io.ReadCloser
	tunnel  middleware.Tunnel
	idle    time.Duration

	up     sync.WaitGroup
	taken  int64     // bytes of the client; to be read when up is done
	paced  time.Time // when the write deadline was last set
	ended  atomic.Pointer[string]
	mu     sync.Mutex
	timers []*time.Timer
	over   bool // no more timers
}

// run writes the head and moves bytes until both directions are at their end.
func (sp *splice) run(head []byte) {
	_ = sp.pace()
	_, err := sp.conn.Write(head)
	if err == nil {
		sp.up.Go(sp.upward)
		err = sp.downward()
	}
	if errors.Is(err, io.EOF) {
		if c, ok := sp.conn.(interface{ CloseWrite() error }); ok && c.CloseWrite() == nil {
			sp.after(sp.idle, sp.abort)
		} else {
			sp.abort()
		}
	} else {
		sp.abort()
	}
	sp.up.Wait()
	sp.stop()
	x := sp.passage.x
	x.Note("received", sp.taken)
	if why := sp.ended.Load(); why != nil {
		x.Note("ended", *why)
	}
	_ = sp.body.Close() // which puts it on record
}

// downward moves what the upstream sends. The error is never nil.
func (sp *splice) downward() error {
	pool := &sp.passage.g.buffers
	buffer := pool.get()
	defer pool.put(buffer)
	for {
		n, err := sp.body.Read(buffer[:])
		if n > 0 {
			if err := sp.pace(); err != nil {
				return err
			}
			if _, err := sp.conn.Write(buffer[:n]); err != nil {
				return err
			}
		}
		if err != nil {
			return err
		}
	}
}

// upward moves what the client sends.
func (sp *splice) upward() {
	pool := &sp.passage.g.buffers
	buffer := pool.get()
	defer pool.put(buffer)
	for {
		n, err := sp.client.Read(buffer[:])
		if n > 0 {
			sp.taken += int64(n)
			if _, err := sp.tunnel.Write(buffer[:n]); err != nil {
				sp.abort()
				return
			}
		}
		if errors.Is(err, io.EOF) && sp.tunnel.CloseWrite() == nil {
			return
		}
		if err != nil {
			sp.abort()
			return
		}
	}
}

// pace gives the client time for the next piece.
func (sp *splice) pace() error {
	now := time.Now()
	if sp.idle > 0 && now.Sub(sp.paced) >= sp.idle/4 {
		sp.paced = now
		_ = sp.conn.SetWriteDeadline(now.Add(2 * sp.idle))
	}
	if sp.passage.cut.Load() {
		sp.cut()
		return middleware.ErrEnded
	}
	return nil
}

// abort makes whatever the splice waits for fail, on both sides.
func (sp *splice) abort() {
	if cancel := sp.passage.x.Cancel; cancel != nil {
		cancel(middleware.ErrEnded)
	}
	sp.cut()
}

// cut does so on the client's side. It does not wait, as closing might.
func (sp *splice) cut() { _ = sp.conn.SetDeadline(time.Unix(1, 0)) }

// end ends the splice for a reason.
func (sp *splice) end(why string) {
	sp.ended.CompareAndSwap(nil, &why)
	sp.passage.cut.Store(true)
	sp.abort()
}

// retire ends the splice when what it was let in by has been replaced for as long
// as running requests may take to finish on shutdown.
func (sp *splice) retire() {
	sp.after(sp.passage.p.config.Timeouts.Drain.D(), func() { sp.end(endedReplaced) })
}

func (sp *splice) after(d time.Duration, f func()) {
	sp.mu.Lock()
	defer sp.mu.Unlock()
	if !sp.over {
		sp.timers = append(sp.timers, time.AfterFunc(d, f))
	}
}

func (sp *splice) stop() {
	sp.mu.Lock()
	defer sp.mu.Unlock()
	sp.over = true
	for _, t := range sp.timers {
		t.Stop()
	}
}
