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
func (r *report) ratio(row, system, otherRow, other string) float64 {
	var ratios []float64
	for _, a := range r.of(row, system) {
		for _, b := range r.of(otherRow, other) {
			if a.Round == b.Round && b.CPU > 0 {
				ratios = append(ratios, a.CPU/b.CPU)
			}
		}
	}
	return median(ratios, func(v float64) float64 { return v })
}

// table is the table of the run, for a terminal.
func (r *report) table() string {
	var b strings.Builder
	t := tabwriter.NewWriter(&b, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "workload\tsystem\tCPU us\tgateway is\treq/s\tp50 us\tp99 us\tRSS MB\tstart ms\terrors")
	for _, row := range rows() {
		title := row.title
		for _, p := range peers.All() {
			list := r.of(row.name, p.Name)
			if len(list) == 0 {
				if why := r.problem(row.name, p.Name); why != "" {
					fmt.Fprintf(t, "%s\t%s\tnot timed: %.80s\n", title, p.Name, strings.ReplaceAll(why, "\n", " "))
					title = ""
				}
				continue
			}
			m := func(number func(sample) float64) float64 { return median(list, number) }
			times := "1"
			if p.Name != "gateway" {
				times = "-"
				if x := r.ratio(row.name, "gateway", row.name, p.Name); x > 0 {
					times = fmt.Sprintf("%.2f x", x)
				}
			}
			fmt.Fprintf(t, "%s\t%s\t%.1f\t%s\t%.0f\t%.0f\t%.0f\t%.1f\t%.0f\t%.0f\n", title, p.Name,
				m(func(s sample) float64 { return s.CPU }), times, m(func(s sample) float64 { return s.Rate }),
				m(func(s sample) float64 { return s.P50 }), m(func(s sample) float64 { return s.P99 }),
				m(func(s sample) float64 { return s.RSS }), m(func(s sample) float64 { return s.Start }),
				sum(list, func(s sample) float64 { return float64(s.Errors) }))
			title = ""
		}
	}
	_ = t.Flush()
	return b.String()
}

func sum[T any](list []T, number func(T) float64) (out float64) {
	for _, v := range list {
		out += number(v)
	}
	return out
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
func (r *report) check(o options) error {
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
