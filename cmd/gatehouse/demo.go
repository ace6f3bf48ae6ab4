package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"
	"text/tabwriter"

	"github.com/gatehouse-dev/gatehouse/cmd/gatehouse/demo"
)

// demoVerb runs the gateway in front of a sample company.
func demoVerb(ctx context.Context, e *env, args []string) int {
	f := flags(e, "demo", "[--check] [--address HOST:PORT] [--admin HOST:PORT]")
	check := f.Bool("check", false, "run the demo's requests, verify what they must show, and exit")
	address := f.String("address", "", "where the gateway listens (default 127.0.0.1:8443, with --check any free port)")
	admin := f.String("admin", "", "where the admin listener listens (default 127.0.0.1:9901, with --check any free port)")
	if err := f.Parse(args); err != nil || f.NArg() > 0 {
		f.Usage()
		return exitUsage
	}
	fallback := func(s *string, usual string) {
		if *s == "" {
			*s = usual
			if *check {
				*s = "127.0.0.1:0"
			}
		}
	}
	fallback(address, "127.0.0.1:8443")
	fallback(admin, "127.0.0.1:9901")
	ctx, stop := signal.NotifyContext(ctx, syscall.SIGTERM, os.Interrupt)
	defer stop()
	if err := runDemo(ctx, e, *check, *address, *admin); err != nil {
		fmt.Fprintln(e.stderr, "gatehouse demo:", err)
		return exitWrong
	}
	return exitOK
}

func runDemo(ctx context.Context, e *env, check bool, address, admin string) (err error) {
	dir, err := os.MkdirTemp("", "gatehouse-demo-")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	company, err := demo.Open(dir, address, admin)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, company.Close()) }()
	if err := company.WriteFiles(); err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	ready, done := make(chan *instance, 1), make(chan error, 1)
	quiet := &env{e.stdin, io.Discard, io.Discard}
	go func() { done <- serve(ctx, quiet, company.Config, func(i *instance) { ready <- i }) }()
	select {
	case err := <-done:
		return err
	case i := <-ready:
		base := "https://" + i.listeners["public"].String()
		if check {
			err = checkDemo(ctx, e, company, base)
			cancel()
			return errors.Join(err, <-done)
		}
		printDemo(e.stdout, company, base, i.admin.String())
		return <-done
	}
}

// checkDemo runs the steps and prints a table of what they showed.
func checkDemo(ctx context.Context, e *env, company *demo.Company, base string) error {
	results, err := company.Check(ctx, base)
	if err != nil {
		return err
	}
	t := tabwriter.NewWriter(e.stdout, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "\tAS\tREQUEST\tSTATUS\tSHOWS")
	wrong := 0
	for _, r := range results {
		mark, shows := "ok", r.Found
		if r.Err != nil {
			mark, shows = "WRONG", r.Err.Error()
			wrong++
		}
		as := r.Step.As
		switch as {
		case "":
			as = "-"
		case "!":
			as = "(forged)"
		}
		fmt.Fprintf(t, "%s\t%s\t%s %s\t%d\t%s: %s\n", mark, as, r.Step.Method, r.Step.Path, r.Status, r.Step.Title, shows)
	}
	if err := t.Flush(); err != nil {
		return err
	}
	if wrong > 0 {
		return fmt.Errorf("%d of %d answers are not what they must be", wrong, len(results))
	}
	fmt.Fprintf(e.stdout, "%d requests, every answer as it must be\n", len(results))
	return nil
}

// printDemo prints the demo's requests as lines to copy.
func printDemo(w io.Writer, company *demo.Company, base, admin string) {
	fmt.Fprintf(w, "Gatehouse is ready on %s, with a sample HR backend behind it.\n", base)
	fmt.Fprintf(w, "Its configuration, policies and access log are in %s: edit a policy there and it\n", company.Dir)
	fmt.Fprintf(w, "is reloaded. Metrics: http://%s/metrics. Stop with Ctrl-C.\n", admin)
	for _, s := range demo.Steps() {
		fmt.Fprintf(w, "\n# %s (%d)\n%s\n", s.Title, s.Status, s.Curl(base, company.Dir))
	}
	fmt.Fprintln(w)
}
