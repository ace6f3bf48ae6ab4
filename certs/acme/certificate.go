package acme

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"time"

	"github.com/caddyserver/certmagic"
	"github.com/mholt/acmez/v3/acme"
	"go.uber.org/zap"
)

// patience is how long one try may take, with the wait for another gateway that
// is obtaining the same certificate.
const patience = 10 * time.Minute

// Certificate is the certificate of one name: none yet, or one that is renewed
// when a third of its life is left or the authority asks for it. It is safe for
// concurrent use.
type Certificate struct {
	client *Client
	name   string

	cert  atomic.Pointer[tls.Certificate]
	fault atomic.Pointer[error] // of the last try; nil where it went well

	ctx  context.Context //nolint:containedctx // ends with Close
	end  context.CancelFunc
	once sync.Once
	done sync.WaitGroup
}

// Manage makes a certificate of a name, which is in lower case and ASCII. What
// the storage has of it is served from now on; nothing is asked for before
// [Certificate.Start]. Each certificate is closed before the client is.
func (c *Client) Manage(name string) *Certificate {
	m := &Certificate{client: c, name: name}
	m.ctx, m.end = context.WithCancel(context.Background())
	c.challenges.add(name)
	if err := m.load(m.ctx); err != nil && !errors.Is(err, fs.ErrNotExist) {
		m.fault.Store(&err)
	}
	return m
}

// Name is the name that the certificate is for.
func (m *Certificate) Name() string { return m.name }

// TLS is the certificate as it is now, nil while there is none. One that has
// expired is given all the same: it tells clients what is wrong.
func (m *Certificate) TLS() *tls.Certificate { return m.cert.Load() }

// Err says why the last try to obtain or renew it failed; nil where it did not.
func (m *Certificate) Err() error {
	if p := m.fault.Load(); p != nil {
		return *p
	}
	return nil
}

// Start begins to obtain the certificate, if there is none, and to renew it. A
// failure is told by the log and by [Certificate.Err], and tried again until
// Close. Only the first call does anything.
func (m *Certificate) Start() {
	m.once.Do(func() { m.done.Go(func() { m.run(m.ctx) }) })
}

// Close ends what Start began, an order included, and waits for it.
func (m *Certificate) Close() error {
	m.end()
	m.once.Do(func() {}) // nothing begins any more
	m.done.Wait()
	m.client.challenges.remove(m.name)
	return nil
}

func (m *Certificate) run(ctx context.Context) {
	for failures := 0; ; {
		err := m.try(ctx, failures)
		if ctx.Err() != nil {
			return
		}
		wait := m.client.pace.look
		if err != nil {
			failures++
			wait = m.client.pace.again(failures)
			m.fault.Store(&err)
			m.client.log.Error("a certificate was not obtained", zap.String("domain", m.name), zap.Error(err),
				zap.Int("failures", failures), zap.Duration("next_try_ms", wait))
		} else {
			failures = 0
			m.fault.Store(nil)
		}
		// Gateways that were started together do not stay together.
		timer := time.NewTimer(wait + rand.N(wait/10+1))
		select {
		case <-ctx.Done():
			timer.Stop()
			return
		case <-timer.C:
		}
	}
}

// try obtains the certificate or renews it where that is due. What another
// gateway has put into the storage is taken.
func (m *Certificate) try(ctx context.Context, failures int) error {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	done, err := m.client.turn(ctx)
	if err != nil {
		return err
	}
	defer done()
	switch err := m.load(ctx); {
	case err == nil || errors.Is(err, fs.ErrNotExist):
		if failures == 0 {
			ctx = m.replacing(ctx)
		}
		err = m.client.magic.ManageSync(ctx, []string{m.name})
		m.take()
		return err
	case failures == 0:
		return err // perhaps it is just being written
	}
	// A key and a certificate that do not belong together, after a crash
	// between the two, or to the name: certmagic would refuse the former for
	// ever, and keep the latter until it is due.
	if err := m.client.magic.RenewCertSync(ctx, m.name, true); err != nil {
		return err
	}
	return m.load(ctx)
}

// replacing says which certificate an order is to replace, so that it does not
// count against the authority's limits (RFC 9773, section 5).
func (m *Certificate) replacing(ctx context.Context) context.Context {
	c := m.cert.Load()
	if c == nil || time.Now().After(c.Leaf.NotAfter) {
		return ctx
	}
	if _, err := acme.ARIUniqueIdentifier(c.Leaf); err != nil {
		return ctx
	}
	return context.WithValue(ctx, replaces{}, c.Leaf)
}

// load takes the certificate from the storage. That there is none yet is an
// error that is fs.ErrNotExist; one for another name, which somebody put there or
// the authority gave, is an error too, and not served.
func (m *Certificate) load(ctx context.Context) error {
	c, err := m.client.magic.CacheManagedCertificate(ctx, m.name)
	m.take()
	if err == nil && c.Leaf.VerifyHostname(m.name) != nil {
		// Nobody would ask for it by its own names.
		m.client.cache.Remove([]string{c.Hash()})
		return fmt.Errorf("the certificate in the storage is not for %s", m.name)
	}
	return err
}

// take makes the certificate that certmagic has loaded the one that is served,
// if it is another one. It leaves none with certmagic, which then looks into the
// storage each time.
func (m *Certificate) take() {
	var best *tls.Certificate
	for _, c := range m.client.cache.AllMatchingCertificates(m.name) {
		if c.Leaf != nil && (best == nil || c.Leaf.NotAfter.After(best.Leaf.NotAfter)) {
			best = &c.Certificate
		}
	}
	m.client.cache.RemoveManaged([]certmagic.SubjectIssuer{{Subject: m.name}})
	if now := m.cert.Load(); best != nil && (now == nil || !best.Leaf.Equal(now.Leaf)) {
		m.cert.Store(best)
	}
}
