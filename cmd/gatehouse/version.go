package main

import (
	"context"
	"fmt"
	"runtime"
	"runtime/debug"
)

// versionVerb prints what this binary was built from.
func versionVerb(_ context.Context, e *env, args []string) int {
	if len(args) > 0 {
		fmt.Fprintln(e.stderr, "usage: gatehouse version")
		return exitUsage
	}
	version, engine := "devel", "unknown"
	if info, ok := debug.ReadBuildInfo(); ok {
		if info.Main.Version != "" && info.Main.Version != "(devel)" {
			version = info.Main.Version
		}
		for _, d := range info.Deps {
			if d.Path == "github.com/open-policy-agent/opa" {
				engine = d.Version
			}
		}
	}
	fmt.Fprintf(e.stdout, "gatehouse %s\ngo        %s %s/%s\nopa       %s\n",
		version, runtime.Version(), runtime.GOOS, runtime.GOARCH, engine)
	return exitOK
}
