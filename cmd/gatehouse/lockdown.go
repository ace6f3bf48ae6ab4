package main

import (
	"context"
	"errors"
	"strings"
	"time"

	"github.com/gatehouse-dev/gatehouse/middleware/orders"
)

const lockdownUsage = `-c FILE --all | --tenant T | --route R [--roles A,B] [--for DURATION] --reason WHY
                          -c FILE --list | --lift ID`

// lockdownVerb closes routes or tenants to all but some roles, by telling a
// running gateway.
func lockdownVerb(ctx context.Context, e *env, args []string) int {
	f := flags(e, "lockdown", lockdownUsage)
	o := orders.Order{Kind: orders.Lockdown}
	f.BoolVar(&o.All, "all", false, "close every route, but for those to sign in by")
	f.StringVar(&o.Tenant, "tenant", "", "close every route to this `tenant`")
	f.StringVar(&o.Route, "route", "", "close the route of this `name` in the configuration")
	f.Func("roles", "`roles` that are served all the same, with commas between", func(text string) error {
		o.Roles = strings.Split(text, ",")
		return nil
	})
	f.Func("for", "lift it by itself after this `duration`, as 2h; default: it stays until it is lifted", func(text string) error {
		d, err := time.ParseDuration(text)
		if err != nil || d <= 0 {
			return errors.New("a duration is written 90m or 2h")
		}
		o.Until = time.Now().Add(d).UTC().Truncate(time.Second)
		return nil
	})
	f.StringVar(&o.Reason, "reason", "", "why, for the `record`; required")
	return giveVerb(ctx, e, f, args, &o, "/admin/lockdowns")
}
