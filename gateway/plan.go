package gateway

import (
	"cmp"
	"context"
	"log"
	"net"
	"slices"
	"sort"
	"strings"
	"sync/atomic"
	"time"

	"github.com/gatehouse-dev/gatehouse/certs"
	"github.com/gatehouse-dev/gatehouse/certs/acme"
	"github.com/gatehouse-dev/gatehouse/config"
	"github.com/gatehouse-dev/gatehouse/gateway/edge"
	"github.com/gatehouse-dev/gatehouse/gateway/telemetry"
	"github.com/gatehouse-dev/gatehouse/gateway/upstream"
	"github.com/gatehouse-dev/gatehouse/middleware"
	"github.com/gatehouse-dev/gatehouse/middleware/alert"
	"github.com/gatehouse-dev/gatehouse/middleware/authn"
	"github.com/gatehouse-dev/gatehouse/middleware/guard"
	"github.com/gatehouse-dev/gatehouse/middleware/orders"
	"github.com/gatehouse-dev/gatehouse/middleware/ratelimit"
	"github.com/gatehouse-dev/gatehouse/middleware/store"
	"github.com/gatehouse-dev/gatehouse/policies"
	"github.com/gatehouse-dev/gatehouse/policies/opa"
	"github.com/gatehouse-dev/gatehouse/policies/opa/bundle"
)

// Plan is a configuration compiled into what serves requests. It is immutable.
type Plan struct {
	config    *config.Config
	sources   string // of the config, before anything was made of them
	router    *router
	pipelines []*pipeline
	bare      []middleware.Stage
	door      *edge.Door
	tls       map[string]*certs.Server // of the listeners that speak TLS
	adminTLS  *certs.Server
	acme      []*acme.Client      // accounts with authorities, each once
	issued    []*acme.Certificate // what they are asked for
	decider   policies.Decider
	bundle    *bundle.Source // nil where the policies come from folders
	stale     error          // why the last good bundle decides, nil where the source's does
	shadow    *shadow        // nil where no other policies are judged
	shadowErr error          // why they are not
	recent    *recent        // outlives the plan
	issuers   map[string]*authn.Issuer
	logout    map[string]*logout // where issuers post logout tokens, by path
	upstreams map[string]*upstream.Upstream
	caps      caps
	redis     *store.Redis      // nil where replicas share nothing
	orders    *orders.Book      // outlives the plan
	kept      orders.Settings   // how, as far as the plan has a say
	counts    *ratelimit.Store  // outlives the plan
	limits    []*ratelimit.Rule // by name
	guardKey  *guard.Key
	alerts    *alerts         // outlives the plan
	sinks     *alert.Settings // of it, as far as the plan has a say
	memory    *middleware.Budget
	spool     *middleware.Spool
	log       *Log
	errorLog  *log.Logger
	tracing   *telemetry.Tracing
	httpsPort string // ":8443", or "" for the usual one

	refs  atomic.Int64 // requests in flight, and one for the gateway
	lease *lease
}

// pipeline is a route with its list of stages.
type pipeline struct {
	route    *config.Route
	names    []string // of the {id} segments of its path; nil without any
	stages   []middleware.Stage
	upstream *upstream.Upstream
	handler  middleware.Handler
}

// Compile turns a configuration into a plan. All validation that needs
// construction happens here: certificates, key sets, policies. The error is
// config.Mistakes. The caller owns the plan until it hands it to a [Gateway].
func Compile(ctx context.Context, c *config.Config, d *Deps) (*Plan, error) {
	p := &Plan{
		config: c, sources: sources(c), tls: map[string]*certs.Server{}, issuers: map[string]*authn.Issuer{}, upstreams: map[string]*upstream.Upstream{},
		lease: &lease{from: &d.Shared}, memory: middleware.NewBudget(int64(c.Limits.BodyMemory)),
	}
	p.refs.Store(1)
	b := &builder{ctx: ctx, config: c, deps: d, plan: p}
	b.build()
	if len(b.mistakes) == 0 {
		b.acceptBundle()
	}
	if len(b.mistakes) > 0 {
		p.leave()
		slices.SortStableFunc(b.mistakes, func(m, n config.Mistake) int {
			return cmp.Or(cmp.Compare(m.File, n.File), cmp.Compare(m.Line, n.Line), cmp.Compare(m.Column, n.Column))
		})
		return nil, b.mistakes
	}
	return p, nil
}

// Config is what the plan was made from.
func (p *Plan) Config() *config.Config { return p.config }

// Logger is the log that the plan writes to.
func (p *Plan) Logger() *Log { return p.log }

// AdminTLS gives the TLS settings of the admin listener, nil for a plain one.
func (p *Plan) AdminTLS() *certs.Server { return p.adminTLS }

// Revision identifies the policies that decide; "" without any.
func (p *Plan) Revision() string {
	if p.decider == nil {
		return ""
	}
	return p.decider.Revision()
}

// Warnings lists what the policies do and may not be meant to.
func (p *Plan) Warnings() config.Mistakes {
	var out config.Mistakes
	if e, ok := p.decider.(*opa.Engine); ok {
		for _, w := range e.Warnings() {
			out = append(out, config.Mistake(w))
		}
	}
	return out
}

// enter counts a request in; it fails where the plan has been given up.
func (p *Plan) enter() bool {
	for {
		n := p.refs.Load()
		if n == 0 {
			return false
		}
		if p.refs.CompareAndSwap(n, n+1) {
			return true
		}
	}
}

// leave counts a request out. The last one closes what the plan held.
func (p *Plan) leave() {
	if p.last() {
		p.lease.release()
	}
}

// last counts a request out, and reports whether what the plan held is to be
// closed now.
func (p *Plan) last() bool { return p.refs.Add(-1) == 0 }

// Close gives up a plan that was never handed to a gateway.
func (p *Plan) Close() { p.leave() }

// Condition is one thing that readiness depends on.
type Condition struct {
	Name   string `json:"name"`
	OK     bool   `json:"ok"`
	Detail string `json:"detail,omitempty"`
}

// Conditions tells what the plan needs from others and whether it is there. A
// shared store that fails is told and makes nothing unready: each limit has its
// own way to go on, and of sessions, proofs and orders holds what is known here.
func (p *Plan) Conditions(ctx context.Context) []Condition {
	var out []Condition
	if p.config.Store.Redis != nil {
		c := Condition{Name: "store", OK: true}
		if err := p.redis.Ready(ctx); err != nil {
			c.Detail = "fails, so rate limits and revocation do what their on_store_error says, and of sessions and DPoP proofs this replica goes by what it knows: " + err.Error()
		} else if err := p.counts.Trouble(); err != nil {
			c.Detail = "does not count, so rate limits do what their on_store_error says: " + err.Error()
		}
		out = append(out, c)
	}
	if p.redis != nil || p.kept.File != "" {
		c := Condition{Name: "revocations", OK: true}
		if err := p.orders.Trouble(); err != nil {
			c.Detail = strings.ReplaceAll(err.Error(), "\n", "; ")
		}
		out = append(out, c)
	}
	if err := p.guardKey.Trouble(); err != nil { // blocks on usernames hold here
		out = append(out, Condition{Name: "guard", OK: true, Detail: strings.ReplaceAll(err.Error(), "\n", "; ")})
	}
	if p.bundle != nil {
		c := Condition{Name: "policies", OK: true} // there are some, or there were no plan
		if p.stale != nil {
			c.Detail = "the last good bundle decides: " + p.stale.Error()
		} else if err := p.bundle.Err(); err != nil {
			c.Detail = "newer ones cannot be asked for: " + err.Error()
		}
		out = append(out, c)
	}
	if c := p.config.Alerts; len(c.Webhook)+len(c.Slack)+len(c.Syslog) > 0 {
		out = append(out, p.alerting())
	}
	for name, i := range p.issuers {
		c := Condition{Name: "issuer/" + name, OK: true, Detail: i.Detail()}
		if err := i.Ready(); err != nil {
			c.OK, c.Detail = false, strings.TrimSuffix(err.Error()+"; "+c.Detail, "; ")
		}
		out = append(out, c)
	}
	out = append(out, p.expiring(time.Now())...)
	out = append(out, p.issuing(time.Now())...)
	out = append(out, p.breaking()...)
	sort.Slice(out, func(i, j int) bool { return out[i].Name < out[j].Name })
	return out
}

// redirectPort gives the port that a redirect to https names, "" for the usual
// one, which goes before any other.
func redirectPort(c *config.Config) string {
	var ports []string
	for _, l := range c.Listeners {
		if l.TLS == nil {
			continue
		}
		if _, port, err := net.SplitHostPort(l.Address); err == nil {
			ports = append(ports, port)
		}
	}
	if len(ports) == 0 || slices.Contains(ports, "443") {
		return ""
	}
	return ":" + slices.Min(ports)
}
