// Package acme obtains and renews certificates from an authority that speaks
// ACME (RFC 8555).
//
// A [Client] is one account with one authority; a [Certificate] is one name
// that it looks after. Both are made without a word to the authority: what the
// storage holds is served at once, and only [Certificate.Start] begins to ask.
// Names are fixed when they are made. A client that names another one in its
// handshake causes nothing, so nobody can use up the authority's limits.
//
// certmagic stores, locks and renews; the order itself is placed through its
// ACME library with solvers of our own. Those of certmagic open ports of their
// own, are kept in a map of the whole process, and look into the storage for
// whatever name a stranger asks for. Here a challenge is answered by the
// gateway's own listeners, from the client that it belongs to, for its names.
//
// Every goroutine belongs to a Certificate or to the Client and is waited for by
// their Close, but one: certmagic keeps a lock file fresh by a goroutine that
// looks every five seconds whether the lock is still there, and ends when it is
// not.
package acme

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net/http"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/caddyserver/certmagic"
	"go.uber.org/zap"

	"github.com/gatehouse-dev/gatehouse/certs"
	"github.com/gatehouse-dev/gatehouse/config"
)

// orders is how many certificates of one account are asked for at once.
const orders = 4

// pace says when things are done.
type pace struct {
	look  time.Duration                    // how often it is looked whether a renewal is due
	again func(failures int) time.Duration // how long to wait after so many failures in a row
	left  float64                          // of its life, when a certificate is renewed
}

// usual fails five times in the first hour, which is how often Let's Encrypt
// lets a name fail in an hour, and then once an hour.
func usual() pace {
	return pace{10 * time.Minute, func(failures int) time.Duration {
		waits := []time.Duration{time.Minute, 5 * time.Minute, 15 * time.Minute, 30 * time.Minute, time.Hour}
		return waits[min(failures, len(waits))-1]
	}, 1.0 / 3}
}

// Client is an account with an authority. It is safe for concurrent use.
type Client struct {
	pace       pace
	log        *zap.Logger
	http       *http.Client
	issuer     *issuer
	challenges *challenges
	cache      *certmagic.Cache
	magic      *certmagic.Config
	turns      chan struct{}
}

// Check finds what would keep [Open] from being of use: the file of
// authorities, a storage that cannot be written. It asks nobody, and leaves
// nothing behind. The error is [certs.FileErrors], its fields those of c.
func Check(c *config.ACME) error {
	_, errs := roots(c)
	if err := writable(c.Storage); err != nil {
		errs = append(errs, &certs.FileError{Field: "storage", File: c.Storage, Err: err})
	}
	if errs != nil {
		return errs
	}
	return nil
}

// writable tries a file in the folder.
func writable(folder string) error {
	f, err := os.CreateTemp(folder, ".check-*")
	if err == nil {
		err = errors.Join(f.Close(), os.Remove(f.Name()))
	}
	var p *os.PathError
	if errors.As(err, &p) {
		return fmt.Errorf("cannot be written: %w", p.Err)
	}
	return err
}

// roots gives the settings of connections to the authority.
func roots(c *config.ACME) (*tls.Config, certs.FileErrors) {
	t := &tls.Config{MinVersion: tls.VersionTLS12}
	if c.CA == "" {
		return t, nil
	}
	pool, err := certs.Pool(c.CA)
	var f *certs.FileError
	switch {
	case errors.As(err, &f):
		return nil, certs.FileErrors{{Field: "ca", File: f.File, Err: f.Err}}
	case err != nil:
		return nil, certs.FileErrors{{Field: "ca", File: c.CA, Err: err}}
	}
	t.RootCAs = pool
	return t, nil
}

// Open makes a client, which asks for nothing yet. Domains are not looked at:
// see [Client.Manage]. Messages of every step go to log. The error is that of
// [Check].
func Open(c *config.ACME, log *zap.Logger) (*Client, error) { return open(c, log, usual()) }

func open(c *config.ACME, log *zap.Logger, p pace) (*Client, error) {
	if err := Check(c); err != nil {
		return nil, err
	}
	t, errs := roots(c)
	if errs != nil {
		return nil, errs
	}
	log = log.Named("acme")
	storage := &certmagic.FileStorage{Path: c.Storage}
	client := &Client{pace: p, log: log, http: httpClient(t, strings.HasPrefix(c.Directory, "https:")), turns: make(chan struct{}, orders)}
	client.challenges = newChallenges(storage, issuerKey(c.Directory))
	client.issuer = &issuer{
		directory: c.Directory, email: c.Email, types: slices.Clone(c.Challenges), key: issuerKey(c.Directory),
		storage: storage, http: client.http, challenges: client.challenges, log: log,
	}
	client.open(storage)
	return client, nil
}

// open makes the part that certmagic plays. Its cache has a goroutine that
// renews what is in it; here that is done by who owns a certificate, so what the
// cache is told of certificates is that nothing is to be done for them.
func (c *Client) open(storage certmagic.Storage) {
	idle := func(certmagic.Certificate) (*certmagic.Config, error) {
		return certmagic.New(c.cache, certmagic.Config{
			OnDemand: &certmagic.OnDemandConfig{}, OCSP: certmagic.OCSPConfig{DisableStapling: true},
			Issuers: []certmagic.Issuer{c.issuer}, Storage: storage, Logger: c.log,
		}), nil
	}
	c.cache = certmagic.NewCache(certmagic.CacheOptions{
		GetConfigForCert: idle, RenewCheckInterval: c.pace.look,
		Logger: c.log.WithOptions(zap.IncreaseLevel(zap.WarnLevel)),
	})
	c.magic = certmagic.New(c.cache, certmagic.Config{
		Issuers: []certmagic.Issuer{c.issuer}, Storage: storage, Logger: c.log, RenewalWindowRatio: c.pace.left,
		// The authorities of the web are giving up OCSP.
		OCSP: certmagic.OCSPConfig{DisableStapling: true},
	})
}

// turn waits until an order may be placed. What it gives ends the turn.
func (c *Client) turn(ctx context.Context) (done func(), err error) {
	select {
	case c.turns <- struct{}{}:
		return func() { <-c.turns }, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// HTTP01 gives what http://host/.well-known/acme-challenge/token is answered
// with (RFC 8555, section 8.3) while such a challenge is open for a name of this
// client, here or at another gateway that shares the storage. The host is in
// lower case and without a port.
func (c *Client) HTTP01(host, token string) (keyAuthorization string, ok bool) {
	if !slices.Contains(c.issuer.types, http01) {
		return "", false
	}
	a, ok := c.challenges.find(http01, host)
	if !ok || a.Token != token {
		return "", false
	}
	return a.KeyAuthorization, true
}

// TLSALPN01 gives the settings of a handshake by which the authority looks
// whether a name is served here (RFC 8737), and nil for every other handshake.
// They ask for no client certificate and give out no session: what speaks
// acme-tls/1 ends with the handshake, for no HTTP server knows that protocol.
func (c *Client) TLSALPN01(hello *tls.ClientHelloInfo) *tls.Config {
	if len(hello.SupportedProtos) != 1 || hello.SupportedProtos[0] != alpnProtocol ||
		!slices.Contains(c.issuer.types, tlsALPN01) {
		return nil
	}
	a, ok := c.challenges.find(tlsALPN01, canonical(hello.ServerName))
	if !ok {
		return nil
	}
	cert, err := a.certificate()
	if err != nil {
		c.log.Error("the answer to a challenge cannot be made", zap.String("domain", hello.ServerName), zap.Error(err))
		return nil
	}
	return &tls.Config{
		MinVersion: tls.VersionTLS12, NextProtos: []string{alpnProtocol}, SessionTicketsDisabled: true,
		Certificates: []tls.Certificate{*cert},
	}
}

// Close ends the client, whose certificates are closed already.
func (c *Client) Close() error {
	c.cache.Stop()
	c.http.CloseIdleConnections()
	return nil
}
