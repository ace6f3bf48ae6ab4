package telemetry

import "github.com/prometheus/client_golang/prometheus"

// WatchAlerts adds what waits for each sink of alerts, which list tells whenever
// the metrics are read. It is called at most once.
func (m *Metrics) WatchAlerts(list func(yield func(sink string, events int, bytes int64))) {
	m.registry.MustRegister(&alertsWaiting{
		list,
		prometheus.NewDesc(namespace+"_alerts_waiting", "Events that wait for an alert sink.", []string{"sink"}, nil),
		prometheus.NewDesc(namespace+"_alerts_waiting_bytes", "Bytes of events that wait for an alert sink.", []string{"sink"}, nil),
	})
}

type alertsWaiting struct {
	list          func(yield func(sink string, events int, bytes int64))
	events, bytes *prometheus.Desc
}

func (c *alertsWaiting) Describe(out chan<- *prometheus.Desc) {
	out <- c.events
	out <- c.bytes
}

func (c *alertsWaiting) Collect(out chan<- prometheus.Metric) {
	c.list(func(sink string, events int, bytes int64) {
		out <- prometheus.MustNewConstMetric(c.events, prometheus.GaugeValue, float64(events), sink)
		out <- prometheus.MustNewConstMetric(c.bytes, prometheus.GaugeValue, float64(bytes), sink)
	})
}
