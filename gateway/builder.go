package gateway

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"os"

	"github.com/gatehouse-dev/gatehouse/certs"
	"github.com/gatehouse-dev/gatehouse/config"
	"github.com/gatehouse-dev/gatehouse/gateway/edge"
	"github.com/gatehouse-dev/gatehouse/gateway/telemetry"
	"github.com/gatehouse-dev/gatehouse/gateway/upstream"
	"github.com/gatehouse-dev/gatehouse/middleware"
	"github.com/gatehouse-dev/gatehouse/middleware/authn"
	"github.com/gatehouse-dev/gatehouse/middleware/guard"
	"github.com/gatehouse-dev/gatehouse/middleware/ratelimit"
	"github.com/gatehouse-dev/gatehouse/middleware/session"
	"github.com/gatehouse-dev/gatehouse/policies"
	"github.com/gatehouse-dev/gatehouse/policies/opa/bundle"
)

// builder makes one plan and collects every mistake on the way.
type builder struct {
	ctx      context.Context //nolint:containedctx // lives as long as one call of Compile
	config   *config.Config
	deps     *Deps
	plan     *Plan
	mistakes config.Mistakes

	decider  policies.Decider
	bundle   *bundle.Bundle // where the policies come from one
	issuers  map[string]*authn.Issuer
	store    *ratelimit.Store
	limits   map[string]*ratelimit.Rule
	guard    *guard.Guard
	sessions *session.Store
	proofs   *authn.Proofs

	decisions *decisionLog // nil where none go on record
}

func (b *builder) mistake(path string, err error) {
	b.mistakes = append(b.mistakes, b.config.Mistake(path, "%v", err))
}

// build compiles every section. A section that cannot be compiled is reported
// and the others go on, so that all mistakes are told at once.
func (b *builder) build() {
	b.openLog()
	b.openTracing()
	b.openListeners()
	b.openAdmin()
	b.openPolicies()
	b.openDecisions()
	b.openShadow()
	b.openIssuers()
	b.openUpstreams()
	b.openState()
	b.openCaps()
	b.openSpool()
	if len(b.mistakes) > 0 {
		return
	}
	p := b.plan
	p.decider, p.issuers = b.decider, b.issuers
	var settable []string
	if b.decider != nil {
		settable = b.decider.HeaderNames()
	}
	p.door = edge.NewDoor(b.config.IdentityHeaders, settable, b.config.Policies.Headers)
	p.httpsPort = redirectPort(b.config)
	p.bare = b.observed(b.bare())
	b.openLogout()
	b.checkRedirects()
	b.checkCSRF()
	for _, r := range b.config.Routes {
		b.checkHosts(r)
		p.pipelines = append(p.pipelines, b.pipeline(r))
	}
	p.router = newRouter(p.pipelines)
}

func (b *builder) pipeline(r *config.Route) *pipeline {
	u := b.plan.upstreams[r.Upstream]
	stages := b.observed(b.stages(r))
	return &pipeline{route: r, stages: stages, upstream: u, handler: middleware.Chain(b.deps.Metrics.Upstream(r.Upstream, b.plan.caps.watched(r.Upstream, u.Handle)), stages...)}
}

// observed leaves out absent stages and measures the others.
func (b *builder) observed(stages []middleware.Stage) []middleware.Stage {
	var out []middleware.Stage
	for _, s := range stages {
		if s != nil {
			out = append(out, b.deps.Metrics.Stage(s))
		}
	}
	return out
}

func (b *builder) openLog() {
	l, err := hold(b.plan.lease, "log", b.config.Log, func() (*Log, error) {
		c := b.config.Log
		if b.deps.Rehearsal && absent(c.Output) {
			return OpenLog(config.Log{Level: c.Level, Format: c.Format}, io.Discard, io.Discard)
		}
		return OpenLog(c, os.Stdout, os.Stderr)
	})
	if err == nil {
		err = l.Reopen() // a reload is how log rotation tells us
	}
	if err != nil {
		b.mistake("log.output", err)
		return
	}
	b.plan.log, b.plan.errorLog = l, l.std()
}

// absent reports whether the output of a log is a file that is not there.
func absent(output string) bool {
	switch output {
	case "", "stdout", "stderr":
		return false
	}
	_, err := os.Stat(output)
	return errors.Is(err, fs.ErrNotExist)
}

func (b *builder) openTracing() {
	t, err := hold(b.plan.lease, "tracing", b.config.Tracing, func() (*telemetry.Tracing, error) {
		return telemetry.OpenTracing(b.ctx, b.config.Tracing)
	})
	if err != nil {
		b.mistake("tracing.otlp", err)
		return
	}
	b.plan.tracing = t
}

func (b *builder) openListeners() {
	issued := b.openACME()
	for name, l := range b.config.Listeners {
		if l.TLS == nil {
			continue
		}
		if l.TLS.ACME != nil && len(issued[name]) == 0 && len(l.TLS.Certificates) == 0 {
			continue // what is wrong with acme is told already
		}
		s, err := certs.Open(l.TLS, issued[name]...)
		if err != nil {
			b.tlsMistakes("listeners."+name+".tls", err)
			continue
		}
		b.plan.tls[name] = s
	}
}

// openAdmin makes the TLS settings of the admin listener. Client certificates
// are verified where they are given, but not demanded: health and metrics stay
// open, the token stays usable.
func (b *builder) openAdmin() {
	c := b.config.Admin
	if len(c.Certificates) == 0 {
		return
	}
	s, err := certs.OpenAsking(&config.TLS{Certificates: c.Certificates, ClientCA: c.ClientCA})
	if err != nil {
		b.tlsMistakes("admin", err)
		return
	}
	b.plan.adminTLS = s
}

// tlsMistakes reports each file that is wrong where it is configured.
func (b *builder) tlsMistakes(path string, err error) {
	var list certs.FileErrors
	var one *certs.FileError
	switch {
	case errors.As(err, &list):
	case errors.As(err, &one):
		list = certs.FileErrors{one}
	default:
		b.mistake(path, err)
	}
	for _, f := range list {
		at := path
		if f.Field != "" {
			at += "." + f.Field
		}
		b.mistake(at, f)
	}
}

func (b *builder) openIssuers() {
	b.issuers = map[string]*authn.Issuer{}
	formers, err := hold(b.plan.lease, "formers", nil, func() (*authn.Formers, error) { return &authn.Formers{}, nil })
	if err != nil {
		b.mistake("issuers", err)
		return
	}
	folder := b.config.Store.Folder
	if b.deps.Rehearsal {
		folder = "" // it belongs to whoever serves
	}
	for name, c := range b.config.Issuers {
		// The content of a key file belongs to the key: a changed file is
		// another issuer.
		settings := struct {
			Name    string
			Issuer  config.Issuer
			Secret  string
			Content string
			Folder  string
		}{name, *c, secretsDigest(c), fileDigest(c.JWKSFile) + fileDigest(c.CA), folder}
		i, err := hold(b.plan.lease, "issuer", settings, func() (*authn.Issuer, error) {
			i, err := authn.Open(b.ctx, name, c, folder)
			if err == nil {
				formers.Follow(i)
			}
			return i, err
		})
		if err != nil {
			b.mistake("issuers."+name, err)
			continue
		}
		b.issuers[name] = i
	}
}

// secretsDigest identifies the secrets of an issuer, which settings do not show.
func secretsDigest(c *config.Issuer) string {
	d := digest([]byte(c.Secret.Reveal()))
	if c.Introspection != nil {
		d += digest([]byte(c.Introspection.ClientSecret.Reveal()))
	}
	return d
}

func (b *builder) openUpstreams() {
	for name, c := range b.config.Upstreams {
		settings := struct {
			Name     string
			Upstream config.Upstream
			Content  string
		}{name, *c, fileDigest(c.CA)}
		settings.Upstream.Concurrency = nil // connections have no part in it
		if pair := c.ClientCertificate; pair != nil {
			settings.Content += fileDigest(pair.Cert) + fileDigest(pair.Key)
		}
		u, err := hold(b.plan.lease, "upstream", settings, func() (*upstream.Upstream, error) {
			return upstream.Open(c, b.config.Timeouts.Drain.D())
		})
		if err != nil {
			b.tlsMistakes("upstreams."+name, err)
			continue
		}
		b.plan.upstreams[name] = u
	}
}
