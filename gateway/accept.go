package gateway

import (
	"net"
	"net/netip"
	"sync"
	"time"

	"go.uber.org/zap"

	"github.com/gatehouse-dev/gatehouse/gateway/listen"
	"github.com/gatehouse-dev/gatehouse/gateway/telemetry"
)

// tellEvery is how often at most a listener logs that it refuses connections,
// for each reason. All of them are counted.
const tellEvery = 10 * time.Second

// listen bounds the connections of a listener and reads who the client is where
// a load balancer says so, by the settings of the plan that is current when a
// client connects.
func (g *Gateway) listen(name string, inner net.Listener) net.Listener {
	var reasons []string
	for _, r := range listen.Reasons() {
		reasons = append(reasons, string(r))
	}
	return listen.New(inner, func() listen.Settings {
		c := g.Plan().config
		l := c.Listeners[name]
		return listen.Settings{
			Total: l.Connections.Total, PerAddress: l.Connections.PerAddress,
			Balancers: l.ProxyProtocol, HeaderTimeout: c.Timeouts.Header.D(),
		}
	}, &porter{Connections: g.deps.Metrics.Connections(name, reasons...), g: g, listener: name, told: map[listen.Reason]told{}})
}

// porter counts the connections of a listener and tells of those that are
// refused, though not of each one.
type porter struct {
	*telemetry.Connections
	g        *Gateway
	listener string

	mu   sync.Mutex
	told map[listen.Reason]told
}

// told is when a reason was logged last, and how many refusals were not.
type told struct {
	at     time.Time
	missed int
}

// Refused counts a refusal.
func (p *porter) Refused(why listen.Reason, from netip.Addr, err error) {
	p.Connections.Refused(string(why))
	missed, tell := p.tell(why, time.Now())
	if !tell {
		return
	}
	f := []zap.Field{zap.String("listener", p.listener), zap.String("reason", string(why)), zap.String("client", from.String())}
	if err != nil {
		f = append(f, zap.Error(err))
	}
	if missed > 0 {
		f = append(f, zap.Int("others_since", missed))
	}
	p.g.Plan().log.Warn("connection refused", f...)
}

// tell reports whether a refusal is to be logged, and how many were not since
// the last one that was.
func (p *porter) tell(why listen.Reason, now time.Time) (missed int, ok bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	t := p.told[why]
	if !t.at.IsZero() && now.Sub(t.at) < tellEvery {
		t.missed++
		p.told[why] = t
		return 0, false
	}
	p.told[why] = told{at: now}
	return t.missed, true
}
