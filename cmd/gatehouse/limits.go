package main

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"strings"
	"text/tabwriter"

	"github.com/gatehouse-dev/gatehouse/gateway"
	"github.com/gatehouse-dev/gatehouse/gateway/admin"
	"github.com/gatehouse-dev/gatehouse/middleware/ratelimit"
)

// limitsVerb lists the rate limits of a running gateway and who met them.
func limitsVerb(ctx context.Context, e *env, args []string) int {
	f := flags(e, "limits", "-c FILE [--json]")
	a := adminFlagsOf(f)
	if err := f.Parse(args); err != nil || a.file == "" || f.NArg() > 0 {
		f.Usage()
		return exitUsage
	}
	client, err := a.open()
	var out admin.LimitList
	if err == nil {
		err = client.ask(ctx, http.MethodGet, "/admin/limits", nil, &out)
	}
	if err != nil {
		fmt.Fprintf(e.stderr, "gatehouse limits: %v\n", err)
		return exitWrong
	}
	if a.asJSON {
		return printJSON(e, out, exitOK)
	}
	printLimits(e.stdout, out.Limits)
	return exitOK
}

func printLimits(w io.Writer, list []gateway.LimitState) {
	if len(list) == 0 {
		fmt.Fprintln(w, "there are no rate limits")
		return
	}
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "LIMIT\tRATE\tBY\tALGORITHM\tMODE\tROUTES\tADMITTED\tREFUSED\tWOULD REFUSE\tEXEMPT\tFAILED")
	for i := range list {
		l := &list[i]
		d := l.Decisions
		fmt.Fprintf(t, "%s\t%s\t%s\t%s\t%s\t%s\t%d\t%d\t%d\t%d\t%d\n", l.Name, rateText(l), strings.Join(l.Key, "+"), l.Algorithm, l.Mode, routesText(l.Routes),
			d["admitted"], d["refused"], d["shadow"], d["exempt"], d["failed"])
		if l.Rates == nil {
			continue
		}
		for _, e := range l.Rates.Table {
			fmt.Fprintf(t, "  %s\t%s\tby %s\n", printable(e.Value), burstText(e.Rate, e.Burst), l.Rates.By)
		}
	}
	_ = t.Flush()
	for i := range list {
		printLimited(w, &list[i])
	}
}

// printLimited lists who met a limit.
func printLimited(w io.Writer, l *gateway.LimitState) {
	if len(l.Limited) == 0 {
		return
	}
	word := "refused"
	if l.Mode == "shadow" {
		word = "would have refused"
	}
	fmt.Fprintf(w, "\n%s %s\n", l.Name, word)
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "  COUNT\tWHO\tRATE\tFIRST\tLAST")
	for _, x := range l.Limited {
		fmt.Fprintf(t, "  %d\t%s\t%s\t%s\t%s\n", x.Count, whoText(x.Who), x.Rate, timeText(x.First), timeText(x.Last))
	}
	_ = t.Flush()
	if l.More > 0 {
		fmt.Fprintf(w, "  and %d of others\n", l.More)
	}
}

// whoText names a caller: "subject.id ada (auth), route api".
func whoText(parts []ratelimit.Part) string {
	texts := make([]string, len(parts))
	for i, p := range parts {
		texts[i] = p.By + " "
		switch {
		case p.Address != "":
			texts[i] += "missing, from " + p.Address
		case p.Digest != "":
			texts[i] += "#" + p.Digest
		default:
			texts[i] += printable(p.Value)
		}
		if p.Issuer != "" {
			texts[i] += " (" + printable(p.Issuer) + ")"
		}
	}
	return strings.Join(texts, ", ")
}

func rateText(l *gateway.LimitState) string {
	text := burstText(l.Rate, l.Burst)
	if l.Policy {
		text += " or by policy"
	}
	return text
}

func burstText(rate string, burst int64) string {
	if count, _, _ := strings.Cut(rate, "/"); burst == 0 || count == fmt.Sprint(burst) {
		return rate
	}
	return fmt.Sprintf("%s burst %d", rate, burst)
}

func routesText(routes []gateway.LimitedRoute) string {
	texts := make([]string, len(routes))
	for i, r := range routes {
		texts[i] = r.Name
		if r.Cost > 1 {
			texts[i] += fmt.Sprintf(" (cost %d)", r.Cost)
		}
	}
	return strings.Join(texts, ", ")
}
