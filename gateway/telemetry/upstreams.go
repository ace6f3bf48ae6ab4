package telemetry

import "github.com/prometheus/client_golang/prometheus"

// Upstream is the state of one upstream, and what it has done beyond sending each
// request once.
type Upstream struct {
	Name        string
	Connections int64             // open now
	Retries     map[string]uint64 // tries after the first one, by why
	Withheld    uint64            // tries that its budget did not allow
	Breaker     string            // closed, half-open or open; "" where there is none
	Opened      uint64            // how many times the breaker has
	Refused     uint64            // requests that the breaker kept from it
}

// WatchUpstreams adds the state of every upstream, which list tells whenever the
// metrics are read. It is called at most once.
func (m *Metrics) WatchUpstreams(list func(yield func(Upstream))) {
	desc := func(name, help string, labels ...string) *prometheus.Desc {
		return prometheus.NewDesc(namespace+"_upstream_"+name, help, append([]string{"upstream"}, labels...), nil)
	}
	m.registry.MustRegister(&upstreams{
		list:        list,
		connections: desc("connections_open", "Connections to an upstream that are open."),
		retries:     desc("retries_total", "Tries after the first one, by what had become of the one before.", "reason"),
		withheld:    desc("retries_withheld_total", "Tries that there would have been, had the budget allowed them."),
		state:       desc("breaker_state", "Whether a circuit breaker is closed (0), half-open (1) or open (2)."),
		opened:      desc("breaker_opened_total", "How many times a circuit breaker has opened."),
		refused:     desc("breaker_refused_total", "Requests that a circuit breaker kept from an upstream."),
	})
}

type upstreams struct {
	list                                                   func(yield func(Upstream))
	connections, retries, withheld, state, opened, refused *prometheus.Desc
}

func (c *upstreams) Describe(out chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{c.connections, c.retries, c.withheld, c.state, c.opened, c.refused} {
		out <- d
	}
}

func (c *upstreams) Collect(out chan<- prometheus.Metric) {
	c.list(func(u Upstream) {
		count := func(d *prometheus.Desc, n uint64, labels ...string) {
			out <- prometheus.MustNewConstMetric(d, prometheus.CounterValue, float64(n), append([]string{u.Name}, labels...)...)
		}
		gauge := func(d *prometheus.Desc, n float64) {
			out <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, n, u.Name)
		}
		gauge(c.connections, float64(u.Connections))
		for reason, n := range u.Retries {
			count(c.retries, n, reason)
		}
		count(c.withheld, u.Withheld)
		state, there := map[string]float64{"closed": 0, "half-open": 1, "open": 2}[u.Breaker]
		if !there {
			return
		}
		gauge(c.state, state)
		count(c.opened, u.Opened)
		count(c.refused, u.Refused)
	})
}
