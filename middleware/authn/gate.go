package authn

import (
	"errors"
	"fmt"
	"time"
)

// When and how long an issuer that cannot be asked is left alone.
const (
	// shutAfter is how many questions in a row must fail. One alone tells of
	// itself: of a slow moment, or of a token that somebody has made to fail.
	shutAfter = 5
	// firstPause and maxPause are how long it is left alone, at first and at most.
	firstPause = 100 * time.Millisecond
	maxPause   = 5 * time.Second
)

var (
	errBusy   = errors.New("too many questions are under way")
	errPaused = errors.New("it is left alone for a while")
)

// failure is an error that may be of the issuer's server, and not of one question:
// where there are several in a row, others would fare no better.
type failure struct{ error }

func (f *failure) Unwrap() error { return f.error }

// gate keeps an issuer that is down from holding every request for as long as a
// question may take. Some failures in a row shut it for a short pause; then one
// question at a time probes, and each failed probe doubles the pause. Its owner
// calls it by one goroutine at a time.
type gate struct {
	row   int   // of failures since the last answer
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
	failed, busy := errors.As(err, &f), errors.Is(err, errBusy)
	switch {
	case probe && (failed || busy):
		g.shut(err, now)
	case probe:
		*g = gate{}
	case failed && g.err == nil:
		if g.row++; g.row >= shutAfter {
			g.shut(err, now)
		}
	case !failed && !busy:
		g.row = 0
	}
}

// shut leaves the issuer alone from now on, for longer than the time before.
func (g *gate) shut(err error, now time.Time) {
	g.err = err
	g.pause = min(max(2*g.pause, firstPause), maxPause)
	g.until = now.Add(g.pause)
}
