package telemetry

import (
	"strconv"

	"github.com/prometheus/client_golang/prometheus"
)

// connections counts what happens below HTTP.
type connections struct {
	open     *prometheus.GaugeVec
	upgraded *prometheus.GaugeVec
	refused  *prometheus.CounterVec
	unread   *prometheus.CounterVec
}

func (m *Metrics) newConnections() connections {
	open := prometheus.NewGaugeVec(prometheus.GaugeOpts{
		Namespace: namespace, Name: "connections_open", Help: "Connections that a listener has open.",
	}, []string{"listener"})
	upgraded := prometheus.NewGaugeVec(prometheus.GaugeOpts{
		Namespace: namespace, Name: "connections_upgraded", Help: "Connections of a listener that have become WebSockets and are open.",
	}, []string{"listener"})
	m.registry.MustRegister(open, upgraded)
	return connections{
		open, upgraded,
		m.counters("connections_refused_total", "Connections that were closed without being served, by why.", "listener", "reason"),
		m.counters("heads_refused_total", "Heads that the server refused by itself, since they are those of no request, by the status it answered.", "listener", "status"),
	}
}

// Upgraded counts a connection that has become a WebSocket, until what it gives is
// called.
func (m *Metrics) Upgraded(listener string) (over func()) {
	g := m.connections.upgraded.WithLabelValues(listener)
	g.Inc()
	return g.Dec
}

// Unread gives what counts heads that a listener could not make a request of, by the
// status that the server has answered, which is one of few.
func (m *Metrics) Unread(listener string) func(status int) {
	return func(status int) { m.connections.unread.WithLabelValues(listener, strconv.Itoa(status)).Inc() }
}

// Connections counts the connections of one listener.
type Connections struct {
	open    prometheus.Gauge
	refused map[string]prometheus.Counter // read-only
}

// Connections gives what counts the connections of a listener; reasons are all
// for which one may be refused.
func (m *Metrics) Connections(listener string, reasons ...string) *Connections {
	c := &Connections{m.connections.open.WithLabelValues(listener), map[string]prometheus.Counter{}}
	for _, r := range reasons {
		c.refused[r] = m.connections.refused.WithLabelValues(listener, r)
	}
	return c
}

// Opened counts a connection that was opened.
func (c *Connections) Opened() { c.open.Inc() }

// Closed counts one that was closed.
func (c *Connections) Closed() { c.open.Dec() }

// Refused counts one that was closed without being served; the reason is one of
// those that were named at first.
func (c *Connections) Refused(reason string) {
	if n := c.refused[reason]; n != nil {
		n.Inc()
	}
}
