package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"reflect"
	"time"

	"github.com/gatehouse-dev/gatehouse/middleware/orders"
)

const revokeUsage = `-c FILE --issuer NAME --jti J | --sid S | --subject U
                        -c FILE [--issuer NAME] --tenant T | --issued-before TIME
                        -c FILE --list | --lift ID`

// revokeVerb calls tokens and sessions back, by telling a running gateway.
func revokeVerb(ctx context.Context, e *env, args []string) int {
	f := flags(e, "revoke", revokeUsage)
	o := orders.Order{Kind: orders.Revocation}
	f.StringVar(&o.Issuer, "issuer", "", "`name` of the issuer in the configuration")
	f.StringVar(&o.JTI, "jti", "", "revoke the token with this `id`")
	f.StringVar(&o.SID, "sid", "", "revoke the `session`, tokens that are refreshed in it included")
	f.StringVar(&o.Subject, "subject", "", "revoke all tokens of this `caller`")
	f.StringVar(&o.Tenant, "tenant", "", "revoke all tokens of this `tenant`")
	f.Func("issued-before", "revoke what was issued until this `time`, as 2026-01-31T08:00:00Z, or now; with --subject and --tenant the default is now",
		func(text string) (err error) { o.IssuedBefore, err = timeOf(text); return err })
	f.StringVar(&o.Reason, "reason", "", "why, for the `record`")
	return giveVerb(ctx, e, f, args, &o, "/admin/revocations")
}

// timeOf reads a time of the command line.
func timeOf(text string) (time.Time, error) {
	if text == "now" {
		return time.Now().UTC().Truncate(time.Second), nil
	}
	t, err := time.Parse(time.RFC3339, text)
	if err != nil {
		return time.Time{}, errors.New("a time is written 2026-01-31T08:00:00Z, or now")
	}
	return t, nil
}

// giveVerb is what `revoke` and `lockdown` share: to give an order, which f has
// flags for, to list those that are in force, and to lift one.
func giveVerb(ctx context.Context, e *env, f *flag.FlagSet, args []string, o *orders.Order, path string) int {
	a := adminFlagsOf(f)
	list := f.Bool("list", false, "list what is in force")
	lift := f.String("lift", "", "lift the order with this `ID`")
	if err := f.Parse(args); err != nil {
		return exitUsage
	}
	if err := wanted(f, a, o, *list, *lift); err != nil {
		fmt.Fprintf(e.stderr, "gatehouse %s: %v\n", f.Name(), err)
		f.Usage()
		return exitUsage
	}
	v := &giving{e: e, verb: f.Name(), asJSON: a.asJSON}
	var err error
	if v.client, err = a.open(); err != nil {
		return v.failed(err)
	}
	switch {
	case *list:
		return v.list(ctx, o.Kind)
	case *lift != "":
		return v.lift(ctx, *lift, o.Reason)
	}
	return v.give(ctx, path, o)
}

// wanted says what is wrong with a call, with an order by the rules of the
// gateway that would be given it.
func wanted(f *flag.FlagSet, a *adminFlags, o *orders.Order, list bool, lift string) error {
	switch {
	case f.NArg() > 0:
		return fmt.Errorf("what is %q?", f.Arg(0))
	case a.wrong() != nil:
		return a.wrong()
	case list && lift != "":
		return errors.New("--list or --lift, one at a time")
	case list || lift != "":
		beside := *o
		beside.Kind, beside.Reason = "", ""
		if !reflect.ValueOf(beside).IsZero() {
			return errors.New("--list and --lift give no order: leave what it would be about away")
		}
		return nil
	case o.Kind == orders.Lockdown && o.Reason == "":
		return errors.New("a lockdown needs a --reason: somebody will ask")
	}
	return o.Check()
}
