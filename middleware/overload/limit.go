package overload

import (
	"math"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// limit finds how many exchanges a backend can have at once before they only
// wait for each other there. It goes by what every answer tells: how long the
// head took, against how long it takes when nothing waits (the floor).
//
// It works by rounds. A round ends with as many answers as the bound is high,
// all to calls that began in it, so that what is measured is the bound as it is.
// Of a round's median m the bound becomes
//
//	bound × min(1, 3/2 × floor/m) + √bound
//
// at least half of what it was: where answers come as fast as they can the root
// lets it grow, and where they take more than one and a half times as long it
// shrinks until they do not. A backend that works on c calls at once ends up with
// about 3/2 c: busy, and with a short queue. The bound moves only while half of
// it is used, for otherwise it is not what answers wait for. Failures that tell
// of a backend in trouble (it cannot be reached, or not in time, or says so: 502,
// 503, 504) are no measure of time; a round in which they are more than a tenth
// takes a quarter off.
//
// Answers to requests whose body streamed from the client are no measure of time
// either, but they tell that the backend copes. Where they are all there is, or
// nearly, a round ends with ten times as many, and without failures the root lets
// the bound grow.
//
// The floor is the smallest median, and a median that once was the smallest may
// never come again: the backend was given more to do per request. So the floor is
// measured anew now and then, for one round, with half the root of the bound, which
// lets a queue that the bound itself has caused run dry. Rounds in which answers
// are slow, though the bound has come down as far as it does, bring that nearer
// ten times as fast; a measurement that agrees with the one before puts it off,
// up to a hundred rounds.
//
// It goes by the median of all that the upstream is asked: requests that take
// long by nature belong to an upstream of their own.
type limit struct {
	mu       sync.Mutex
	min, max int
	bound    float64
	round    atomic.Uint32 // written with the lock held

	took     [sampled]time.Duration // the latest of this round
	answers  int                    // in this round
	failures int
	others   int // answers that are no measure of time
	busiest  int // most exchanges that had a place at the end of one

	floor    time.Duration
	due      int // rounds until the floor is measured anew
	patience int // what due begins with
	resume   float64
}

const (
	sampled    = 64  // answers of which the median is taken
	fewest     = 10  // answers of a round, at least
	enough     = 5   // answers that make a median
	scarce     = 10  // times as many answers end a round where few of them are measured
	firstBound = 20  // to begin with, if it is allowed
	soonest    = 5   // rounds until the floor is measured anew, at first
	latest     = 100 // and at most
	tolerated  = 1.5 // times the floor that answers may take
	slowRound  = 10  // rounds that a slow one counts for
	agreement  = 0.2 // by which floors that agree differ, of the older one
	ofFailures = 10  // a tenth
	onFailures = 0.75
	settled    = 0.95 // of the bound before, where it comes down no more
)

// newLimit makes a limit that has seen nothing.
func newLimit(low, high int) *limit {
	l := &limit{min: low, max: high, due: soonest, patience: soonest}
	l.bound = l.within(firstBound)
	return l
}

// between changes what the bound may be, and gives it.
func (l *limit) between(low, high int) int {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.min, l.max = low, high
	l.bound = l.within(l.bound)
	return int(l.bound)
}

// current gives the bound.
func (l *limit) current() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return int(l.bound)
}

// now gives the round that a call begins in.
func (l *limit) now() uint32 { return l.round.Load() }

// answered counts the answer to a call that began in a round, took so long, and
// left so many others with a place. It reports whether the bound is another now.
func (l *limit) answered(round uint32, took time.Duration, held int) (changed bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if round != l.round.Load() {
		return false // it was measured under another bound
	}
	l.took[l.answers%sampled] = took
	l.answers++
	return l.count(held)
}

// failed counts a call that the backend has failed, whenever it began.
func (l *limit) failed(held int) (changed bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.failures++
	return l.count(held)
}

// coped counts an answer that is no measure of time.
func (l *limit) coped(held int) (changed bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.others++
	return l.count(held)
}

func (l *limit) count(held int) (changed bool) {
	l.busiest = max(l.busiest, held)
	n := max(fewest, int(l.bound))
	if l.answers+l.failures < n && l.answers+l.failures+l.others < scarce*n {
		return false
	}
	before := int(l.bound)
	l.endRound()
	return int(l.bound) != before
}

func (l *limit) endRound() {
	failing := l.failures*ofFailures > l.answers+l.failures+l.others
	used := 2*l.busiest >= int(l.bound)
	switch {
	case l.resume > 0:
		l.measured()
	case failing && used:
		l.bound = l.within(l.bound * onFailures)
	case !failing && l.answers >= enough:
		l.adjust(used)
	case !failing && used:
		l.bound = l.within(l.bound + math.Sqrt(l.bound))
	}
	l.round.Add(1)
	l.answers, l.failures, l.others, l.busiest = 0, 0, 0, 0
}

// adjust ends a round of answers.
func (l *limit) adjust(used bool) {
	m := l.median()
	if l.floor == 0 || m < l.floor {
		l.floor = m
	}
	if !used {
		return
	}
	slope := min(1, max(0.5, tolerated*float64(l.floor)/float64(m)))
	before := l.bound
	l.bound = l.within(l.bound*slope + math.Sqrt(l.bound))
	l.due--
	if slope < 1/tolerated && l.bound > settled*before {
		l.due -= slowRound - 1
	}
	if l.due <= 0 {
		l.resume = l.bound
		l.bound = math.Ceil(math.Sqrt(l.bound) / 2)
	}
}

// measured ends the round in which the floor was measured.
func (l *limit) measured() {
	l.bound, l.resume = l.within(l.resume), 0
	if l.answers < enough {
		l.due = l.patience
		return
	}
	m := l.median()
	if d := m - l.floor; float64(max(d, -d)) <= agreement*float64(l.floor) {
		l.patience = min(2*l.patience, latest)
	} else {
		l.patience = soonest
	}
	l.floor, l.due = m, l.patience
}

// median is that of the latest answers of the round; one at least is a
// nanosecond, so that it can be divided by.
func (l *limit) median() time.Duration {
	var sorted [sampled]time.Duration
	n := copy(sorted[:], l.took[:min(l.answers, sampled)])
	slices.Sort(sorted[:n])
	return max(1, sorted[n/2])
}

func (l *limit) within(bound float64) float64 {
	return min(float64(l.max), max(float64(l.min), bound))
}
