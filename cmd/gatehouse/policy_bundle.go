package main

import (
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"

	"github.com/gatehouse-dev/gatehouse/policies/opa"
	"github.com/gatehouse-dev/gatehouse/policies/opa/bundle"
)

const (
	bundleUsage = "usage: gatehouse policy bundle --key FILE --key-id ID --serial N -o FILE [--data DIR] DIR…"
	keyUsage    = "usage: gatehouse policy key NAME"
)

// policyBundle packs policies into one signed file. What would not load is not
// signed.
func policyBundle(ctx context.Context, e *env, args []string) int {
	f := flag.NewFlagSet("policy bundle", flag.ContinueOnError)
	f.SetOutput(io.Discard)
	key := f.String("key", "", "")
	id := f.String("key-id", "", "")
	serial := f.Int64("serial", 0, "")
	out := f.String("o", "", "")
	data := f.String("data", "", "")
	dirs, err := parseMixed(f, args)
	if err != nil || len(dirs) == 0 || *key == "" || *id == "" || *serial < 1 || *out == "" {
		fmt.Fprintln(e.stderr, bundleUsage)
		return exitUsage
	}
	o := opa.Options{Path: dirs[0], More: dirs[1:], Data: *data, Tests: true}
	engine, err := opa.Load(ctx, o)
	if err != nil {
		return policyMistakes(e, err, false)
	}
	files, err := opa.Pack(o)
	if err == nil {
		_, err = opa.Load(ctx, opa.Options{Files: files}) // as the gateway will read them
	}
	if err != nil {
		return policyMistakes(e, err, false)
	}
	secret, err := os.ReadFile(*key)
	if err == nil {
		var packed []byte
		if packed, err = bundle.Build(files, *serial, secret, *id); err == nil {
			err = os.WriteFile(*out, packed, 0o644)
		}
	}
	if err != nil {
		fmt.Fprintln(e.stderr, "gatehouse:", err)
		return exitWrong
	}
	rules, modules := engine.Size()
	fmt.Fprintf(e.stdout, "ok: %s: serial %d, %s in %s, %s passed, revision %s, signed with %s\n",
		*out, *serial, plural(rules, "rule"), plural(modules, "file"), plural(engine.Tests().Passed, "test"), engine.Revision(), *id)
	return exitOK
}

// policyKey makes a key to sign bundles with.
func policyKey(e *env, args []string) int {
	if len(args) != 1 || isHelp(args[0]) {
		fmt.Fprintln(e.stderr, keyUsage)
		return exitUsage
	}
	private, public := args[0]+".pem", args[0]+".pub.pem"
	if err := newKey(private, public); err != nil {
		fmt.Fprintln(e.stderr, "gatehouse:", err)
		return exitWrong
	}
	fmt.Fprintf(e.stdout, "%s\n    signs bundles: keep it where they are made, and nowhere else\n", private)
	fmt.Fprintf(e.stdout, "%s\n    for policies.bundle.keys of the gateways\n", public)
	return exitOK
}

// newKey writes an Ed25519 key. It never replaces one.
func newKey(private, public string) error {
	pub, key, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		return err
	}
	secret, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return err
	}
	open, err := x509.MarshalPKIXPublicKey(pub)
	if err != nil {
		return err
	}
	if err := create(private, 0o600, "PRIVATE KEY", secret); err != nil {
		return err
	}
	return create(public, 0o644, "PUBLIC KEY", open)
}

func create(name string, mode os.FileMode, kind string, der []byte) error {
	f, err := os.OpenFile(name, os.O_CREATE|os.O_EXCL|os.O_WRONLY, mode)
	if err != nil {
		return err
	}
	return errors.Join(pem.Encode(f, &pem.Block{Type: kind, Bytes: der}), f.Close())
}
