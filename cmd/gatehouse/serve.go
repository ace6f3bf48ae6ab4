package main

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net"
	"os"
	"os/signal"
	"slices"
	"sync"
	"syscall"
	"time"

	"github.com/gatehouse-dev/gatehouse/config"
	"github.com/gatehouse-dev/gatehouse/gateway"
	"github.com/gatehouse-dev/gatehouse/gateway/admin"
	"github.com/gatehouse-dev/gatehouse/gateway/telemetry"
	"github.com/gatehouse-dev/gatehouse/middleware/store"
)

// pollSources is how often the files behind the configuration are looked at.
const pollSources = 2 * time.Second

// serveVerb serves until it is told to stop.
func serveVerb(ctx context.Context, e *env, args []string) int {
	file, ok := configFlag(e, "serve", args)
	if !ok {
		return exitUsage
	}
	ctx, stop := signal.NotifyContext(ctx, syscall.SIGTERM, os.Interrupt)
	defer stop()
	relaxCollector(os.Getenv)
	if n := limitMemory(os.DirFS("/"), os.Getenv); n > 0 {
		fmt.Fprintf(e.stderr, "gatehouse: memory is bounded at %d MiB, nine tenths of the control group's\n", n>>20)
	}
	if err := serve(ctx, e, file, nil); err != nil {
		fmt.Fprintln(e.stderr, err)
		return exitWrong
	}
	return exitOK
}

// instance is a running gateway, as far as whoever started it needs it.
type instance struct {
	listeners map[string]net.Addr
	admin     net.Addr
	reloader  *gateway.Reloader
}

// serve runs a gateway by its configuration file until ctx is done. ready,
// where it is not nil, is told when all listeners accept.
func serve(ctx context.Context, e *env, file string, ready func(*instance)) error {
	c, err := config.Load(file)
	if err != nil {
		return err
	}
	store.Quiet()
	deps := &gateway.Deps{Metrics: telemetry.New()}
	plan, err := gateway.Compile(ctx, c, deps)
	if err != nil {
		return err
	}
	g := gateway.New(deps, plan)
	defer g.Close()
	reloader := gateway.NewReloader(g, file)
	deps.Metrics.Reload(true, time.Now())

	server, err := gateway.Listen(g)
	if err != nil {
		return err
	}
	ops, err := admin.Listen(g, reloader, deps.Metrics.Handler())
	if err != nil {
		server.Close()
		return err
	}
	// Before anybody is told that we are ready: until then SIGHUP ends the process.
	hangup := make(chan os.Signal, 1)
	signal.Notify(hangup, syscall.SIGHUP)
	defer signal.Stop(hangup)
	for _, name := range slices.Sorted(maps.Keys(server.Addresses())) {
		fmt.Fprintf(e.stderr, "gatehouse: listener %s ready on %s\n", name, server.Addresses()[name])
	}
	fmt.Fprintf(e.stderr, "gatehouse: admin ready on %s\n", ops.Address())
	if ready != nil {
		ready(&instance{server.Addresses(), ops.Address(), reloader})
	}
	return runUntil(ctx, server, ops, reloader, hangup)
}

// runUntil runs the parts of a gateway and waits for all of them. The admin
// listener stops last, so that readiness tells of the drain.
func runUntil(ctx context.Context, server *gateway.Server, ops *admin.Admin, reloader *gateway.Reloader, hangup <-chan os.Signal) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	opsCtx, stopOps := context.WithCancel(context.WithoutCancel(ctx))
	defer stopOps()
	var wg sync.WaitGroup
	wg.Go(func() { reloader.Watch(ctx, pollSources) })
	wg.Go(func() { reloadOnHangup(ctx, reloader, hangup) })
	var opsErr error
	wg.Go(func() {
		if opsErr = ops.Serve(opsCtx); opsErr != nil {
			cancel()
		}
	})
	err := server.Serve(ctx)
	cancel()
	stopOps()
	wg.Wait()
	return errors.Join(err, opsErr)
}

// reloadOnHangup reloads on every SIGHUP. A refused reload is told by log,
// metric and readiness.
func reloadOnHangup(ctx context.Context, r *gateway.Reloader, hangup <-chan os.Signal) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-hangup:
			_ = r.Reload(ctx)
		}
	}
}
