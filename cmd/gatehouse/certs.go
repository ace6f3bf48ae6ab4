package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"path/filepath"
	"time"

	"github.com/gatehouse-dev/gatehouse/certs"
)

const certsUsage = `usage: gatehouse certs dev [-client NAME] DIR [HOST...]

Writes a certificate authority and a server certificate for development into
DIR: for localhost, 127.0.0.1, ::1 and the hosts given. An authority that is
already there is kept. With -client, a client certificate as well.
`

// certsVerb makes the certificates of a development set-up.
func certsVerb(_ context.Context, e *env, args []string) int {
	if len(args) == 0 || args[0] != "dev" {
		fmt.Fprint(e.stderr, certsUsage)
		return exitUsage
	}
	flags := flag.NewFlagSet("gatehouse certs dev", flag.ContinueOnError)
	flags.SetOutput(io.Discard)
	client := flags.String("client", "", "")
	if err := flags.Parse(args[1:]); err != nil || flags.NArg() == 0 {
		if err != nil && err != flag.ErrHelp {
			fmt.Fprintln(e.stderr, "gatehouse:", err)
		}
		fmt.Fprint(e.stderr, certsUsage)
		return exitUsage
	}
	dir, now := flags.Arg(0), time.Now()
	if err := certs.Dev(dir, flags.Args()[1:], now); err != nil {
		fmt.Fprintln(e.stderr, "gatehouse:", err)
		return exitWrong
	}
	if *client != "" {
		if err := certs.DevClient(dir, *client, now); err != nil {
			fmt.Fprintln(e.stderr, "gatehouse:", err)
			return exitWrong
		}
	}
	certsReport(e.stdout, dir, *client)
	return exitOK
}

// certsReport says what was written and how it is used.
func certsReport(w io.Writer, dir, client string) {
	if abs, err := filepath.Abs(dir); err == nil {
		dir = abs // a configuration may stand in another folder than the shell
	}
	in := func(name string) string { return filepath.Join(dir, name) }
	fmt.Fprintf(w, "%s\n    the authority; its key is %s\n", in(certs.DevCA), in(certs.DevCAKey))
	fmt.Fprintf(w, "%s\n    the server's certificate; its key is %s\n", in(certs.DevServer), in(certs.DevServerKey))
	if client != "" {
		fmt.Fprintf(w, "%s\n    the client's certificate; its key is %s\n", in(client+".pem"), in(client+"-key.pem"))
	}
	fmt.Fprintf(w, "\nIn the configuration:\n\n  tls:\n    certificates:\n      - {cert: %s, key: %s}\n",
		in(certs.DevServer), in(certs.DevServerKey))
	with := ""
	if client != "" {
		fmt.Fprintf(w, "    client_ca: %s\n", in(certs.DevCA))
		with = fmt.Sprintf(" --cert %s --key %s", in(client+".pem"), in(client+"-key.pem"))
	}
	fmt.Fprintf(w, "\nTo call it:\n\n  curl --cacert %s%s https://localhost:8443/\n", in(certs.DevCA), with)
}
