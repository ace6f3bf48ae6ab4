package telemetry

import "github.com/prometheus/client_golang/prometheus"

// WatchLimits adds how requests were decided by each rate limit, which list tells
// whenever the metrics are read. It is called at most once.
func (m *Metrics) WatchLimits(list func(yield func(limit, decision string, n uint64))) {
	m.registry.MustRegister(&limits{list, prometheus.NewDesc(namespace+"_ratelimit_decisions_total",
		"Requests by how a rate limit decided.", []string{"limit", "decision"}, nil)})
}

type limits struct {
	list func(yield func(limit, decision string, n uint64))
	desc *prometheus.Desc
}

func (c *limits) Describe(out chan<- *prometheus.Desc) { out <- c.desc }

func (c *limits) Collect(out chan<- prometheus.Metric) {
	c.list(func(limit, decision string, n uint64) {
		out <- prometheus.MustNewConstMetric(c.desc, prometheus.CounterValue, float64(n), limit, decision)
	})
}
