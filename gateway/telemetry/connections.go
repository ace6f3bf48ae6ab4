package telemetry

import "github.com/prometheus/client_golang/prometheus"

// connections counts what happens below HTTP.
type connections struct {
	open    *prometheus.GaugeVec
	refused *prometheus.CounterVec
}

func (m *Metrics) newConnections() connections {
	open := prometheus.NewGaugeVec(prometheus.GaugeOpts{
		Namespace: namespace, Name: "connections_open", Help: "Connections that a listener has open.",
	}, []string{"listener"})
	m.registry.MustRegister(open)
	return connections{open, m.counters("connections_refused_total", "Connections that were closed without being served, by why.", "listener", "reason")}
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
