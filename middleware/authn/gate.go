package authn

import (
	"errors"
	"fmt"
	"time"
)

// How long an issuer that cannot be asked is left alone: at first, and at most.
const (
	firstPause = 100 * time.Millisecond
	maxPause   = 5 * time.Second
)

var (
	errBusy   = errors.New("too many questions are under way")
	errPaused = errors.New("it is left alone for a while")
)

// failure is an error of the issuer's server, and not of one question: others
// would fare no better.
type failure struct{ error }

func (f *failure) Unwrap() error { return f.error }

// gate keeps an issuer that is down from holding every request for as long as a
// question may take. The first failure shuts it for a short pause; then one
// question at a time probes, and each failed probe doubles the pause. Its owner
// calls it by one goroutine at a time.
type gate struct {
	err   error // why it is shut; nil: it is open
	pause time.Duration
	until time.Time // when the next probe may go
}

// enter reports whether a question may be asked, and whether that is a probe.
func (g *gate) enter(now time.Time) (probe bool, err error) {
	switch {
	case g.err == nil:
		return false, nil
	case now.Before(g.until):
		return false, fmt.Errorf("%w: %w", errPaused, g.err)
	}
	g.until = now.Add(g.pause + maxPause) // the next probe, should this one take so long
	return true, nil
}

// leave takes how a question ended. Those that were under way when the gate was
// shut say nothing new.
func (g *gate) leave(probe bool, err error, now time.Time) {
	var f *failure
	failed := errors.As(err, &f) || probe && errors.Is(err, errBusy)
	switch {
	case failed && (g.err == nil || probe):
		g.err = err
		g.pause = min(max(2*g.pause, firstPause), maxPause)
		g.until = now.Add(g.pause)
	case !failed && probe:
		g.err, g.pause = nil, 0
	}
}
