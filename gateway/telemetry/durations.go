package telemetry

import (
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// durations are histograms of times by one label. To count a time is two additions.
// A histogram of the library's also keeps its sum in step with its counts, for which
// it takes several times as long; an exchange is counted by some twenty stages.
type durations struct {
	desc    *prometheus.Desc
	buckets []float64 // upper bounds in seconds, without the last, which has none
	kept[string, *duration]
}

// duration is one of them.
type duration struct {
	made   time.Time
	bounds []time.Duration
	counts []atomic.Uint64 // times up to each bound and above the one before, and above all
	sum    atomic.Int64    // nanoseconds
}

// durations makes and registers them.
func (m *Metrics) durations(name, help string, buckets []float64, label string) *durations {
	d := &durations{desc: prometheus.NewDesc(prometheus.BuildFQName(namespace, "", name), help, []string{label}, nil), buckets: buckets}
	m.registry.MustRegister(d)
	return d
}

// of gives the one with a value of the label.
func (d *durations) of(value string) *duration {
	return d.get(value, func() *duration {
		one := &duration{made: time.Now(), counts: make([]atomic.Uint64, len(d.buckets)+1)}
		for _, b := range d.buckets {
			one.bounds = append(one.bounds, time.Duration(b*float64(time.Second)+0.5))
		}
		return one
	})
}

// observe counts a time. Nearly all are within one of the first bounds.
func (d *duration) observe(took time.Duration) {
	i := 0
	for i < len(d.bounds) && took > d.bounds[i] {
		i++
	}
	d.counts[i].Add(1)
	d.sum.Add(int64(took))
}

// Describe is part of prometheus.Collector.
func (d *durations) Describe(out chan<- *prometheus.Desc) { out <- d.desc }

// Collect is part of prometheus.Collector. Times that are counted meanwhile may be in
// the counts and not yet in the sum.
func (d *durations) Collect(out chan<- prometheus.Metric) {
	all := d.m.Load()
	if all == nil {
		return
	}
	for value, one := range *all {
		sum, count := one.sum.Load(), uint64(0)
		buckets := make(map[float64]uint64, len(d.buckets))
		for i := range one.counts {
			count += one.counts[i].Load()
			if i < len(d.buckets) {
				buckets[d.buckets[i]] = count
			}
		}
		out <- prometheus.MustNewConstHistogramWithCreatedTimestamp(d.desc, count, time.Duration(sum).Seconds(), buckets, one.made, value)
	}
}
