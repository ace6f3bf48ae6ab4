package gateway

import (
	"crypto/tls"
	"errors"

	"github.com/gatehouse-dev/gatehouse/certs"
	"github.com/gatehouse-dev/gatehouse/middleware"
)

// admit judges whether the request may come over its connection: browsers send
// requests for several hosts over one HTTP/2 connection, and others do so to
// get past what was configured for a host. It sets the exchange's Certificate,
// which is what the host's authorities vouch for today, whatever the connection
// was begun with. nil on a plain connection: there is nothing to mix up.
func (p *Plan) admit(x *middleware.Exchange, c *tls.ConnectionState) *middleware.Refusal {
	s := p.tls[x.Listener]
	if c == nil || s == nil {
		return nil
	}
	var err error
	if x.Certificate, err = s.Admit(c, x.Host); err == nil {
		return nil
	}
	r := middleware.Refuse("router", middleware.HostUnknown, "this connection is not for that host; ask again over another").With(err)
	var m *certs.Misdirected
	r.Close = errors.As(err, &m) && m.Stale
	return r
}
