package gateway

import (
	"crypto/tls"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/gatehouse-dev/gatehouse/certs"
	"github.com/gatehouse-dev/gatehouse/certs/acme"
	"github.com/gatehouse-dev/gatehouse/config"
	"github.com/gatehouse-dev/gatehouse/middleware"
	"github.com/gatehouse-dev/gatehouse/middleware/overload"
)

// openACME makes what obtains certificates, one for each account and one for
// each name, which a reload hands on where their settings stay. Nobody is asked
// for anything before the plan serves. It gives the certificates of each
// listener.
func (b *builder) openACME() map[string][]certs.Issued {
	type account struct {
		ACME config.ACME
		CA   string
		Log  config.Log // where it tells what it does
	}
	clients, settings := map[string]*acme.Client{}, map[string]account{}
	for name, l := range b.config.Listeners {
		if l.TLS == nil || l.TLS.ACME == nil || b.plan.log == nil {
			continue
		}
		c := *l.TLS.ACME
		c.Domains = nil
		settings[name] = account{c, fileDigest(c.CA), b.config.Log}
		client, err := hold(b.plan.lease, "acme", settings[name], func() (*acme.Client, error) {
			return acme.Open(&c, b.plan.log.Logger)
		})
		if err != nil {
			b.tlsMistakes("listeners."+name+".tls.acme", err)
			continue
		}
		clients[name] = client
		if !slices.Contains(b.plan.acme, client) {
			b.plan.acme = append(b.plan.acme, client)
		}
	}
	// After all accounts: what is opened last is closed first.
	out := map[string][]certs.Issued{}
	for name, client := range clients {
		for _, domain := range b.config.Listeners[name].TLS.ACME.Domains {
			key := struct {
				Account account
				Domain  string
			}{settings[name], domain}
			c, err := hold(b.plan.lease, "acme certificate", key, func() (*acme.Certificate, error) {
				return client.Manage(domain), nil
			})
			if err != nil {
				b.mistake("listeners."+name+".tls.acme.domains", err)
				continue
			}
			b.plan.issued = append(b.plan.issued, c)
			out[name] = append(out[name], c)
		}
	}
	return out
}

// begin starts what only a plan that serves may do.
func (p *Plan) begin() {
	for _, c := range p.issued {
		c.Start()
	}
	p.orders.Use(p.kept, p.redis)
	p.caps.each((*overload.Cap).Use)
	p.alerts.Use(*p.sinks)
}

// proof gives the settings of a handshake with which an authority looks whether
// a name is served here, nil for all others.
func (p *Plan) proof(hello *tls.ClientHelloInfo) *tls.Config {
	for _, c := range p.acme {
		if t := c.TLSALPN01(hello); t != nil {
			return t
		}
	}
	return nil
}

// issuing tells of names that have no certificate yet or whose renewal fails.
// They make nothing unready: where readiness decides who gets connections, an
// authority could not get through to prove the name, and it would stay so.
func (p *Plan) issuing(now time.Time) []Condition {
	var out []Condition
	for _, c := range p.issued {
		at := Condition{Name: "acme/" + c.Name(), OK: true}
		cert, err := c.TLS(), c.Err()
		switch {
		case cert == nil && err != nil:
			at.Detail = fmt.Sprintf("there is no certificate yet: %v", err)
		case cert == nil:
			at.Detail = "there is no certificate yet"
		case err != nil && now.After(cert.Leaf.NotAfter):
			at.Detail = fmt.Sprintf("the certificate has expired, and is not renewed: %v", err)
		case err != nil:
			at.Detail = fmt.Sprintf("the certificate, good until %s, is not renewed: %v", cert.Leaf.NotAfter.UTC().Format(time.RFC3339), err)
		}
		if !slices.Contains(out, at) {
			out = append(out, at)
		}
	}
	return out
}

// challengePath is where an authority looks for a proof (RFC 8555, section 8.3).
const challengePath = "/.well-known/acme-challenge/"

// challenge gives the handler of a request by which an authority looks whether a
// name is served here. It is nil for everything else, an unknown token included,
// which is answered as if there were no such thing.
func (p *Plan) challenge(s *passage, r *http.Request) middleware.Handler {
	token, ok := strings.CutPrefix(s.x.Path, challengePath)
	if !ok || len(p.acme) == 0 || r.Method != http.MethodGet || token == "" || r.RequestURI != challengePath+token {
		return nil
	}
	for _, c := range p.acme {
		if proof, ok := c.HTTP01(s.x.Host, token); ok {
			return func(x *middleware.Exchange) (*http.Response, error) {
				return &http.Response{
					StatusCode: http.StatusOK, Status: "200 OK", Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
					Header: http.Header{
						"Content-Type": {"application/octet-stream"}, "Cache-Control": {"no-store"},
						"Content-Length": {strconv.Itoa(len(proof))},
					},
					ContentLength: int64(len(proof)), Body: io.NopCloser(strings.NewReader(proof)), Request: x.Request,
				}, nil
			}
		}
	}
	return nil
}
