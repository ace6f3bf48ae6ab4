package main

import (
	"fmt"
	"strings"
)

// A goal is one comparison that is aimed at: the gateway's number at a row
// against another's, at most so many times it.
type goal struct {
	row   string
	other string  // a system in the same rounds, which may stand at another row
	goal  float64 // 0: there is none
	must  float64
}

// goals are the ones of processor time.
func goals() []goal {
	return []goal{
		{"plain-1k", "std", 0.50, 0.65},
		{"plain-1k", "nginx", 1.8, 0},
		{"plain-1k", "caddy", 0, 0.45},
		{"plain-16k", "std", 0.50, 0.65},
		{"plain-16k", "nginx", 1.8, 0},
		{"plain-16k", "caddy", 0, 0.45},
		{"tls-1k", "std", 0.50, 0.65},
		{"tls-1k", "nginx", 1.4, 1.9},
		{"tls-256k", "nginx", 0.9, 1.1},
		{"h2-1k", "std", 0.6, 0.75},
		{"h2-1k", "nginx", 1.8, 0},
		{"h2-1k", "caddy", 0, 0.5},
		{"post-16k", "std", 0.55, 0.70},
		{"jwt-returning", "haproxy", 0.7, 1.0},
		{"jwt-fresh", "haproxy", 1.4, 2.0},
		{"gate-warm", "nginx-lua", 0.12, 0.20},
		{"gate-cold", "nginx-lua", 0.45, 0.65},
		{"mask-list", "nginx-lua", 0.19, 0.30},
		{"mask-list", "naive", 0.05, 0.10},
		{"mask-list", "gateway@list-plain", 1.6, 0},
		{"full-list", "nginx-lua", 0.14, 0.25},
		{"full-record", "caddy@plain-1k", 0.45, 0.65},
	}
}

// A bound is a number of the gateway's own that must not be larger.
type bound struct {
	title, unit string
	goal, must  float64
	value       func(*report) float64 // 0: not measured
}

func bounds() []bound {
	extra := func(name string) func(*report) float64 {
		return func(r *report) float64 {
			return median(r.of(name, "gateway"), func(s sample) float64 { return s.Value })
		}
	}
	return []bound{
		{"all checks over the own plain request", "us", 0, 15, func(r *report) float64 {
			return r.difference("checks", "gateway", "gateway@plain-1k")
		}},
		{"memory in the full chain", "MB", 40, 64, func(r *report) float64 {
			rss := func(row string) float64 { return median(r.of(row, "gateway"), func(s sample) float64 { return s.RSS }) }
			return max(rss("full-list"), rss("full-record"))
		}},
		{"start, policies included", "ms", 100, 200, extra("start")},
		{"binary", "MB", 36, 45, extra("binary")},
		{"idle TLS connection", "KB", 32, 48, extra("idle-tls")},
		{"p99 over p50 at half load", "x", 0, 5, extra("half-load")},
	}
}

// difference is the median of the differences of two systems within the rounds.
func (r *report) difference(row, system, other string) float64 {
	var out []float64
	for _, a := range r.of(row, system) {
		for _, b := range r.of(row, other) {
			if a.Round == b.Round {
				out = append(out, a.CPU-b.CPU)
			}
		}
	}
	return median(out, func(v float64) float64 { return v })
}

// verdict says what has become of a goal.
func verdict(value, goal, must float64) string {
	switch {
	case value == 0:
		return "not measured"
	case goal > 0 && value <= goal:
		return "goal met"
	case must > 0 && value <= must:
		return "met"
	case must > 0:
		return "**missed**"
	default:
		return "goal missed"
	}
}

// goalsTable is the table of goals, in Markdown: of all, or of those that have
// been measured.
func (r *report) goalsTable(all bool) string {
	var b strings.Builder
	b.WriteString("| workload | against | goal | must | measured | |\n|---|---|---:|---:|---:|---|\n")
	number := func(format string, v float64) string {
		if v == 0 {
			return ""
		}
		return fmt.Sprintf(format, v)
	}
	for _, g := range goals() {
		v := r.ratio(g.row, "gateway", g.other)
		if v == 0 && !all {
			continue
		}
		fmt.Fprintf(&b, "| %s | %s | %s | %s | %s | %s |\n", rowNamed(g.row).title, against(g.other),
			number("%.2f x", g.goal), number("%.2f x", g.must), number("%.2f x", v), verdict(v, g.goal, g.must))
	}
	for _, o := range bounds() {
		v := o.value(r)
		if v == 0 && !all {
			continue
		}
		fmt.Fprintf(&b, "| %s | | %s | %s | %s | %s |\n", o.title,
			number("%.0f "+o.unit, o.goal), number("%.0f "+o.unit, o.must), number("%.1f "+o.unit, v), verdict(v, o.goal, o.must))
	}
	return b.String()
}

// against names what a goal is measured against, for people.
func against(other string) string {
	system, at, found := strings.Cut(other, "@")
	name := map[string]string{"std": "tuned ReverseProxy", "nginx-lua": "nginx + Lua + OPA server", "haproxy": "HAProxy", "caddy": "Caddy", "naive": "naive Go", "gateway": "itself"}[system]
	if name == "" {
		name = system
	}
	if found {
		name += ", " + rowNamed(at).title
	}
	return name
}
