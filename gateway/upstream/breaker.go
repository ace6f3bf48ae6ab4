package upstream

import (
	"errors"
	"math"
	"net/http"
	"strconv"
	"sync/atomic"
	"time"

	"github.com/sony/gobreaker/v2"

	"github.com/gatehouse-dev/gatehouse/config"
)

var (
	errFailed   = errors.New("the try failed")
	errNoMatter = errors.New("the try says nothing about the backend")
)

// A breaker keeps requests from an upstream that mostly fails. It is asked before
// each try, and told what became of it when the head of the answer is there or
// will not be: how long a body streams is not its matter.
type breaker struct {
	two   *gobreaker.TwoStepCircuitBreaker[struct{}]
	open  time.Duration
	begin time.Time // instants are counted from here

	state   atomic.Int32 // a gobreaker.State, as it changed last
	until   atomic.Int64 // when it lets the first request through again
	opened  atomic.Uint64
	refused atomic.Uint64
}

// newBreaker makes the breaker of an upstream; nil where it has none.
func newBreaker(c *config.Breaker) *breaker {
	if c == nil {
		return nil
	}
	b := &breaker{open: c.Open.D(), begin: time.Now()}
	b.two = gobreaker.NewTwoStepCircuitBreaker[struct{}](gobreaker.Settings{
		MaxRequests: uint32(c.Probes),
		Interval:    c.Window.D(), BucketPeriod: c.Window.D() / 10,
		Timeout: b.open,
		ReadyToTrip: func(n gobreaker.Counts) bool {
			known := n.TotalSuccesses + n.TotalFailures // the others are under way
			return known >= uint32(c.Requests) && float64(n.TotalFailures) >= c.Threshold*float64(known)
		},
		OnStateChange: b.changed,
		IsExcluded:    func(err error) bool { return errors.Is(err, errNoMatter) },
	})
	return b
}

// changed is called under the lock of the breaker.
func (b *breaker) changed(_ string, _, to gobreaker.State) {
	if to == gobreaker.StateOpen {
		b.until.Store(int64(time.Since(b.begin) + b.open))
		b.opened.Add(1)
	}
	b.state.Store(int32(to))
}

// closed reports whether everything is sent.
func (b *breaker) closed() bool { return b == nil || b.two.State() == gobreaker.StateClosed }

// A pass is the permission of one try. Whoever has it says what became of it.
type pass struct {
	breaker *breaker    // nil where nobody asks
	opened  uint64      // how often it had opened
	tell    func(error) // of a probe
	lapse   *time.Timer // of a probe
}

// enter asks for a try.
//
// While the breaker is closed a try is counted when it ends: a backend that hangs
// is told of after the time for an answer, and what began then may be longer ago
// than what is looked back over.
//
// A probe does not hold the others up for longer than the breaker would be open:
// whoever sends the body of one slowly would else decide when a backend that is
// well again is served. What becomes of it later does not count.
func (b *breaker) enter() (pass, error) {
	if b == nil {
		return pass{}, nil
	}
	p := pass{breaker: b, opened: b.opened.Load()} // before the state
	if b.isClosed() {
		return p, nil
	}
	var err error
	if p.tell, err = b.two.Allow(); err != nil {
		b.refused.Add(1)
		return pass{}, b.refusal(err)
	}
	tell := p.tell
	p.lapse = time.AfterFunc(b.open, func() { tell(errNoMatter) })
	return p, nil
}

func (b *breaker) isClosed() bool { return gobreaker.State(b.state.Load()) == gobreaker.StateClosed }

// leave says what became of the try.
func (p pass) leave(k kind) {
	var what error
	switch {
	case p.breaker == nil || p.lapse != nil && !p.lapse.Stop():
		return
	case k == ours || k == busy:
		what = errNoMatter
	case k != answered:
		what = errFailed
	}
	if p.tell != nil {
		p.tell(what)
		return
	}
	if b := p.breaker; k != ours && k != busy && b.opened.Load() == p.opened && b.isClosed() {
		if tell, err := b.two.Allow(); err == nil {
			tell(what)
		}
	}
}

// refusal says when to come back.
func (b *breaker) refusal(why error) error {
	left := time.Duration(b.until.Load()) - time.Since(b.begin)
	seconds := max(1, int(math.Ceil(left.Seconds())))
	r := unavailable("the backend has failed too often just now", why).Set("Retry-After", strconv.Itoa(seconds))
	r.Status = http.StatusServiceUnavailable
	return r
}
