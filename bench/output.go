package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
)

// write puts the results of a run into a folder: a line of JSON for each turn,
// the tables, and the picture. The figures of a README are rewritten too, if one is
// named.
func (r *report) write(dir, readme string) error {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	f, err := os.Create(filepath.Join(dir, "turns.jsonl"))
	if err != nil {
		return err
	}
	defer f.Close()
	out := bufio.NewWriter(f)
	e := json.NewEncoder(out)
	for _, s := range r.samples {
		if err := e.Encode(s); err != nil {
			return err
		}
	}
	if err := out.Flush(); err != nil {
		return err
	}
	table := r.markdown()
	if err := os.WriteFile(filepath.Join(dir, "table.md"), []byte(table), 0o644); err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(dir, "ratios.svg"), []byte(r.picture()), 0o644); err != nil {
		return err
	}
	if readme == "" {
		return nil
	}
	return rewrite(readme, table)
}

// The figures stand between these two lines of README.md.
const (
	beginFigures = "<!-- figures: written by make bench -->\n"
	endFigures   = "<!-- end of figures -->\n"
)

func rewrite(file, figures string) error {
	text, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	before, rest, found := strings.Cut(string(text), beginFigures)
	_, after, closed := strings.Cut(rest, endFigures)
	if !found || !closed {
		return fmt.Errorf("%s has no place for figures", file)
	}
	return os.WriteFile(file, []byte(before+beginFigures+"\n"+figures+"\n"+endFigures+after), 0o644)
}

// readSamples reads the lines of an earlier run.
func readSamples(file string) ([]sample, error) {
	f, err := os.Open(file)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	var out []sample
	for d := json.NewDecoder(f); d.More(); {
		var s sample
		if err := d.Decode(&s); err != nil {
			return nil, err
		}
		out = append(out, s)
	}
	return out, nil
}

// markdown is everything that a run has found, as it stands in README.md.
func (r *report) markdown() string {
	var b strings.Builder
	rounds := 0
	for _, row := range rows() {
		rounds = max(rounds, len(r.of(row.name, "gateway")))
	}
	fmt.Fprintf(&b, "Medians of %d rounds; %s, %d processors, %s/%s. Processor time, memory and start tell of this machine; ratios tell of the systems.\n\n",
		rounds, runtime.Version(), runtime.NumCPU(), runtime.GOOS, runtime.GOARCH)
	b.WriteString("![Processor time of the gateway, relative to other systems](results/ratios.svg)\n\n### Goals\n\n")
	b.WriteString(r.goalsTable(true))
	b.WriteString("\n### All workloads\n\nCPU is processor time per request, in microseconds, of all processes of the system.\n\n")
	b.WriteString("| workload | system | CPU us | range | gateway takes | req/s | p50 us | p99 us | RSS MB | start ms | errors |\n")
	b.WriteString("|---|---|---:|---:|---:|---:|---:|---:|---:|---:|---:|\n")
	last := ""
	for _, l := range r.lines() {
		title := l.title
		if l.row == last {
			title = ""
		}
		last = l.row
		if l.problem != "" {
			fmt.Fprintf(&b, "| %s | %s | not timed: %.80s | | | | | | | | |\n", title, named(l.system), strings.NewReplacer("\n", " ", "|", "/").Replace(l.problem))
			continue
		}
		fmt.Fprintf(&b, "| %s | %s | %.1f | %.0f-%.0f | %s | %.0f | %.0f | %.0f | %.1f | %.0f | %.0f |\n", title, named(l.system),
			l.cpu, l.low, l.high, times(l), l.rate, l.p50, l.p99, l.rss, l.start, l.errors)
	}
	b.WriteString(r.extrasTable())
	return b.String()
}

// named is a system's name in the table: what stands beside a row says so.
func named(system string) string {
	name, at, found := strings.Cut(system, "@")
	if found {
		return name + " at " + rowNamed(at).title
	}
	return name
}

func (r *report) extrasTable() string {
	var b strings.Builder
	for _, e := range extras() {
		for _, p := range asked() {
			list := r.of(e.name, p.Name)
			if why := r.problem(e.name, p.Name); why != "" && len(list) == 0 {
				fmt.Fprintf(&b, "| %s | %s | not measured: %.80s |\n", e.title, p.Name, strings.NewReplacer("\n", " ", "|", "/").Replace(why))
			}
			if len(list) > 0 {
				fmt.Fprintf(&b, "| %s | %s | %.1f %s |\n", e.title, p.Name, median(list, func(s sample) float64 { return s.Value }), e.unit)
			}
		}
	}
	if b.Len() == 0 {
		return ""
	}
	return "\n### Besides\n\n| what | system | |\n|---|---|---:|\n" + b.String()
}
