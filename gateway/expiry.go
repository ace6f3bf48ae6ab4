package gateway

import (
	"fmt"
	"strings"
	"time"

	"github.com/gatehouse-dev/gatehouse/certs"
)

// expirySoon is how long before its end a certificate is told of. Those that
// live for ninety days are usually renewed a month before.
const expirySoon = 14 * 24 * time.Hour

// shown is what the gateway shows in one place.
type shown struct {
	place        string // a listener, "admin", or "upstream/" and a name
	listener     bool
	certificates []certs.Certificate
}

func (p *Plan) shown() []shown {
	var out []shown
	for name, s := range p.tls {
		out = append(out, shown{name, true, s.Certificates()})
	}
	if p.adminTLS != nil {
		out = append(out, shown{"admin", false, p.adminTLS.Certificates()})
	}
	for name, u := range p.upstreams {
		if c, ok := u.Certificate(); ok {
			out = append(out, shown{"upstream/" + name, false, []certs.Certificate{c}})
		}
	}
	return out
}

// expiries gives when each certificate ends. Of several with one name in one
// place, such as an ECDSA and an RSA one, that is when the first of them does.
func (p *Plan) expiries(yield func(place, name string, at time.Time)) {
	type key struct{ place, name string }
	first := map[key]time.Time{}
	for _, s := range p.shown() {
		for _, c := range s.certificates {
			k := key{s.place, c.Name}
			if at, ok := first[k]; !ok || c.NotAfter.Before(at) {
				first[k] = c.NotAfter
			}
		}
	}
	for k, at := range first {
		yield(k.place, k.name, at)
	}
}

// expiring tells of the places that show a certificate which ends soon or has
// ended. One that ends while the gateway runs is shown on: a client that
// verifies it says so better than a closed door would, and other names are
// served. A listener is unready when all that it shows has ended, for then no
// client that verifies can use it. Of certificates that are renewed by
// themselves nothing is told before they end, and they make nothing unready:
// see [Plan.issuing].
func (p *Plan) expiring(now time.Time) []Condition {
	var out []Condition
	for _, s := range p.shown() {
		var told []string
		good := 0
		for _, c := range s.certificates {
			left := c.NotAfter.Sub(now)
			if left > 0 || c.Issued {
				good++
			}
			switch on := c.NotAfter.UTC().Format(time.RFC3339); {
			case left <= 0:
				told = append(told, fmt.Sprintf("the certificate for %s expired on %s", c.Name, on))
			case left <= expirySoon && !c.Issued:
				told = append(told, fmt.Sprintf("the certificate for %s expires on %s", c.Name, on))
			}
		}
		if len(told) > 0 {
			out = append(out, Condition{Name: "certificate/" + s.place, OK: good > 0 || !s.listener, Detail: strings.Join(told, "; ")})
		}
	}
	return out
}
