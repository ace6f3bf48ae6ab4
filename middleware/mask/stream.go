package mask

import (
	"bytes"
	"errors"
	"io"
	"net/http"
	"strings"

	"github.com/gatehouse-dev/gatehouse/middleware"
	"github.com/gatehouse-dev/gatehouse/middleware/mask/coding"
	"github.com/gatehouse-dev/gatehouse/middleware/mask/eventstream"
	"github.com/gatehouse-dev/gatehouse/middleware/mask/redact"
	"github.com/gatehouse-dev/gatehouse/middleware/mask/tally"
)

// stream is the body of a masked answer. An error of Read that is not io.EOF
// makes the proxy shell cut the answer so that the client notices: no last
// chunk over HTTP/1.1, a reset stream over HTTP/2.
type stream struct {
	masker
	a      *answer
	format format
	held   *bytes.Reader // the whole answer, where it has been read
	list   tally.Records // of what was given
	closed bool
	broken bool // the masker has panicked, and is not used again
}

func (s *stream) Read(p []byte) (int, error) {
	if s.held != nil {
		n, err := s.held.Read(p)
		s.count(p[:n])
		return n, err
	}
	s.broken = true // unless it comes back
	n, err := s.masker.Read(p)
	s.broken = false
	s.count(p[:n])
	// A client that has gone is not one whose answer was cut, and what the gateway
	// has ended is on record as that.
	if err != nil && err != io.EOF && !s.closed && s.a.x.Request.Context().Err() == nil && !errors.Is(err, middleware.ErrEnded) {
		s.a.x.Note("answer_cut", err.Error())
	}
	return n, err
}

// piece is how much of an answer is gathered, of what is there already, before it
// is sent on.
const piece = prefetched

// Take gives what is masked of what has arrived.
func (s *stream) Take() (p []byte, end bool) {
	r, ok := s.masker.(*redact.Reader)
	if !ok || s.held != nil {
		return nil, false
	}
	s.broken = true // as in Read
	if s.a.gathers {
		r.Gather(piece, s.a.arrived)
	}
	p, end = r.Take()
	s.broken = false
	s.count(p)
	return p, end
}

// Close closes the body that was masked, too, and writes down what was done.
func (s *stream) Close() error {
	if s.closed {
		return nil
	}
	s.closed = true
	defer s.a.rest.release()
	if s.broken {
		return s.a.res.Body.Close()
	}
	err := s.masker.Close()
	s.a.note(s.Report())
	if a := s.a; a.tells(a.x.Request, a.res.StatusCode) {
		tell(a.x, served(s.format, len(a.spec.Rows) > 0, s.masker, &s.list))
	}
	return err
}

// count counts the records of what is given, where rows do not tell.
func (s *stream) count(p []byte) {
	if s.a.counting != nil && s.format == jsonText && len(s.a.spec.Rows) == 0 {
		s.list.Write(p)
	}
}

// memory is what an answer has taken of the budget for bodies.
type memory struct {
	budget *middleware.Budget
	taken  int64
	least  int64 // of that, for what is there from the beginning to the end
}

func (m *memory) take(n int64) bool {
	if !m.budget.Take(n) {
		return false
	}
	m.taken += n
	return true
}

// hold takes what is missing of n beside the least, or gives back what is too
// much by far.
func (m *memory) hold(n int64) bool {
	switch want := m.least + n; {
	case want > m.taken:
		return m.take(want - m.taken)
	case 2*want < m.taken:
		m.budget.Give(m.taken - want)
		m.taken = want
	}
	return true
}

func (m *memory) release() {
	m.budget.Give(m.taken)
	m.taken = 0
}

// payer is the text of a stream of events, which takes memory when an event is
// large, whenever more is to be waited for. Most streams are idle and hold
// little, and there are many: were each to take all it may need, some hundreds
// would leave nothing to others.
type payer struct {
	io.ReadCloser
	memory *memory
	events *eventstream.Reader
}

func (p *payer) Read(b []byte) (int, error) {
	if !p.memory.hold(int64(p.events.Held())) {
		return 0, errNoMemory
	}
	return p.ReadCloser.Read(b)
}

// windows is what an engine holds beside its output.
const windows = 48 << 10

// reserve takes the memory that the engine may need: its windows, what is
// prefetched, and a row that is held back until it has been judged. A short
// answer cannot need as much, unless it is packed: how much unpacking holds the
// sender decides.
func (a *answer) reserve(f format) error {
	a.rest.budget = a.x.Memory
	need := int64(prefetched)
	switch {
	case f == events:
		need = 0 // see payer
	case len(a.spec.Rows) > 0:
		need += maxElement
	}
	if n := a.res.ContentLength; n >= 0 && !packed(a.res.Header) {
		need = min(need, 2*n)
	}
	if !a.rest.take(windows + need + coding.Memory(codings(a.res.Header))) {
		return errNoMemory
	}
	a.rest.least = a.rest.taken
	return nil
}

// maxElement is the engine's default of how much is held back.
const maxElement = 1 << 20

// refusal says what is wrong with an answer, without a word of it.
func refusal(err error) error {
	switch {
	case errors.Is(err, redact.ErrRowDenied):
		return middleware.Refuse(stageName, middleware.RowDenied, "there is no such record for you")
	case errors.Is(err, errNoMemory):
		return middleware.Refuse(stageName, middleware.Overloaded, "too many large answers at once").
			With(err).Set("Retry-After", "1")
	}
	return middleware.Refuse(stageName, middleware.ResponseUnmaskable,
		"the backend's answer cannot be masked as the policy demands").With(err)
}

// codings gives the codings of an answer as one list. Several are joined, and
// so understood by nobody.
func codings(h http.Header) string { return strings.Join(h.Values("Content-Encoding"), ",") }

// packed reports whether an answer says that it is compressed.
func packed(h http.Header) bool {
	c := codings(h)
	return c != "" && c != "identity"
}
