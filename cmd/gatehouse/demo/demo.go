// Package demo is a small company to try the gateway on: a sample HR backend
// that gives everything to everybody, an issuer of tokens, a configuration, and
// a list of requests with what their answers must show.
//
// The gateway in front of it is the real one, serving the sample policies.
package demo

import (
	"context"
	_ "embed"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/gatehouse-dev/gatehouse/certs"
	"github.com/gatehouse-dev/gatehouse/policies"
)

//go:embed gatehouse.yaml
var configuration string

// tokenRefresh is how often the token files are written anew: a token must not
// be older than the session's idle time when it is first used, and the sign-in of
// one with a second factor must be as fresh as company/step_up.yaml wants it, with
// a minute left to copy a line.
const tokenRefresh = 4 * time.Minute

// Company is the demo's world, running.
type Company struct {
	// Dir holds everything that was written: certificates, policies, tokens
	// and the configuration.
	Dir string
	// Config is the gateway's configuration file.
	Config string

	issuer  *Issuer
	backend *http.Server
	keys    *http.Server
	stop    context.CancelFunc
	wg      sync.WaitGroup
}

// Open starts the backend and the issuer on free loopback ports and writes the
// gateway's configuration, which listens on address, and on admin for
// operators, to dir.
func Open(dir, address, admin string) (*Company, error) {
	c := &Company{Dir: dir, Config: filepath.Join(dir, "gatehouse.yaml")}
	issuer, err := NewIssuer()
	if err != nil {
		return nil, err
	}
	c.issuer = issuer
	if err := c.write(address, admin); err != nil {
		c.Close()
		return nil, err
	}
	ctx, stop := context.WithCancel(context.Background())
	c.stop = stop
	c.wg.Go(func() { c.refresh(ctx) })
	return c, nil
}

// write makes the files of the demo.
func (c *Company) write(address, admin string) error {
	backend, err := c.serve(&c.backend, NewBackend())
	if err != nil {
		return err
	}
	keys, err := c.serve(&c.keys, c.issuer)
	if err != nil {
		return err
	}
	if err := certs.Dev(filepath.Join(c.Dir, "certs"), nil, time.Now()); err != nil {
		return err
	}
	if err := c.copyPolicies(); err != nil {
		return err
	}
	if err := c.writeTokens(); err != nil {
		return err
	}
	text := strings.NewReplacer(
		"{{address}}", address, "{{admin}}", admin, "{{backend}}", "http://"+backend.String(), "{{issuer}}", "http://"+keys.String(),
	).Replace(configuration)
	return os.WriteFile(c.Config, []byte(text), 0o600)
}

// serve starts a server on a free loopback port.
func (c *Company) serve(at **http.Server, h http.Handler) (net.Addr, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	srv := &http.Server{Handler: h, ReadHeaderTimeout: 5 * time.Second}
	*at = srv
	c.wg.Go(func() { _ = srv.Serve(l) })
	return l.Addr(), nil
}

// copyPolicies lays the sample policies out as files, so that they can be
// edited while the demo runs.
func (c *Company) copyPolicies() error {
	return fs.WalkDir(policies.Samples, "rego", func(path string, e fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		to := filepath.Join(c.Dir, "policies", filepath.FromSlash(path))
		if e.IsDir() {
			return os.MkdirAll(to, 0o755)
		}
		b, err := policies.Samples.ReadFile(path)
		if err != nil {
			return err
		}
		return os.WriteFile(to, b, 0o644)
	})
}

// writeTokens writes one token file per person.
func (c *Company) writeTokens() error {
	for _, p := range People() {
		file := filepath.Join(c.Dir, p.Name+".jwt")
		next := file + ".new"
		if err := os.WriteFile(next, []byte(c.Token(p.Name)), 0o600); err != nil {
			return err
		}
		// Renamed, so that a reader never sees half a token.
		if err := os.Rename(next, file); err != nil {
			return err
		}
	}
	return nil
}

func (c *Company) refresh(ctx context.Context) {
	tick := time.NewTicker(tokenRefresh)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			if err := c.writeTokens(); err != nil {
				fmt.Fprintln(os.Stderr, "demo: tokens:", err)
			}
		}
	}
}

// Token makes a fresh token for one of [People]; "" for anybody else.
func (c *Company) Token(name string) string {
	for _, p := range People() {
		if p.Name == name {
			return c.issuer.Token(p, time.Now())
		}
	}
	return ""
}

// CA is the file of the authority that vouches for the gateway.
func (c *Company) CA() string { return filepath.Join(c.Dir, "certs", "ca.pem") }

// Close stops the servers and waits for them.
func (c *Company) Close() error {
	if c.stop != nil {
		c.stop()
	}
	var errs []error
	for _, s := range []*http.Server{c.backend, c.keys} {
		if s != nil {
			errs = append(errs, s.Close())
		}
	}
	c.wg.Wait()
	return errors.Join(errs...)
}
