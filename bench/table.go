package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/gatehouse-dev/gatehouse/bench/peers"
)

// warmUp is how long a system is kept busy before its first turn.
const warmUp = time.Second

// table measures all rows. A system that cannot be started or does something
// wrong has one sample that says why.
func (w *world) table(ctx context.Context, o options) ([]sample, error) {
	var out []sample
	for _, r := range rows() {
		if !o.wants(&r) {
			continue
		}
		samples, err := w.measureRow(ctx, o, &r)
		if err != nil {
			return out, fmt.Errorf("%s: %w", r.name, err)
		}
		out = append(out, samples...)
	}
	return out, nil
}

// A runner is a system that has turns in a row: at the row's own requests, or
// beside it at those of another.
type runner struct {
	*system
	at    *row
	label string
}

func (w *world) measureRow(ctx context.Context, o options, r *row) ([]sample, error) {
	var out []sample
	var running []runner
	defer func() {
		for _, s := range running {
			s.close()
		}
	}()
	for _, c := range entrants(o, r) {
		s, err := w.ready(c.at, c.peer)
		if err != nil {
			fmt.Fprintf(os.Stderr, "%s: %s is not timed: %v\n", r.name, c.label, err)
			out = append(out, sample{Time: time.Now().UTC(), Row: r.name, System: c.label, Problem: err.Error()})
			continue
		}
		running = append(running, runner{s, c.at, c.label})
	}
	for round := range o.rounds {
		for i := range running {
			if ctx.Err() != nil {
				return out, ctx.Err()
			}
			who := running[(i+round)%len(running)] // nobody is always the first
			s, err := w.oneTurn(who.at, o, who.system, round)
			if err != nil {
				return out, fmt.Errorf("%s: %w", who.label, err)
			}
			s.Row, s.System = r.name, who.label
			out = append(out, s)
			fmt.Fprintf(os.Stderr, "%-14s %-18s round %d  %7.1f us  %8.0f/s  p99 %6.0f us  %5.1f MB  %d errors\n",
				r.name, s.System, round+1, s.CPU, s.Rate, s.P99, s.RSS, s.Errors)
		}
	}
	return out, nil
}

// An entrant is a system that is to have turns in a row.
type entrant struct {
	peer  peers.Peer
	at    *row
	label string
}

func entrants(o options, r *row) []entrant {
	var out []entrant
	asked := func(name string) bool { return len(o.systems) == 0 || slices.Contains(o.systems, name) }
	for _, p := range peers.All() {
		if r.takesPart(p) && asked(p.Name) {
			out = append(out, entrant{p, r, p.Name})
		}
		for _, b := range r.beside {
			if b.system == p.Name && asked(p.Name) {
				out = append(out, entrant{p, rowNamed(b.row), b.label()})
			}
		}
	}
	return out
}

// ready starts a peer, probes it and warms it up.
func (w *world) ready(r *row, p peers.Peer) (*system, error) {
	if missing := p.Missing(w.World); len(missing) > 0 {
		return nil, notInstalled(missing)
	}
	s, err := w.launch(p, r)
	if err != nil {
		return nil, err
	}
	if err := w.probe(r, s); err != nil {
		s.close()
		return nil, err
	}
	return s, w.warm(r, s)
}

// warm keeps a system busy with what it will be asked, but for tokens: where
// those must be new they are others.
func (w *world) warm(r *row, s *system) error {
	known := *r
	known.fresh = false
	_, err := w.turn(&known, s, warmUp)
	if errors.Is(err, errNothing) {
		return nil // the machine was busy with something else
	}
	return err
}

// oneTurn is a turn in the table. Where every token must be new, the system is
// started anew, so that it cannot know one from the turn before.
func (w *world) oneTurn(r *row, o options, s *system, round int) (sample, error) {
	if r.fresh && round > 0 {
		s.group.stop()
		again, err := w.launch(s.peer, r)
		if err != nil {
			return sample{}, err
		}
		_ = os.RemoveAll(s.dir)
		*s = *again
		if err := w.warm(r, s); err != nil {
			return sample{}, err
		}
	}
	out, err := w.turn(r, s, o.slice)
	for range 2 {
		if errors.Is(err, errNothing) && !r.fresh {
			out, err = w.turn(r, s, o.slice)
		}
	}
	out.Round = round + 1
	return out, err
}

// notInstalled says what is missing, without where it was looked for.
func notInstalled(missing []string) error {
	names := make([]string, len(missing))
	for i, m := range missing {
		names[i] = filepath.Base(m)
	}
	return fmt.Errorf("not installed: %s", strings.Join(names, ", "))
}
