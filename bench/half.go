package main

import (
	"errors"
	"fmt"
	"time"

	"github.com/gatehouse-dev/gatehouse/bench/peers"
)

// halfLoad is the ratio of the 99th to the 50th percentile of the time that an
// answer takes when a system is asked so much that its processor is busy for half of
// the time; nobody, as much as the gateway was. That is less than half of what it
// answers when it always has work: then it finds several requests at a time and
// never sleeps.
func (w *world) halfLoad(r *row, p peers.Peer, o options) (float64, error) {
	if p.Name == nobody {
		if w.pace == 0 {
			return 0, errors.New("nobody knows how much to ask: the gateway was not measured")
		}
		t, err := w.own(r, "http://"+w.Upstream, w.paced(w.pace, o.turn()), nil)
		return tail(sample{Requests: t.Requests, Errors: t.Errors, P50: float64(t.P50.Microseconds()), P99: float64(t.P99.Microseconds())}, err)
	}
	return w.atFull(r, p, o, func(s *system, full float64) (float64, error) {
		rate := full / 2
		for range 8 {
			got, err := w.at(r, s, rate, o.turn())
			if err != nil {
				return 0, err
			}
			busy := got.CPU * got.Rate / 1e6
			if busy >= 0.45 && busy <= 0.55 {
				if p.Name == "gateway" {
					w.pace = rate
				}
				return tail(got, nil)
			}
			rate = min(full, rate*0.5/max(busy, 0.05))
		}
		return 0, errors.New("at no pace that was tried was its processor busy for half of the time")
	})
}

// halfRate is the same when a system is asked half as much as it answers when it
// always has work.
func (w *world) halfRate(r *row, p peers.Peer, o options) (float64, error) {
	return w.atFull(r, p, o, func(s *system, full float64) (float64, error) {
		return tail(w.at(r, s, full/2, o.turn()))
	})
}

// atFull starts a system, looks how many requests a second it answers, and measures.
func (w *world) atFull(r *row, p peers.Peer, o options, measure func(s *system, full float64) (float64, error)) (float64, error) {
	s, err := w.ready(r, p)
	if err != nil {
		return 0, err
	}
	defer s.close()
	full, err := w.turn(r, s, o.turn())
	if err != nil {
		return 0, err
	}
	return measure(s, full.Rate)
}

// turn is how long a turn takes whose percentiles are wanted.
func (o *options) turn() time.Duration { return max(o.slice, 2*time.Second) }

func (w *world) paced(rate float64, d time.Duration) ownSpec {
	return ownSpec{Connections: connections, For: d, Rate: rate}
}

// at is a turn of a system that is asked so many requests a second.
func (w *world) at(r *row, s *system, rate float64, d time.Duration) (sample, error) {
	return w.turnOf(r, s, func(begin func() error) (tally, error) { return w.own(r, s.base, w.paced(rate, d), begin) })
}

// tail is the ratio of the percentiles of a turn.
func tail(s sample, err error) (float64, error) {
	switch {
	case err != nil:
		return 0, err
	case s.Errors > 0:
		return 0, fmt.Errorf("%d of %d answers were errors", s.Errors, s.Requests)
	}
	return s.P99 / max(s.P50, 1), nil
}
