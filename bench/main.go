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
	"strings"
	"syscall"
	"time"
)

// options are what a run is asked for.
type options struct {
	smoke   bool
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
	samples, err := w.table(ctx, o)
	if err != nil {
		return err
	}
	report := newReport(samples)
	fmt.Println(report.table())
	return report.check(o)
}

func parseOptions(args []string) (options, error) {
	f := flag.NewFlagSet("bench", flag.ContinueOnError)
	var o options
	var rows, systems string
	f.BoolVar(&o.smoke, "smoke", false, "a few rows, one turn of a second each; fails on wrong answers only")
	f.BoolVar(&o.install, "install", false, "install what is missing first")
	f.IntVar(&o.rounds, "rounds", 5, "turns of each system at each row")
	f.DurationVar(&o.slice, "time", 3*time.Second, "length of a turn, in whole seconds")
	f.IntVar(&o.fresh, "fresh", 25_000, "tokens that nobody has seen, for one turn")
	f.StringVar(&rows, "rows", "", "only these rows: names or their beginnings, with commas")
	f.StringVar(&systems, "systems", "", "only these systems, with commas")
	f.StringVar(&o.out, "out", "results", "folder of the results")
	if err := f.Parse(args); err != nil {
		return o, err
	}
	if f.NArg() > 0 {
		return o, fmt.Errorf("%q is not known", f.Arg(0))
	}
	o.rows, o.systems = fields(rows), fields(systems)
	if o.smoke {
		o.rounds, o.slice, o.fresh = 1, time.Second, 1000
		if systems == "" {
			o.systems = []string{"gateway", "std", "nginx"}
		}
	}
	var err error
	o.out, err = filepath.Abs(o.out)
	return o, err
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
