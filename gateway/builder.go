package gateway

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"

	"github.com/gatehouse-dev/gatehouse/certs"
	"github.com/gatehouse-dev/gatehouse/config"
	"github.com/gatehouse-dev/gatehouse/gateway/edge"
	"github.com/gatehouse-dev/gatehouse/gateway/telemetry"
	"github.com/gatehouse-dev/gatehouse/gateway/upstream"
	"github.com/gatehouse-dev/gatehouse/middleware"
	"github.com/gatehouse-dev/gatehouse/middleware/authn"
	"github.com/gatehouse-dev/gatehouse/middleware/authz"
	"github.com/gatehouse-dev/gatehouse/middleware/guard"
	"github.com/gatehouse-dev/gatehouse/middleware/mask"
	"github.com/gatehouse-dev/gatehouse/middleware/orders"
	"github.com/gatehouse-dev/gatehouse/middleware/ratelimit"
	"github.com/gatehouse-dev/gatehouse/middleware/sanitize"
	"github.com/gatehouse-dev/gatehouse/middleware/session"
	"github.com/gatehouse-dev/gatehouse/middleware/store"
	"github.com/gatehouse-dev/gatehouse/middleware/upload"
	"github.com/gatehouse-dev/gatehouse/policies"
	"github.com/gatehouse-dev/gatehouse/policies/opa"
	"github.com/gatehouse-dev/gatehouse/policies/opa/bundle"
)

// maxSessions bounds the sessions that are remembered in memory.
const maxSessions = 200_000

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
			return upstream.Open(c)
		})
		if err != nil {
			b.tlsMistakes("upstreams."+name, err)
			continue
		}
		b.plan.upstreams[name] = u
	}
}

// redisDigest identifies what the settings of a Redis do not show.
func redisDigest(r *config.Redis) string {
	if r == nil {
		return ""
	}
	return digest([]byte(r.Password.Reveal())) + fileDigest(r.CA)
}

// openState opens what counts and remembers across requests.
func (b *builder) openState() {
	password := redisDigest(b.config.Store.Redis)
	var err error
	b.plan.redis, err = hold(b.plan.lease, "redis"+password, b.config.Store.Redis, func() (*store.Redis, error) {
		return store.Open(b.config.Store.Redis)
	})
	if err != nil {
		b.mistake("store.redis", err)
		return
	}
	b.store, err = hold(b.plan.lease, "limits"+password, b.config.Store.Redis, func() (*ratelimit.Store, error) {
		s := ratelimit.NewStore(b.plan.redis)
		if !b.deps.Rehearsal { // who only checks is no replica
			s.Announce()
		}
		return s, nil
	})
	if err != nil {
		b.mistake("rate_limits", err)
		return
	}
	b.plan.counts = b.store
	b.openOrders()
	b.openAlerts()
	b.limits = map[string]*ratelimit.Rule{}
	for _, name := range slices.Sorted(maps.Keys(b.config.RateLimits)) {
		rule, err := ratelimit.Open(name, b.config.RateLimits[name], b.store)
		if err != nil {
			b.mistake("rate_limits."+name, err)
			continue
		}
		b.limits[name] = rule.Telling(b.config.RateLimitHeaders)
		b.plan.limits = append(b.plan.limits, rule)
	}
	b.openGuard()
	b.plan.recent, err = hold(b.plan.lease, "recent", nil, func() (*recent, error) { return newRecent(), nil })
	if err != nil {
		b.mistake("policies", err)
	}
	b.proofs, err = hold(b.plan.lease, "proofs"+password, b.config.Store.Redis, func() (*authn.Proofs, error) {
		return authn.NewProofs(b.plan.redis), nil
	})
	if err != nil {
		b.mistake("store.redis", err)
	}
	b.sessions, err = hold(b.plan.lease, "sessions"+password, b.config.Store.Redis, func() (*session.Store, error) {
		return session.NewStore(maxSessions, b.plan.redis), nil
	})
	if err != nil {
		b.mistake("routes", err)
	}
}

// openOrders opens the Book, which all plans share: what was ordered must not be
// forgotten by a reload. A plan that begins to serve says how it is kept from
// then on.
func (b *builder) openOrders() {
	s := orders.Settings{Keep: b.config.Revocation.Keep.D(), Closed: b.config.Revocation.OnStoreError == "closed"}
	if f := b.config.Store.Folder; f != "" {
		s.File = filepath.Join(f, "orders.json")
	}
	book, err := hold(b.plan.lease, "orders", nil, func() (*orders.Book, error) {
		if b.deps.Rehearsal { // the file belongs to whoever serves
			return orders.Rehearse(s)
		}
		return orders.Open(s, b.plan.redis)
	})
	if err != nil {
		b.mistake("store.folder", err)
		return
	}
	b.plan.orders, b.plan.kept = book, s
}

// openSpool takes the room that plans before have left: files of theirs may still
// be on their way.
func (b *builder) openSpool() {
	s, err := hold(b.plan.lease, "spool", b.config.Spool, func() (*middleware.Spool, error) {
		return middleware.NewSpool(b.config.Spool.Folder, int64(b.config.Spool.Bytes)), nil
	})
	if err == nil && slices.ContainsFunc(b.config.Routes, func(r *config.Route) bool { return r.Upload != nil }) {
		if err = s.Try(); err != nil {
			err = fmt.Errorf("no file of an upload can be kept; mount a folder, or set folder: %w", err)
		}
	}
	if err != nil {
		b.mistake("spool", err)
		return
	}
	b.plan.spool = s
}

func (b *builder) rules(r *config.Route) []*ratelimit.Rule {
	var out []*ratelimit.Rule
	for _, name := range r.RateLimits {
		out = append(out, b.limits[name])
	}
	return out
}

func (b *builder) sanitize(r *config.Route) middleware.Stage {
	s, err := sanitize.New(r.Sanitize)
	if err != nil {
		b.mistake(routePath(b.config, r)+".sanitize", err)
	}
	return s
}

func (b *builder) upload(r *config.Route) middleware.Stage {
	var scan upload.Scanner
	if r.Upload != nil && r.Upload.Scan {
		scan = upload.Clamd(b.config.Scanner)
	}
	s, err := upload.New(r.Upload, scan)
	if err != nil {
		b.mistake(routePath(b.config, r)+".upload.extensions", err)
	}
	return s
}

func (b *builder) authz(r *config.Route) middleware.Stage {
	policy := b.asked(r)
	s := authz.New(policy, b.witness(r.Policy.Body && !policy.Body), b.config.Policies.Headers, slices.Sorted(maps.Keys(b.config.Masking.Keys)))
	if e, ok := b.decider.(*opa.Engine); ok && e.Ages(r.Name) {
		return authz.Fleeting(s)
	}
	return s
}

// asked is what of a request the policies are shown: no body that they cannot
// read on the route, unless others are asked the same and may read more. Headers
// they are shown all, for a decision may name one that no rule reads.
func (b *builder) asked(r *config.Route) config.Policy {
	policy := r.Policy
	if e, ok := b.decider.(*opa.Engine); ok && b.plan.shadow == nil && b.decisions == nil {
		body, _ := e.Reads(r.Name)
		policy.Body = policy.Body && body
	}
	return policy
}

// mask is on every route whose policy decides: which fields are masked is not
// known before.
func (b *builder) mask(r *config.Route) middleware.Stage {
	if r.Policy.Off {
		return nil
	}
	s, err := mask.New(b.config.Masking, r)
	if err != nil {
		b.mistake("masking", err)
		return nil
	}
	if b.config.Guard.DataVolume == nil {
		return s
	}
	if s, err = mask.Counting(s, b.sensitive(r)); err != nil {
		b.mistake("guard.data_volume", err)
	}
	return s
}

// sensitive gives the paths of what is masked for somebody on a route.
func (b *builder) sensitive(r *config.Route) []string {
	e, ok := b.decider.(*opa.Engine)
	if !ok {
		return nil
	}
	return e.MaskedPaths(b.ctx, probeOf(r))
}

func routePath(c *config.Config, r *config.Route) string {
	for i, other := range c.Routes {
		if other == r {
			return fmt.Sprintf("routes[%d]", i)
		}
	}
	return "routes"
}
