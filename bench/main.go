// Command bench measures the gateway beside other proxies: processor time per
// request, throughput, latency, memory and start, for each workload. See
// README.md.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"
)

// options are what a run is asked for.
type options struct {
	smoke   bool
	scale   bool
	profile bool
	install bool
	rounds  int
	slice   time.Duration // how long a turn takes
	fresh   int           // tokens that nobody has seen, for one turn
	rows    []string      // by name or its beginning; empty: all
	systems []string
	out     string // the folder of the results; empty: nothing is written
}

func main() {
	if spec := os.Getenv(loadVariable); spec != "" {
		if err := serveLoad(spec); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		return
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := command(ctx, os.Args[1:])
	stop()
	if err != nil && !errors.Is(err, flag.ErrHelp) {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

func command(ctx context.Context, args []string) error {
	o, err := parseOptions(args)
	if err != nil {
		return err
	}
	if o.install {
		install()
	}
	w, err := openWorld(o.fresh)
	if err != nil {
		return err
	}
	defer w.close()
	switch {
	case o.scale:
		return w.scale(ctx, o)
	case o.profile:
		return w.profile(ctx, o)
	}
	samples, err := w.measure(ctx, o)
	report := newReport(samples)
	fmt.Println(report.table())
	if o.smoke || err != nil {
		return errors.Join(err, report.check())
	}
	fmt.Println(report.goalsTable(len(o.rows) == 0))
	if o.out != "" {
		readme := ""
		if filepath.Clean(o.out) == "results" { // else it is a try, and not what is published
			readme = "README.md"
		}
		err = report.write(o.out, readme)
	}
	return errors.Join(err, report.check())
}

// measure makes the table, and what belongs to it besides.
func (w *world) measure(ctx context.Context, o options) ([]sample, error) {
	samples, err := w.table(ctx, o)
	if err != nil || o.smoke {
		return samples, err
	}
	more, err := w.extras(ctx, o)
	return append(samples, more...), err
}

func parseOptions(args []string) (options, error) {
	f := flag.NewFlagSet("bench", flag.ContinueOnError)
	var o options
	var only, systems string
	f.BoolVar(&o.smoke, "smoke", false, "a few rows, one turn of a second each; fails on wrong answers only")
	f.BoolVar(&o.install, "install", false, "install what is missing first")
	f.IntVar(&o.rounds, "rounds", 5, "turns of each system at each row")
	f.DurationVar(&o.slice, "time", 3*time.Second, "length of a turn, in whole seconds")
	f.IntVar(&o.fresh, "fresh", 25_000, "tokens that nobody has seen, for one turn")
	f.StringVar(&only, "rows", "", "only these rows: names or their beginnings, with commas")
	f.StringVar(&systems, "systems", "", "only these systems, with commas")
	f.StringVar(&o.out, "out", "", "folder of the results; with results, the figures of README.md are rewritten as well")
	if len(args) > 0 && (args[0] == "scale" || args[0] == "profile") {
		o.scale, o.profile, args = args[0] == "scale", args[0] == "profile", args[1:]
	}
	if err := f.Parse(args); err != nil {
		return o, err
	}
	if f.NArg() > 0 {
		return o, fmt.Errorf("%q is not known: the verb, scale or profile, stands before the flags", f.Arg(0))
	}
	o.rows, o.systems = fields(only), fields(systems)
	if o.smoke {
		o.rounds, o.slice, o.fresh = 1, time.Second, 1000
		if systems == "" {
			o.systems = []string{"gateway", "std", "nginx"}
		}
	}
	if !slices.ContainsFunc(rows(), func(r row) bool { return r.fresh && o.wants(&r) }) || o.scale {
		o.fresh = 0 // signing takes its time
	}
	return o, nil
}

func fields(s string) []string {
	return strings.FieldsFunc(s, func(r rune) bool { return r == ',' || r == ' ' })
}

// wants says whether a row is asked for.
func (o *options) wants(r *row) bool {
	if len(o.rows) == 0 {
		return r.smoke || !o.smoke
	}
	for _, name := range o.rows {
		if strings.HasPrefix(r.name, name) {
			return true
		}
	}
	return false
}
