package gateway

import (
	"net/http"
	"time"
)

// bound sets the time bounds of an exchange that is about to begin. They are
// set before anything of it can wait for the client: whatever refuses the
// request, the server reads on to the end of a short body before the next one, and
// would wait for it forever.
func (s *passage) bound() {
	if s.flow = s.flows(); s.flow != nil {
		s.flow.moved()
	} else if r := s.in; r.Body != nil && r.Body != http.NoBody && r.ContentLength != 0 {
		s.bounded = true
		_ = s.control.SetReadDeadline(time.Now().Add(s.timeouts().Body.D()))
	}
	if s.in.ProtoMajor == 2 {
		s.await()
	}
}

// await sees to it that the write deadline, which the server has set with the head,
// does not end a stream of HTTP/2 while its answer is waited for. Moving it is a
// message to whoever serves the connection, so it is done once the answer is late, and
// long before the deadline: most exchanges are over by then, and keep the first.
func (s *passage) await() {
	server, _ := s.in.Context().Value(http.ServerContextKey).(*http.Server)
	if server == nil || server.WriteTimeout <= 0 {
		return // there is none
	}
	s.reading.Lock()
	defer s.reading.Unlock()
	s.first = server.WriteTimeout
	s.present.Context = s.in.Context()
	s.late = time.AfterFunc(min(patience, s.first/8), s.linger)
}

// linger is for exchanges that are not over soon.
func (s *passage) linger() {
	s.present.watch()
	s.reading.Lock()
	defer s.reading.Unlock()
	if s.first > 0 {
		s.late = time.AfterFunc(s.first/8, s.postpone)
	}
}

// postpone moves the write deadline away. It is moved and not lifted: see unbind.
func (s *passage) postpone() {
	s.reading.Lock()
	defer s.reading.Unlock()
	if s.first > 0 {
		s.first = 0
		_ = s.control.SetWriteDeadline(time.Now().Add(unbounded))
	}
}

// awaited ends the wait for the answer: its pace decides from here on. It gives when
// the write deadline was set, zero if that is not one of twice the idle time.
func (s *passage) awaited(idle time.Duration) (set time.Time) {
	if s.in.ProtoMajor != 2 {
		return set
	}
	s.reading.Lock()
	defer s.reading.Unlock()
	if s.first > 0 && s.first == 2*idle {
		set = s.x.Start
	}
	s.first = 0
	return set
}

// unbounded is longer than any exchange lasts.
const unbounded = 10 * 365 * 24 * time.Hour

// lift takes the bound of the request body away: all of it was read. Whoever reads
// on after the exchange lifts nothing: what would be lifted is the next one's, or
// nobody's.
func (s *passage) lift() {
	s.reading.Lock()
	defer s.reading.Unlock()
	if s.bounded {
		s.bounded = false
		_ = s.control.SetReadDeadline(time.Time{})
	}
}

// unbind ends with the exchange what would set a deadline later, and what bounds the
// request body. Over HTTP/1.1 that deadline stays, for what the server reads of it
// afterwards. Over HTTP/2 it has to go: the client may have reset the stream before it
// was set, and net/http then keeps the stream until the deadline, with what had come of
// its body. A client could have any number of such. Only where there was a deadline
// before the reset does it know better, as for writing, where there always is one.
func (s *passage) unbind() {
	_ = s.awaited(0)
	s.over()
	if s.flow != nil {
		s.flow.over(s.in.ProtoMajor == 2)
		return
	}
	s.reading.Lock()
	defer s.reading.Unlock()
	if s.bounded && s.in.ProtoMajor == 2 {
		_ = s.control.SetReadDeadline(time.Time{})
	}
	s.bounded = false
}

// over ends what await began. Whoever still wants to know that the stream is over is
// about to be told.
func (s *passage) over() {
	s.reading.Lock()
	defer s.reading.Unlock()
	if s.late != nil {
		s.late.Stop()
		s.present.watch()
	}
}

// lastPiece is how long a read of a body that is closed meanwhile may still wait.
// An upstream that has answered early wants no more of it, but a client that is
// about to send the rest may keep its connection.
const lastPiece = 100 * time.Millisecond

// hurry gives the read of the request body that is under way the last of its time,
// unless the exchange is over: then it is no read of ours.
func (s *passage) hurry() {
	at := time.Now().Add(lastPiece)
	if s.flow != nil {
		s.flow.hurry(at)
		return
	}
	s.reading.Lock()
	defer s.reading.Unlock()
	if s.bounded {
		_ = s.control.SetReadDeadline(at)
	}
}

// pace gives the client the time to take the next piece of what is written to
// it: the idle time for the piece, and once more while the upstream may be
// silent.
func (s *passage) pace() {
	_ = s.awaited(0)
	s.timed.Store(true)
	_ = s.control.SetWriteDeadline(time.Now().Add(2 * s.timeouts().Idle.D()))
}

// invite is called before a body is first read, which over HTTP/1.1 may write
// 100 Continue. The write deadline of the head may be over by then.
func (s *passage) invite() {
	if s.in.ProtoMajor == 1 {
		s.pace()
	}
}
