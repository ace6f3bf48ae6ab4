package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/gatehouse-dev/gatehouse/config"
	"github.com/gatehouse-dev/gatehouse/gateway"
	"github.com/gatehouse-dev/gatehouse/middleware/alert"
)

const alertsUsage = "test -c FILE [--sink NAME] [--json]"

// alertsVerb tries the sinks of alerts from here; no gateway needs to run.
func alertsVerb(ctx context.Context, e *env, args []string) int {
	f := flags(e, "alerts", alertsUsage)
	file := f.String("c", "", "configuration `file`")
	sink := f.String("sink", "", "try the sink of this `name` only")
	asJSON := f.Bool("json", false, "print the outcome as JSON")
	rest, err := parseMixed(f, args)
	if err != nil || *file == "" || !slices.Equal(rest, []string{"test"}) {
		f.Usage()
		return exitUsage
	}
	c, err := config.Load(*file)
	if err != nil {
		fmt.Fprintln(e.stderr, err)
		return exitWrong
	}
	tried, err := gateway.TryAlerts(ctx, c, *sink, e.stderr)
	if errors.Is(err, gateway.ErrNoSink) {
		fmt.Fprintf(e.stderr, "gatehouse alerts: %v\n", err)
		return exitUsage
	}
	if err != nil {
		fmt.Fprintln(e.stderr, err)
		return exitWrong
	}
	return printOutcomes(e, tried, *asJSON)
}

func printOutcomes(e *env, tried []alert.Outcome, asJSON bool) int {
	type outcome struct {
		Sink      string `json:"sink"`
		Kind      string `json:"kind"`
		Delivered bool   `json:"delivered"`
		Event     string `json:"event"` // its metadata.uid
		Reason    string `json:"reason,omitempty"`
	}
	list, text, code := []outcome{}, &strings.Builder{}, exitOK
	for _, t := range tried {
		o := outcome{Sink: t.Sink, Kind: t.Kind, Delivered: t.Err == nil, Event: t.ID}
		told := "delivered"
		switch {
		case t.Err != nil:
			code, o.Reason = exitWrong, t.Err.Error()
			told = "not delivered: " + o.Reason
		case t.Kind == "syslog":
			told = "sent; syslog servers do not say whether they keep it"
		}
		list = append(list, o)
		fmt.Fprintf(text, "%s (%s): %s\n", t.Sink, t.Kind, printable(told))
	}
	if asJSON {
		return printJSON(e, map[string]any{"ok": code == exitOK, "sinks": list}, code)
	}
	fmt.Fprint(e.stdout, text)
	return code
}
