package main

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"text/tabwriter"

	"github.com/gatehouse-dev/gatehouse/bench/peers"
)

// A report is made of the samples of a run.
type report struct {
	samples []sample
}

func newReport(samples []sample) *report { return &report{samples} }

// of are the samples of a system at a row that have numbers, by round.
func (r *report) of(row, system string) []sample {
	var out []sample
	for _, s := range r.samples {
		if s.Row == row && s.System == system && s.Problem == "" {
			out = append(out, s)
		}
	}
	return out
}

// median is the median of one number of the samples.
func median[T any](list []T, number func(T) float64) float64 {
	if len(list) == 0 {
		return 0
	}
	values := make([]float64, len(list))
	for i, v := range list {
		values[i] = number(v)
	}
	slices.Sort(values)
	if n := len(values); n%2 == 0 {
		return (values[n/2-1] + values[n/2]) / 2
	}
	return values[len(values)/2]
}

// ratio is the median of the ratios between two systems, each made within a
// round, where both had the same weather. It is 0 where one is not there.
func (r *report) ratio(row, system, other string) float64 {
	var ratios []float64
	for _, a := range r.of(row, system) {
		for _, b := range r.of(row, other) {
			if a.Round == b.Round && b.CPU > 0 {
				ratios = append(ratios, a.CPU/b.CPU)
			}
		}
	}
	return median(ratios, func(v float64) float64 { return v })
}

// A line is a system at a row, in medians.
type line struct {
	row, system, title, problem string
	cpu, times, rate, p50, p99  float64
	rss, start, errors, low     float64
	high                        float64
}

// systems are the names that have samples at a row, in the order of the table.
func (r *report) systems(row string) []string {
	var out []string
	for _, p := range peers.All() {
		for _, s := range r.samples {
			name, _, _ := strings.Cut(s.System, "@")
			if s.Row == row && name == p.Name && !slices.Contains(out, s.System) {
				out = append(out, s.System)
			}
		}
	}
	return out
}

// lines are the table.
func (r *report) lines() []line {
	var out []line
	for _, row := range rows() {
		for _, name := range r.systems(row.name) {
			list := r.of(row.name, name)
			m := func(number func(sample) float64) float64 { return median(list, number) }
			l := line{
				row: row.name, system: name, title: row.title, problem: r.problem(row.name, name), times: r.ratio(row.name, "gateway", name),
				cpu: m(func(s sample) float64 { return s.CPU }), rate: m(func(s sample) float64 { return s.Rate }),
				p50: m(func(s sample) float64 { return s.P50 }), p99: m(func(s sample) float64 { return s.P99 }),
				rss: m(func(s sample) float64 { return s.RSS }), start: m(func(s sample) float64 { return s.Start }),
			}
			for i, s := range list {
				l.errors += float64(s.Errors)
				if i == 0 || s.CPU < l.low {
					l.low = s.CPU
				}
				l.high = max(l.high, s.CPU)
			}
			out = append(out, l)
		}
	}
	return out
}

// table is the table of the run, for a terminal.
func (r *report) table() string {
	var b strings.Builder
	t := tabwriter.NewWriter(&b, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "workload\tsystem\tCPU us\t(range)\tgateway is\treq/s\tp50 us\tp99 us\tRSS MB\tstart ms\terrors")
	last := ""
	for _, l := range r.lines() {
		title := l.title
		if l.row == last {
			title = ""
		}
		last = l.row
		if l.problem != "" {
			fmt.Fprintf(t, "%s\t%s\tnot timed: %.80s\n", title, l.system, strings.ReplaceAll(l.problem, "\n", " "))
			continue
		}
		fmt.Fprintf(t, "%s\t%s\t%.1f\t%.0f-%.0f\t%s\t%.0f\t%.0f\t%.0f\t%.1f\t%.0f\t%.0f\n", title, l.system,
			l.cpu, l.low, l.high, times(l), l.rate, l.p50, l.p99, l.rss, l.start, l.errors)
	}
	_ = t.Flush()
	return b.String()
}

// times is how many times the other's processor time the gateway takes.
func times(l line) string {
	if l.system == "gateway" || l.times == 0 {
		return ""
	}
	return fmt.Sprintf("%.2f x", l.times)
}

// problem is why a system has no numbers at a row.
func (r *report) problem(row, system string) string {
	for _, s := range r.samples {
		if s.Row == row && s.System == system && s.Problem != "" {
			return s.Problem
		}
	}
	return ""
}

// check fails where answers were wrong: the gateway's and the baselines' in any
// case. Slowness fails nothing.
func (r *report) check() error {
	var errs []error
	for _, s := range r.samples {
		switch {
		case s.Errors > 0:
			errs = append(errs, fmt.Errorf("%s: %s: %d of %d answers were errors", s.Row, s.System, s.Errors, s.Requests))
		case s.Problem != "" && !strings.Contains(s.Problem, "not installed"):
			errs = append(errs, fmt.Errorf("%s: %s: %s", s.Row, s.System, s.Problem))
		}
	}
	return errors.Join(errs...)
}
