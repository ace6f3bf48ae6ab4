package telemetry

import "github.com/prometheus/client_golang/prometheus"

// Endpoint is an endpoint of an upstream: how many of its addresses are in each
// state, and what has happened there.
type Endpoint struct {
	Upstream, URL                   string
	Well, Unwell, Ejected, Draining int
	InFlight                        int64
	Ejections                       uint64 // since the settings of the upstream changed
}

// WatchEndpoints adds the state of every endpoint, which list tells whenever the
// metrics are read. It is called at most once.
func (m *Metrics) WatchEndpoints(list func(yield func(Endpoint))) {
	desc := func(name, help string, more ...string) *prometheus.Desc {
		return prometheus.NewDesc(namespace+"_upstream_endpoint_"+name, help, append([]string{"upstream", "endpoint"}, more...), nil)
	}
	m.registry.MustRegister(&endpoints{
		list:      list,
		well:      desc("well", "Whether an endpoint of an upstream is taken to be well: 1 or 0."),
		addresses: desc("addresses", "Addresses of an endpoint, by how they are.", "state"),
		inFlight:  desc("in_flight", "Requests that are under way at an endpoint."),
		ejections: desc("ejections_total", "How often an address of an endpoint was taken out because requests to it failed."),
	})
}

// endpoints is collected when it is read, so that endpoints which a reload
// took out do not linger.
type endpoints struct {
	list                                 func(yield func(Endpoint))
	well, addresses, inFlight, ejections *prometheus.Desc
}

func (e *endpoints) Describe(out chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{e.well, e.addresses, e.inFlight, e.ejections} {
		out <- d
	}
}

func (e *endpoints) Collect(out chan<- prometheus.Metric) {
	e.list(func(one Endpoint) {
		gauge := func(d *prometheus.Desc, value float64, more ...string) {
			out <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, value, append([]string{one.Upstream, one.URL}, more...)...)
		}
		well := 0.0
		if one.Well > 0 {
			well = 1
		}
		gauge(e.well, well)
		gauge(e.inFlight, float64(one.InFlight))
		gauge(e.addresses, float64(one.Well), "well")
		gauge(e.addresses, float64(one.Unwell), "unwell")
		gauge(e.addresses, float64(one.Ejected), "ejected")
		gauge(e.addresses, float64(one.Draining), "draining")
		out <- prometheus.MustNewConstMetric(e.ejections, prometheus.CounterValue, float64(one.Ejections), one.Upstream, one.URL)
	})
}
