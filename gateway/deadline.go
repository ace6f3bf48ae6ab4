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
		_ = s.control.SetReadDeadline(time.Now().Add(s.timeouts().Body.D()))
	}
	// The server has set the write deadline when it had read the head. To
	// HTTP/2 it would be the end of the stream, however long an upstream takes.
	if s.in.ProtoMajor == 2 {
		_ = s.control.SetWriteDeadline(time.Time{})
	}
}

// pace gives the client the time to take the next piece of what is written to
// it: the idle time for the piece, and once more while the upstream may be
// silent.
func (s *passage) pace() {
	_ = s.control.SetWriteDeadline(time.Now().Add(2 * s.timeouts().Idle.D()))
}

// invite is called before a body is first read, which over HTTP/1.1 may write
// 100 Continue. The write deadline of the head may be over by then.
func (s *passage) invite() {
	if s.in.ProtoMajor == 1 {
		s.pace()
	}
}
