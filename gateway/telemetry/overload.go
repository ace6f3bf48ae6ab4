package telemetry

import "github.com/prometheus/client_golang/prometheus"

// Gate is the state of one bound of exchanges under way: of the gateway, of a
// route or of an upstream, by kind and name.
type Gate struct {
	Kind, Name               string
	InFlight, Bound, Waiting int
	Streams                  int
	Refused                  map[string]uint64 // by reason
	Waited                   uint64
}

// WatchOverload adds the state of every bound, which list tells whenever the
// metrics are read. It is called at most once.
func (m *Metrics) WatchOverload(list func(yield func(Gate))) {
	desc := func(name, help string, labels ...string) *prometheus.Desc {
		return prometheus.NewDesc(namespace+"_overload_"+name, help, append([]string{"bound", "name"}, labels...), nil)
	}
	m.registry.MustRegister(&gates{
		list:     list,
		inFlight: desc("in_flight", "Exchanges that have a place of a bound."),
		limit:    desc("limit", "Places that a bound has now."),
		waiting:  desc("waiting", "Requests that wait for a place."),
		streams:  desc("streams", "Streams that have given their place back."),
		waited:   desc("waited_total", "Requests that have waited for a place and got one."),
		refused:  desc("refused_total", "Requests that were refused for want of a place, by why.", "reason"),
	})
}

type gates struct {
	list                                               func(yield func(Gate))
	inFlight, limit, waiting, streams, waited, refused *prometheus.Desc
}

func (c *gates) Describe(out chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{c.inFlight, c.limit, c.waiting, c.streams, c.waited, c.refused} {
		out <- d
	}
}

func (c *gates) Collect(out chan<- prometheus.Metric) {
	c.list(func(g Gate) {
		name := g.Name
		if name == "" {
			name = "all"
		}
		gauge := func(d *prometheus.Desc, n int) {
			out <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, float64(n), g.Kind, name)
		}
		gauge(c.inFlight, g.InFlight)
		gauge(c.limit, g.Bound)
		gauge(c.waiting, g.Waiting)
		gauge(c.streams, g.Streams)
		out <- prometheus.MustNewConstMetric(c.waited, prometheus.CounterValue, float64(g.Waited), g.Kind, name)
		for reason, n := range g.Refused {
			out <- prometheus.MustNewConstMetric(c.refused, prometheus.CounterValue, float64(n), g.Kind, name, reason)
		}
	})
}
