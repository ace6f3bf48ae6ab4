package main

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/netip"
	"net/url"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"
	"unicode"

	"github.com/gatehouse-dev/gatehouse/gateway/admin"
	"github.com/gatehouse-dev/gatehouse/middleware/orders"
)

// giving tells a gateway of orders and prints what it says.
type giving struct {
	e      *env
	verb   string
	client *adminClient
	asJSON bool
}

func (v *giving) give(ctx context.Context, path string, o *orders.Order) int {
	word := "revoked"
	if o.Kind == orders.Lockdown {
		word = "locked down"
	}
	o.Kind = "" // the path says it
	var out admin.OrderAnswer
	if err := v.client.ask(ctx, http.MethodPost, path, o, &out); err != nil {
		return v.failed(err)
	}
	return v.done(out, fmt.Sprintf("%s: %s, %s\norder %s lifts with: gatehouse %s -c FILE --lift %s\n",
		word, orderText(&out.Order), lasting(&out.Order), out.Order.ID, v.verb, out.Order.ID))
}

func (v *giving) lift(ctx context.Context, id, reason string) int {
	path := "/admin/orders/" + url.PathEscape(id)
	if reason != "" {
		path += "?" + url.Values{"reason": {reason}}.Encode()
	}
	var out admin.OrderAnswer
	if err := v.client.ask(ctx, http.MethodDelete, path, nil, &out); err != nil {
		return v.failed(err)
	}
	return v.done(out, fmt.Sprintf("lifted: %s\n", orderText(&out.Order)))
}

// done prints what the gateway holds from now on. It is not well done where other
// replicas do not know yet, or a restart may forget it.
func (v *giving) done(out admin.OrderAnswer, text string) int {
	code := exitOK
	if !out.Shared || out.Trouble != "" {
		code = exitWrong
	}
	if v.asJSON {
		return printJSON(v.e, out, code)
	}
	fmt.Fprint(v.e.stdout, text)
	v.unfinished(out.Shared, out.Trouble)
	return code
}

// unfinished tells where what was given or lifted is not yet kept.
func (v *giving) unfinished(shared bool, trouble string) {
	if !shared {
		fmt.Fprintf(v.e.stderr, "gatehouse %s: this gateway holds it; the store of all replicas does not have it yet, and the gateway goes on trying\n", v.verb)
	}
	if trouble != "" {
		fmt.Fprintf(v.e.stderr, "gatehouse %s: this gateway holds it, and may forget it when it restarts: %s\n", v.verb, trouble)
	}
}

func (v *giving) failed(err error) int {
	fmt.Fprintf(v.e.stderr, "gatehouse %s: %v\n", v.verb, err)
	return exitWrong
}

// list prints what is in force. A list that may lack something is not fine.
func (v *giving) list(ctx context.Context, kind orders.Kind) int {
	var out admin.OrderList
	if err := v.client.ask(ctx, http.MethodGet, "/admin/orders?kind="+string(kind), nil, &out); err != nil {
		return v.failed(err)
	}
	code := exitOK
	if out.Trouble != "" {
		code = exitWrong
		fmt.Fprintf(v.e.stderr, "gatehouse %s: this may not be all, or not last: %s\n", v.verb, out.Trouble)
	}
	if v.asJSON {
		return printJSON(v.e, out, code)
	}
	printOrders(v.e.stdout, out.Orders)
	return code
}

func printOrders(w io.Writer, list []orders.Order) {
	if len(list) == 0 {
		fmt.Fprintln(w, "none is in force")
		return
	}
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "ID\tWHAT\tSINCE\tUNTIL\tBY\tREASON")
	for i := range list {
		o := &list[i]
		fmt.Fprintf(t, "%s\t%s\t%s\t%s\t%s\t%s\n", o.ID, orderText(o), timeText(o.At), endText(o), printable(o.By), printable(o.Reason))
	}
	_ = t.Flush()
}

// orderText tells what an order is about.
func orderText(o *orders.Order) string {
	var parts []string
	add := func(format, value string) {
		if value != "" {
			parts = append(parts, fmt.Sprintf(format, printable(value)))
		}
	}
	if o.All {
		parts = append(parts, "every route")
	}
	add("logins on the username with the digest %s", o.User)
	if o.Address.IsValid() {
		parts = append(parts, "from "+networkText(o.Address))
	}
	add("route %s", o.Route)
	add("token %s", o.JTI)
	add("session %s", o.SID)
	add("subject %s", o.Subject)
	add("tenant %s", o.Tenant)
	if len(parts) == 0 {
		parts = append(parts, "every token")
	}
	add("of the issuer %s", o.Issuer)
	if o.Action == orders.ActionStepUp {
		parts = append(parts, "but not when signed in anew")
	}
	if !o.IssuedBefore.IsZero() {
		parts = append(parts, "issued until "+timeText(o.IssuedBefore))
	}
	if len(o.Roles) > 0 {
		add("but for %s", strings.Join(o.Roles, ", "))
	}
	return strings.Join(parts, " ")
}

// networkText writes an address as one.
func networkText(p netip.Prefix) string {
	if p.IsSingleIP() {
		return p.Addr().String()
	}
	return p.String()
}

func lasting(o *orders.Order) string { return "until " + endText(o) }

// endText tells when an order holds no longer.
func endText(o *orders.Order) string {
	end := o.Until
	if o.Kind == orders.Block {
		end = o.Ends
	}
	if end.IsZero() {
		return "it is lifted"
	}
	return timeText(end)
}

func timeText(t time.Time) string { return t.UTC().Format(time.RFC3339) }

// printable keeps a text from moving the cursor of a terminal.
func printable(s string) string {
	if strings.ContainsFunc(s, func(r rune) bool { return !unicode.IsPrint(r) }) {
		return strconv.Quote(s)
	}
	return s
}
