package mask

import (
	"io"
	"net/http"

	"github.com/gatehouse-dev/gatehouse/middleware"
	"github.com/gatehouse-dev/gatehouse/middleware/mask/coding"
	"github.com/gatehouse-dev/gatehouse/middleware/mask/eventstream"
	"github.com/gatehouse-dev/gatehouse/middleware/mask/redact"
	"github.com/gatehouse-dev/gatehouse/middleware/mask/table"
	"github.com/gatehouse-dev/gatehouse/middleware/mask/tally"
)

// aside counts what an answer holds that is packed, or a table, or a stream of
// events: its readers want to be the ones who ask. They do so in a goroutine, which
// is handed each piece and has looked at it before the next one is read, and which
// ends with the body.
type aside struct {
	pieces *io.PipeWriter
	done   chan struct{}
	served middleware.Served // when done
	ok     bool
}

func (s *Stage) begin(f format, h http.Header, levels int) *aside {
	r, w := io.Pipe()
	a := &aside{pieces: w, done: make(chan struct{})}
	coded, plan := codings(h), s.counting.plan
	go func() {
		defer close(a.done)
		defer r.Close() // who writes goes on
		defer func() {
			if recover() != nil { // a fault of the counting is not one of the answer
				a.ok = false
			}
		}()
		text, err := coding.Open(coded, r, coding.Options{})
		if err != nil {
			return
		}
		a.served, a.ok = readAside(f, plan, text, levels), true
	}()
	return a
}

// readAside counts what a text holds, as far as it can be read.
func readAside(f format, plan *redact.Plan, text io.ReadCloser, levels int) middleware.Served {
	limits := redact.Limits{Pointers: -1}
	var m masker
	switch f {
	case jsonLines:
		m = redact.NewLineReader(plan, text, limits)
	case events:
		m = eventstream.NewReader(plan, text, limits)
	case csv:
		m = table.NewReader(plan, text, limits)
	default:
		m = redact.NewReader(plan, text, limits)
	}
	list := tally.Records{Levels: levels}
	buf := make([]byte, 4<<10)
	for {
		n, err := m.Read(buf)
		if f == jsonText {
			list.Write(buf[:n])
		}
		if err != nil {
			break
		}
	}
	_ = m.Close()
	return served(f, false, m, &list)
}

// write hands a piece over, and waits until it has been looked at.
func (a *aside) write(p []byte) { _, _ = a.pieces.Write(p) }

// end waits for the reader, and gives what it has counted.
func (a *aside) end() (middleware.Served, bool) {
	_ = a.pieces.Close()
	<-a.done
	return a.served, a.ok
}
