package overload

import (
	"fmt"
	"io"
	"mime"
	"net/http"
	"slices"
	"strings"
	"sync/atomic"

	"github.com/gatehouse-dev/gatehouse/config"
	"github.com/gatehouse-dev/gatehouse/middleware"
)

// Cap is a gate, and what a plan wants of it.
type Cap struct {
	*Gate
	Settings
}

// Use makes the settings hold, for all plans that have the gate: the latest one
// to serve has the say.
func (c *Cap) Use() { c.Set(c.Settings) }

// Stage takes a place at one or two gates for each exchange.
type Stage struct {
	caps  [2]*Cap  // nil where there is none
	high  bool     // whoever asks
	roles []string // who has priority besides; read-only
}

var _ interface {
	middleware.Stage
	middleware.Describer
} = (*Stage)(nil)

// New makes the stage of a route, for the caps that are not nil, in their order;
// nil where all are. roles are those that have priority: none in the place before
// authentication, where nobody knows who asks.
func New(r *config.Route, roles []string, caps ...*Cap) middleware.Stage {
	s := &Stage{high: r.Priority == "high", roles: roles}
	n := 0
	for _, c := range caps {
		if c != nil {
			s.caps[n] = c
			n++
		}
	}
	if n == 0 {
		return nil
	}
	return s
}

// Name is "overload", in both places.
func (*Stage) Name() string { return name }

// Describe tells the gates and their bounds.
func (s *Stage) Describe() string {
	var out []string
	for _, c := range s.caps {
		if c != nil {
			out = append(out, c.describe())
		}
	}
	text := strings.Join(out, "; ")
	if s.high {
		text += "; priority for all"
	} else if len(s.roles) > 0 {
		text += "; priority for " + strings.Join(s.roles, ", ")
	}
	return text
}

func (c *Cap) describe() string {
	text := fmt.Sprintf("%s: %d at once", c.label(), c.Max)
	if c.Adaptive {
		text = fmt.Sprintf("%s: %d to %d at once, as it can bear", c.label(), c.Min, c.Max)
	}
	if c.Wait > 0 {
		text += fmt.Sprintf(", %d wait for up to %s", c.Queue, c.Wait)
	}
	return text
}

// Handle answers 503 overloaded where there is no place. The exchange has its
// place until the body of its answer is closed.
func (s *Stage) Handle(x *middleware.Exchange, next middleware.Handler) (*http.Response, error) {
	high := s.high || len(s.roles) > 0 && x.Subject != nil && slices.ContainsFunc(x.Subject.Roles, s.privileged)
	t := &ticket{}
	kept := false
	defer func() {
		if !kept {
			t.give()
		}
	}()
	for i, c := range s.caps {
		if c == nil {
			break
		}
		p, err := c.take(x, high)
		if err != nil {
			return nil, err
		}
		t.places[i] = p
	}
	res, err := next(x)
	if err != nil {
		return nil, err
	}
	if endless(res) {
		t.toStreams()
	}
	t.ReadCloser, res.Body = res.Body, t
	kept = true
	return res, nil
}

func (s *Stage) privileged(role string) bool { return slices.Contains(s.roles, role) }

// endless reports whether the answer is a stream that may well have no end.
func endless(res *http.Response) bool {
	if res.StatusCode == http.StatusSwitchingProtocols {
		return true
	}
	c := res.Header["Content-Type"]
	if len(c) != 1 || len(c[0]) < len(eventStream) || !strings.EqualFold(c[0][:5], eventStream[:5]) {
		return false
	}
	media, _, err := mime.ParseMediaType(c[0])
	return err == nil && media == eventStream
}

const eventStream = "text/event-stream"

// ticket is the places of one exchange. It stands around the body of its answer.
type ticket struct {
	io.ReadCloser
	places [2]place
	given  atomic.Bool
}

// Close closes the body and gives the places back.
func (t *ticket) Close() error {
	defer t.give() // whatever the body does
	return t.ReadCloser.Close()
}

func (t *ticket) give() {
	if !t.given.CompareAndSwap(false, true) {
		return
	}
	for i := range t.places {
		t.places[i].give()
	}
}

func (t *ticket) toStreams() {
	for i := range t.places {
		t.places[i].toStream()
	}
}
