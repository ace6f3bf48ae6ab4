package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"text/tabwriter"
	"time"

	"github.com/gatehouse-dev/gatehouse/gateway/admin"
	"github.com/gatehouse-dev/gatehouse/middleware/orders"
)

const (
	blocksListUsage   = `-c FILE [--ended] [ADDRESS]`
	blocksAddUsage    = `-c FILE ADDRESS [--username NAME] | --issuer NAME --subject U [--step-up] [--for DURATION] --reason WHY`
	blocksRemoveUsage = `-c FILE ID | ADDRESS | --issuer NAME --subject U [--reason WHY]`
)

// blocksVerb lists, gives and lifts the blocks of a running gateway, its guard's
// and those that operators gave.
func blocksVerb(ctx context.Context, e *env, args []string) int {
	if len(args) > 0 {
		switch args[0] {
		case "list":
			return blocksList(ctx, e, args[1:])
		case "add":
			return blocksAdd(ctx, e, args[1:])
		case "remove":
			return blocksRemove(ctx, e, args[1:])
		}
		if !isHelp(args[0]) {
			fmt.Fprintf(e.stderr, "gatehouse blocks: there is no verb %q\n", args[0])
		}
	}
	fmt.Fprintln(e.stderr, "usage: gatehouse blocks list "+blocksListUsage)
	fmt.Fprintln(e.stderr, "       gatehouse blocks add "+blocksAddUsage)
	fmt.Fprintln(e.stderr, "       gatehouse blocks remove "+blocksRemoveUsage)
	return exitUsage
}

// blocksCall is one call of a verb of blocks.
type blocksCall struct {
	giving
	flags *flag.FlagSet
	admin *adminFlags
}

func newBlocksCall(e *env, verb, usage string) *blocksCall {
	f := flags(e, "blocks "+verb, usage)
	return &blocksCall{giving{e: e, verb: f.Name()}, f, adminFlagsOf(f)}
}

// parse reads the command line and gives the one argument that may stand there. ok
// is false where that is misuse, which it reports.
func (c *blocksCall) parse(args []string) (rest string, ok bool) {
	all, err := parseMixed(c.flags, args)
	if err != nil {
		return "", false
	}
	if len(all) > 1 {
		err = fmt.Errorf("what is %q?", all[1])
	} else {
		err = c.admin.wrong()
	}
	if err != nil {
		c.misused(err)
		return "", false
	}
	if len(all) == 1 {
		rest = all[0]
	}
	return rest, true
}

func (c *blocksCall) misused(err error) int {
	fmt.Fprintf(c.e.stderr, "gatehouse %s: %v\n", c.verb, err)
	c.flags.Usage()
	return exitUsage
}

// open makes the client. It is called when the call is known to be right.
func (c *blocksCall) open() (err error) {
	c.asJSON = c.admin.asJSON
	c.client, err = c.admin.open()
	return err
}

func blocksAdd(ctx context.Context, e *env, args []string) int {
	c := newBlocksCall(e, "add", blocksAddUsage)
	var b admin.BlockRequest
	c.flags.StringVar(&b.Username, "username", "", "block logins on this `name` only, from the address")
	c.flags.StringVar(&b.Issuer, "issuer", "", "`name` of the issuer in the configuration")
	c.flags.StringVar(&b.Subject, "subject", "", "block this `caller`, wherever from")
	stepUp := c.flags.Bool("step-up", false, "let the subject in again when it has signed in anew")
	c.flags.StringVar(&b.For, "for", "", "end it by itself after this `duration`, as 2h; default: it stays until it is removed")
	c.flags.StringVar(&b.Reason, "reason", "", "why, for the `record`; required")
	var ok bool
	if b.Address, ok = c.parse(args); !ok {
		return exitUsage
	}
	if *stepUp {
		b.Action = orders.ActionStepUp
	}
	_, err := b.Order(time.Now())
	if err == nil && b.Reason == "" {
		err = errors.New("a block needs a --reason: somebody will ask")
	}
	if err != nil {
		return c.misused(err)
	}
	if err := c.open(); err != nil {
		return c.failed(err)
	}
	var out admin.OrderAnswer
	if err := c.client.ask(ctx, http.MethodPost, "/admin/blocks", &b, &out); err != nil {
		return c.failed(err)
	}
	return c.done(out, fmt.Sprintf("blocked: %s, %s\norder %s lifts with: gatehouse blocks remove -c FILE %s\n",
		orderText(&out.Order), lasting(&out.Order), out.Order.ID, out.Order.ID))
}

func blocksRemove(ctx context.Context, e *env, args []string) int {
	c := newBlocksCall(e, "remove", blocksRemoveUsage)
	issuer := c.flags.String("issuer", "", "`name` of the issuer in the configuration")
	subject := c.flags.String("subject", "", "remove the blocks of this `caller`")
	reason := c.flags.String("reason", "", "why, for the `record`")
	what, ok := c.parse(args)
	if !ok {
		return exitUsage
	}
	if (what == "") == (*subject == "") || (*issuer == "") != (*subject == "") {
		return c.misused(errors.New("it takes the ID of a block, an address, or --issuer and --subject"))
	}
	if err := c.open(); err != nil {
		return c.failed(err)
	}
	q := url.Values{}
	set := func(name, value string) {
		if value != "" {
			q.Set(name, value)
		}
	}
	set("reason", *reason)
	if _, err := orders.Network(what); err != nil && what != "" {
		return c.removeOne(ctx, what, q)
	}
	set("address", what)
	set("issuer", *issuer)
	set("subject", *subject)
	return c.removeAll(ctx, q)
}

// removeOne lifts the block with an id.
func (c *blocksCall) removeOne(ctx context.Context, id string, q url.Values) int {
	var out admin.OrderAnswer
	if err := c.client.ask(ctx, http.MethodDelete, "/admin/blocks/"+url.PathEscape(id)+"?"+q.Encode(), nil, &out); err != nil {
		return c.failed(err)
	}
	return c.done(out, fmt.Sprintf("lifted: %s\n", orderText(&out.Order)))
}

// removeAll lifts every block of a target. It is not well done where the address is
// still blocked.
func (c *blocksCall) removeAll(ctx context.Context, q url.Values) int {
	var out admin.Lifted
	if err := c.client.ask(ctx, http.MethodDelete, "/admin/blocks?"+q.Encode(), nil, &out); err != nil {
		return c.failed(err)
	}
	code := exitOK
	if out.Still != nil || !out.Shared || out.Trouble != "" {
		code = exitWrong
	}
	if c.asJSON {
		return printJSON(c.e, out, code)
	}
	for i := range out.Lifted {
		fmt.Fprintf(c.e.stdout, "lifted: %s\n", orderText(&out.Lifted[i]))
	}
	if out.Still != nil {
		fmt.Fprintf(c.e.stderr, "gatehouse %s: it is still blocked, with %s, by order %s\n", c.verb, out.Still.Address, out.Still.ID)
	}
	c.unfinished(out.Shared, out.Trouble)
	return code
}

func blocksList(ctx context.Context, e *env, args []string) int {
	c := newBlocksCall(e, "list", blocksListUsage)
	ended := c.flags.Bool("ended", false, "list those as well that are over, and make the next one of their target longer")
	address, ok := c.parse(args)
	if !ok {
		return exitUsage
	}
	q := url.Values{}
	if address != "" {
		if _, err := orders.Network(address); err != nil {
			return c.misused(err)
		}
		q.Set("address", address)
	}
	if *ended {
		q.Set("ended", "true")
	}
	if err := c.open(); err != nil {
		return c.failed(err)
	}
	var out admin.BlockList
	if err := c.client.ask(ctx, http.MethodGet, "/admin/blocks?"+q.Encode(), nil, &out); err != nil {
		return c.failed(err)
	}
	code := exitOK
	if out.Trouble != "" {
		code = exitWrong
		fmt.Fprintf(e.stderr, "gatehouse %s: this may not be all, or not last: %s\n", c.verb, out.Trouble)
	}
	if c.asJSON {
		return printJSON(e, out, code)
	}
	printBlocks(e.stdout, out.Blocks, "none is in force")
	if *ended {
		fmt.Fprintln(e.stdout)
		printBlocks(e.stdout, out.Ended, "none has ended lately")
	}
	for _, t := range out.Trusted {
		fmt.Fprintf(e.stdout, "never blocked: %s\n", t)
	}
	return code
}

func printBlocks(w io.Writer, list []orders.Order, none string) {
	if len(list) == 0 {
		fmt.Fprintln(w, none)
		return
	}
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "ID\tWHAT\tSINCE\tUNTIL\tBY\tDETECTOR\tLEVEL\tREASON")
	for i := range list {
		o := &list[i]
		detector, level := "-", "-"
		if o.Detector != "" {
			detector, level = printable(o.Detector), strconv.Itoa(o.Level)
		}
		fmt.Fprintf(t, "%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\n",
			o.ID, orderText(o), timeText(o.At), endText(o), printable(o.By), detector, level, printable(o.Reason))
	}
	_ = t.Flush()
}
