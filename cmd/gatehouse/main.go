// Command gatehouse is an API gateway with policy enforcement.
//
// Run `gatehouse help` for its verbs. The scenarios under testdata/script show
// each of them at work.
package main

import (
	"context"
	"fmt"
	"io"
	"log"
	"os"
	"slices"
	"strings"
)

// Exit codes: fine, the thing checked is wrong, the call is wrong.
const (
	exitOK    = 0
	exitWrong = 1
	exitUsage = 2
)

// env is what a verb has of the world, so that tests can run it in process.
type env struct {
	stdin          io.Reader
	stdout, stderr io.Writer
}

// A verb is one thing the command does. It returns the exit code.
type verb struct {
	name, args, summary string
	run                 func(ctx context.Context, e *env, args []string) int
}

func verbs() []verb {
	return []verb{
		{"serve", "-c FILE", "serve; SIGHUP reloads, SIGTERM drains", serveVerb},
		{"check", "-c FILE [--strict] [--json]", "load and compile everything, print every mistake", checkVerb},
		{"explain", "-c FILE METHOD URL [--claims JSON] [--json]", "tell what would be done with a request", explainVerb},
		{"revoke", "-c FILE --issuer NAME --sid S|--jti J|--subject U|--tenant T|--issued-before TIME | --list | --lift ID", "call tokens and sessions back, on every replica", revokeVerb},
		{"lockdown", "-c FILE --all|--tenant T|--route R [--roles A,B] [--for 2h] --reason WHY | --list | --lift ID", "close routes or a tenant to all but some roles", lockdownVerb},
		{"blocks", "list|add|remove -c FILE [ADDRESS] …", "tell whom the guard keeps out, keep somebody out, let somebody in", blocksVerb},
		{"limits", "-c FILE [--json]", "list the rate limits, how they decided, and who was refused or would have been", limitsVerb},
		{"alerts", alertsUsage, "send a test event to every sink of alerts, and tell what became of it", alertsVerb},
		{"demo", "[--check] [--address HOST:PORT] [--admin HOST:PORT]", "run the gateway in front of a sample company", demoVerb},
		{"certs", "dev [-client NAME] DIR [HOST…]", "make a local authority and a server certificate", certsVerb},
		{"policy", "test|check|fmt|eval|cases|matrix|replay|bundle|key …", "test policies, check them as serve does, ask them one question, an auditor's cases or what was asked before, tell who sees what, sign them", policyVerb},
		{"version", "", "print the version, Go and the policy engine", versionVerb},
	}
}

func main() {
	// net/http's client writes to the standard log what a backend sends unasked,
	// behind an answer that has no body for example. That is unmasked, and there
	// is no setting for it.
	log.SetOutput(io.Discard)
	os.Exit(run(context.Background(), &env{os.Stdin, os.Stdout, os.Stderr}, os.Args[1:]))
}

func run(ctx context.Context, e *env, args []string) int {
	if len(args) == 0 {
		usage(e.stderr)
		return exitUsage
	}
	for _, v := range verbs() {
		if v.name == args[0] {
			return v.call(ctx, e, args[1:])
		}
	}
	if args[0] == "help" || isHelp(args[0]) {
		usage(e.stdout)
		return exitOK
	}
	fmt.Fprintf(e.stderr, "gatehouse: there is no verb %q\n\n", args[0])
	usage(e.stderr)
	return exitUsage
}

// call runs the verb. Whoever asks how to call it has not called it wrongly, and
// gets the answer where answers go.
func (v verb) call(ctx context.Context, e *env, args []string) int {
	if !slices.ContainsFunc(args, isHelp) {
		return v.run(ctx, e, args)
	}
	if code := v.run(ctx, &env{e.stdin, e.stdout, e.stdout}, args); code != exitUsage {
		return code
	}
	return exitOK
}

func isHelp(arg string) bool { return arg == "-h" || arg == "-help" || arg == "--help" }

func usage(w io.Writer) {
	fmt.Fprintln(w, "gatehouse: an API gateway with policy enforcement")
	fmt.Fprintln(w)
	for _, v := range verbs() {
		fmt.Fprintf(w, "  gatehouse %s\n        %s\n", strings.TrimSpace(v.name+" "+v.args), v.summary)
	}
}
