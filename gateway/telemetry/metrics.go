// Package telemetry counts, times and traces what the gateway does: Prometheus
// metrics on a registry of their own ([Metrics]) and OpenTelemetry spans
// ([Tracing]). Nothing here is global, and nothing here may slow down or fail
// an exchange.
//
// # Labels
//
// A label's values come from the configuration or from a closed list, never
// from a client: routes, upstreams, rate limits and stages by name, methods and
// statuses folded to the known ones, codes to the stable ones ("policy" for a
// policy's own), classes of masked values to the first of them. Whatever a client sends, the number of time series stays what
// the configuration makes it. What belongs to no route is counted under "none".
package telemetry

import (
	"net/http"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/gatehouse-dev/gatehouse/middleware"
)

// Metrics are the gateway's metrics. They outlive plans: counters go on over a
// reload. All methods may be called from many goroutines.
type Metrics struct {
	registry *prometheus.Registry
	codes    map[string]bool // the stable ones; read-only

	requests        *prometheus.CounterVec
	seconds         *prometheus.HistogramVec
	responseBytes   *prometheus.CounterVec
	inFlight        prometheus.Gauge
	stageSeconds    *durations
	upstreamSeconds *prometheus.HistogramVec
	refusals        *prometheus.CounterVec
	findings        *prometheus.CounterVec
	masked          *prometheus.CounterVec
	hidden          *prometheus.CounterVec
	rowsDropped     *prometheus.CounterVec
	unclassified    *prometheus.CounterVec
	cut             *prometheus.CounterVec
	limitStore      *prometheus.CounterVec
	recordsLost     *prometheus.CounterVec
	shadow          *prometheus.CounterVec
	reloads         *prometheus.CounterVec
	reloadOK        prometheus.Gauge
	reloadTime      prometheus.Gauge
	panics          prometheus.Counter
	ended           *prometheus.CounterVec
	orders          *prometheus.CounterVec
	guard           *prometheus.CounterVec
	alerts          *prometheus.CounterVec

	made        time.Time
	routes      routes
	connections connections
	classes     classes
	drift       drift
}

// New makes the metrics, with those of the Go runtime, the process and the
// build.
func New() *Metrics {
	m := &Metrics{made: time.Now(), registry: prometheus.NewRegistry(), codes: map[string]bool{}}
	for _, c := range middleware.Codes() {
		m.codes[string(c.Code)] = true
	}
	requestBuckets := []float64{.0005, .001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10, 30, 60}
	stageBuckets := []float64{.000005, .00001, .000025, .00005, .0001, .00025, .0005, .001, .0025, .005, .01, .05, .25, 1}

	m.requests = m.counters("requests_total", "Requests answered.", "route", "method", "status")
	m.seconds = m.histograms("request_duration_seconds",
		"Time from the head of a request to the last byte of its answer.", requestBuckets, "route")
	m.responseBytes = m.counters("response_bytes_total", "Bytes of response bodies sent to clients.", "route")
	m.inFlight = m.gauge("requests_in_flight", "Requests that are being answered.")
	m.stageSeconds = m.durations("stage_duration_seconds",
		"Time spent in one stage of the pipeline, without what is inside of it.", stageBuckets, "stage")
	m.upstreamSeconds = m.histograms("upstream_duration_seconds",
		"Time from handing a request to an upstream to the head of its answer, or to giving up.", requestBuckets, "upstream")
	m.refusals = m.counters("refusals_total", "Requests answered by the gateway with a refusal.", "route", "stage", "code")
	m.findings = m.counters("findings_total", "Fields of requests in which something was found, by what was found or done.", "route", "kind")
	m.masked = m.counters("masked_values_total", "Values of answers that were masked, by class in the words of the policy.", "route", "class")
	m.hidden = m.counters("hidden_values_total", "Values taken out of answers because they were not exposed.", "route")
	m.unclassified = m.counters("unclassified_values_total",
		"Values of answers that look like personal data and that the policy does not know, by what they look like.", "route", "class")
	m.cut = m.counters("answers_cut_total", "Answers that were cut off because what came last could not be masked.", "route")
	m.rowsDropped = m.counters("rows_dropped_total", "Records taken out of answers by row filters.", "route")
	m.limitStore = m.counters("ratelimit_store_errors_total", "Requests for which the store of a rate limit failed.", "limit")
	m.recordsLost = m.counters("decision_records_dropped_total", "Decisions that were to go on record and did not, by what had no room for them.", "reason")
	m.shadow = m.counters("shadow_decisions_total", "Decisions handed to the policies in the shadow, by what came of it.", "route", "result")
	m.ended = m.counters("answers_ended_total", "Answers that were ended while they were open, by why.", "route", "reason")
	m.orders = m.counters("orders_total", "Revocations, lockdowns and blocks that this replica was given, by whom.", "kind", "by")
	m.guard = m.counters("guard_findings_total", "Findings of the guard's detectors, by what the configuration says about them.", "detector", "mode", "action")
	m.alerts = m.counters("alerts_total", "Events for alert sinks, by what became of them.", "sink", "outcome")
	m.connections = m.newConnections()
	m.reloads = m.counters("config_reloads_total", "Attempts to load the configuration, the first included.", "result")
	m.reloadOK = m.gauge("config_last_reload_success", "Whether the last attempt to load the configuration succeeded: 1 or 0.")
	m.reloadTime = m.gauge("config_last_reload_success_timestamp_seconds", "When the configuration in force was loaded.")
	m.panics = prometheus.NewCounter(prometheus.CounterOpts{
		Namespace: namespace, Name: "panics_total", Help: "Panics that were turned into answers; each is a fault in the gateway.",
	})
	m.registry.MustRegister(m.panics,
		collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}), collectors.NewBuildInfoCollector())
	for _, result := range []string{"success", "failure"} {
		m.reloads.WithLabelValues(result) // so that the first failure is a rate, not an appearance
	}
	return m
}

const namespace = "gatehouse"

func (m *Metrics) counters(name, help string, labels ...string) *prometheus.CounterVec {
	v := prometheus.NewCounterVec(prometheus.CounterOpts{Namespace: namespace, Name: name, Help: help}, labels)
	m.registry.MustRegister(v)
	return v
}

func (m *Metrics) histograms(name, help string, buckets []float64, labels ...string) *prometheus.HistogramVec {
	v := prometheus.NewHistogramVec(prometheus.HistogramOpts{Namespace: namespace, Name: name, Help: help, Buckets: buckets}, labels)
	m.registry.MustRegister(v)
	return v
}

func (m *Metrics) gauge(name, help string) prometheus.Gauge {
	g := prometheus.NewGauge(prometheus.GaugeOpts{Namespace: namespace, Name: name, Help: help})
	m.registry.MustRegister(g)
	return g
}

// Handler serves the metrics in the Prometheus and OpenMetrics text formats.
func (m *Metrics) Handler() http.Handler {
	return promhttp.HandlerFor(m.registry, promhttp.HandlerOpts{
		ErrorHandling: promhttp.ContinueOnError, EnableOpenMetrics: true, MaxRequestsInFlight: 4,
	})
}

// Reload counts an attempt to load the configuration, made at a time.
func (m *Metrics) Reload(ok bool, at time.Time) {
	if !ok {
		m.reloads.WithLabelValues("failure").Inc()
		m.reloadOK.Set(0)
		return
	}
	m.reloads.WithLabelValues("success").Inc()
	m.reloadOK.Set(1)
	m.reloadTime.Set(float64(at.UnixMilli()) / 1000)
}

// OrderGiven counts a revocation or lockdown, and who gave it: "admin" or
// "issuer".
func (m *Metrics) OrderGiven(kind, by string) { m.orders.WithLabelValues(kind, by).Inc() }

// GuardFinding counts a finding of one of the guard's detectors.
func (m *Metrics) GuardFinding(detector, mode, action string) {
	m.guard.WithLabelValues(detector, mode, action).Inc()
}

// Alert counts what became of an event: delivered, failed (there will be another
// attempt), dropped or damaged, by sink, and held (one event tells of many later) or
// dropped where no sink was asked yet, by none.
func (m *Metrics) Alert(sink, outcome string) { m.alerts.WithLabelValues(sink, outcome).Inc() }

// Panic counts a panic that was turned into an answer.
func (m *Metrics) Panic() { m.panics.Inc() }

// DecisionLost counts a decision that did not go on record, and why: "queue" or
// "write".
func (m *Metrics) DecisionLost(reason string) { m.recordsLost.WithLabelValues(reason).Inc() }

// Shadow counts a decision that was handed to the policies in the shadow; the
// result is same, differs, error or dropped.
func (m *Metrics) Shadow(route, result string) { m.shadow.WithLabelValues(route, result).Inc() }

// WatchTracing adds the count of spans that could not be delivered. It is
// called at most once.
func (m *Metrics) WatchTracing(lost func() int64) {
	m.registry.MustRegister(prometheus.NewCounterFunc(prometheus.CounterOpts{
		Namespace: namespace, Name: "trace_spans_lost_total", Help: "Spans that the collector did not take.",
	}, func() float64 { return float64(lost()) }))
}

// WatchCertificates adds when each certificate expires, which list tells
// whenever the metrics are read. It is called at most once.
func (m *Metrics) WatchCertificates(list func(yield func(listener, name string, expires time.Time))) {
	m.registry.MustRegister(&certificates{list, prometheus.NewDesc(namespace+"_certificate_expiry_timestamp_seconds",
		"When a certificate that the gateway shows expires.", []string{"listener", "name"}, nil)})
}

type certificates struct {
	list func(yield func(listener, name string, expires time.Time))
	desc *prometheus.Desc
}

func (c *certificates) Describe(out chan<- *prometheus.Desc) { out <- c.desc }

func (c *certificates) Collect(out chan<- prometheus.Metric) {
	c.list(func(listener, name string, expires time.Time) {
		out <- prometheus.MustNewConstMetric(c.desc, prometheus.GaugeValue, float64(expires.Unix()), listener, name)
	})
}

// WatchIssuers adds the keys of every issuer, which list tells whenever the
// metrics are read: how many can be used, and when the issuer last confirmed
// them, zero for keys that it is not asked for. It is called at most once.
func (m *Metrics) WatchIssuers(list func(yield func(issuer string, keys int, confirmed time.Time))) {
	m.registry.MustRegister(&issuers{
		list,
		prometheus.NewDesc(namespace+"_issuer_keys", "Keys of an issuer that tokens can be checked with now.", []string{"issuer"}, nil),
		prometheus.NewDesc(namespace+"_issuer_keys_age_seconds",
			"Time since an issuer last confirmed its keys. After a day without they are not used any more.", []string{"issuer"}, nil),
	})
}

type issuers struct {
	list      func(yield func(issuer string, keys int, confirmed time.Time))
	keys, age *prometheus.Desc
}

func (c *issuers) Describe(out chan<- *prometheus.Desc) {
	out <- c.keys
	out <- c.age
}

func (c *issuers) Collect(out chan<- prometheus.Metric) {
	c.list(func(issuer string, keys int, confirmed time.Time) {
		out <- prometheus.MustNewConstMetric(c.keys, prometheus.GaugeValue, float64(keys), issuer)
		if !confirmed.IsZero() {
			out <- prometheus.MustNewConstMetric(c.age, prometheus.GaugeValue, time.Since(confirmed).Seconds(), issuer)
		}
	})
}

// WatchOrders adds how many orders are in force, which count tells whenever the
// metrics are read. It is called at most once.
func (m *Metrics) WatchOrders(count func() (revocations, lockdowns, blocks int)) {
	m.registry.MustRegister(&ordersInForce{count, prometheus.NewDesc(namespace+"_orders_in_force",
		"Revocations, lockdowns and blocks in force.", []string{"kind"}, nil)})
}

type ordersInForce struct {
	count func() (revocations, lockdowns, blocks int)
	desc  *prometheus.Desc
}

func (c *ordersInForce) Describe(out chan<- *prometheus.Desc) { out <- c.desc }

func (c *ordersInForce) Collect(out chan<- prometheus.Metric) {
	revocations, lockdowns, blocks := c.count()
	out <- prometheus.MustNewConstMetric(c.desc, prometheus.GaugeValue, float64(revocations), "revocation")
	out <- prometheus.MustNewConstMetric(c.desc, prometheus.GaugeValue, float64(lockdowns), "lockdown")
	out <- prometheus.MustNewConstMetric(c.desc, prometheus.GaugeValue, float64(blocks), "block")
}

// Memo is what has been counted about remembered decisions.
type Memo struct {
	Hits, Misses, Bypassed, Evictions, Audits, Mismatches uint64
}

// WatchMemo adds the counts of remembered decisions, which read tells whenever
// the metrics are read. They begin anew with other policies, as counters may. It
// is called at most once.
func (m *Metrics) WatchMemo(read func() Memo) {
	m.registry.MustRegister(&memos{read, map[string]*prometheus.Desc{
		"result": prometheus.NewDesc(namespace+"_policy_memo_total",
			"Decisions by how they came about: hit (remembered), miss (evaluated and remembered) or bypass (evaluated only).", []string{"result"}, nil),
		"evictions":  memoDesc("evictions", "Decisions that were forgotten for want of room."),
		"audits":     memoDesc("audits", "Remembered decisions that were evaluated nevertheless."),
		"mismatches": memoDesc("mismatches", "Remembered decisions that evaluation did not confirm. Each is a fault in the gateway, and ends remembering."),
	}})
}

func memoDesc(name, help string) *prometheus.Desc {
	return prometheus.NewDesc(namespace+"_policy_memo_"+name+"_total", help, nil, nil)
}

type memos struct {
	read func() Memo
	desc map[string]*prometheus.Desc
}

func (c *memos) Describe(out chan<- *prometheus.Desc) {
	for _, d := range c.desc {
		out <- d
	}
}

func (c *memos) Collect(out chan<- prometheus.Metric) {
	n := c.read()
	count := func(name string, n uint64, labels ...string) {
		out <- prometheus.MustNewConstMetric(c.desc[name], prometheus.CounterValue, float64(n), labels...)
	}
	count("result", n.Hits, "hit")
	count("result", n.Misses, "miss")
	count("result", n.Bypassed, "bypass")
	count("evictions", n.Evictions)
	count("audits", n.Audits)
	count("mismatches", n.Mismatches)
}
