package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/gatehouse-dev/gatehouse/bench/fixture"
	"github.com/gatehouse-dev/gatehouse/bench/peers"
)

// A series is a setting of which there is more and more, and what a request
// costs the gateway then.
type series struct {
	title   string
	steps   []int
	peer    func(w *world, n int) (peers.Peer, error)
	row     func(n int) row
	clients func(n int) int
	pace    float64 // requests a second over all connections; 0: as fast as they are answered
}

func allSeries() []series {
	gateway := func(*world, int) (peers.Peer, error) { return peers.Gateway(), nil }
	plain := func(int) row { return *rowNamed("plain-1k") }
	few := func(int) int { return connections }
	return []series{
		{"routes", []int{10, 100, 1000, 10_000}, withRoutes, plain, few, 0},
		{"connections", []int{1, 10, 100, 1000, 10_000}, gateway, plain, func(n int) int { return n }, 1000},
		{"masks", []int{1, 10, 100, 1000}, withMasks, func(n int) row {
			return row{name: "wide", title: "wide", setup: peers.Setup{Mask: true}, paths: []string{"/employees/wide"}, wide: n}
		}, few, 0},
	}
}

// withRoutes is the gateway with so many routes.
func withRoutes(_ *world, n int) (peers.Peer, error) {
	p := peers.Gateway()
	p.Start = func(w peers.World, s peers.Setup, dir string, port int) ([]peers.Command, error) {
		return peers.StartGateway(w, s, dir, port, n)
	}
	return p, nil
}

// withMasks is the gateway with policies that mask so many of the thousand
// members of a wide record.
func withMasks(w *world, n int) (peers.Peer, error) {
	dir := filepath.Join(w.dir, fmt.Sprintf("masks-%d", n))
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return peers.Peer{}, err
	}
	for _, name := range []string{"gatehouse.rego", "question.rego"} {
		text, err := os.ReadFile(filepath.Join(w.Policies, name))
		if err != nil {
			return peers.Peer{}, err
		}
		if err := os.WriteFile(filepath.Join(dir, name), text, 0o600); err != nil {
			return peers.Peer{}, err
		}
	}
	fields := make([]string, n)
	for i := range fields {
		fields[i] = "." + fixture.Member(i)
	}
	data := "permissions: {}\nmasked: {open: [" + strings.Join(fields, ", ") + "]}\n"
	if err := os.WriteFile(filepath.Join(dir, "data.yaml"), []byte(data), 0o600); err != nil {
		return peers.Peer{}, err
	}
	p := peers.Gateway()
	p.Start = func(pw peers.World, s peers.Setup, scratch string, port int) ([]peers.Command, error) {
		pw.Policies = dir
		return peers.StartGateway(pw, s, scratch, port, 1)
	}
	return p, nil
}

// scale prints how the cost of a request grows. The steps of a series have their
// turns within each round, as systems have in the table.
func (w *world) scale(ctx context.Context, o options) error {
	var out strings.Builder
	t := tabwriter.NewWriter(&out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "of\thow many\tCPU us\tto the first\tp50 us\tp99 us\tRSS MB\tstart ms\terrors")
	for _, s := range allSeries() {
		if !o.wants(&row{name: s.title}) {
			continue
		}
		if err := w.series(ctx, o, s, t); err != nil {
			return fmt.Errorf("%s: %w", s.title, err)
		}
	}
	if err := t.Flush(); err != nil {
		return err
	}
	fmt.Print(out.String())
	return nil
}

func (w *world) series(ctx context.Context, o options, s series, t *tabwriter.Writer) error {
	r := &report{}
	for i, step := range s.steps {
		if most := mostConnections(); s.clients(step) > most {
			fmt.Fprintf(os.Stderr, "%s: %d instead of %d: a process may open no more files here\n", s.title, most, step)
			s.steps[i] = most
		}
	}
	for round := range o.rounds {
		for i := range s.steps {
			if ctx.Err() != nil {
				return ctx.Err()
			}
			step := s.steps[(i+round)%len(s.steps)]
			one, err := w.step(o, s, step)
			if err != nil {
				return fmt.Errorf("%d: %w", step, err)
			}
			one.Row, one.System, one.Round = s.title, fmt.Sprint(step), round+1
			fmt.Fprintf(os.Stderr, "%-14s %6d round %d  %7.1f us  %d errors\n", s.title, step, round+1, one.CPU, one.Errors)
			r.samples = append(r.samples, one)
		}
	}
	for _, step := range s.steps {
		name := fmt.Sprint(step)
		list := r.of(s.title, name)
		m := func(number func(sample) float64) float64 { return median(list, number) }
		fmt.Fprintf(t, "%s\t%s\t%.1f\t%.2f x\t%.0f\t%.0f\t%.1f\t%.0f\t%.0f\n", s.title, name,
			m(func(s sample) float64 { return s.CPU }), r.ratio(s.title, name, fmt.Sprint(s.steps[0])),
			m(func(s sample) float64 { return s.P50 }), m(func(s sample) float64 { return s.P99 }),
			m(func(s sample) float64 { return s.RSS }), m(func(s sample) float64 { return s.Start }), m(func(s sample) float64 { return float64(s.Errors) }))
	}
	return nil
}

// step is one turn of the gateway with a setting.
func (w *world) step(o options, s series, n int) (sample, error) {
	p, err := s.peer(w, n)
	if err != nil {
		return sample{}, err
	}
	r := s.row(n)
	sys, err := w.ready(&r, p)
	if err != nil {
		return sample{}, err
	}
	defer sys.close()
	return w.turnOf(&r, sys, func(begin func() error) (tally, error) {
		return w.own(&r, sys.base, ownSpec{Connections: s.clients(n), For: max(o.slice, time.Second), Rate: s.pace}, begin)
	})
}
