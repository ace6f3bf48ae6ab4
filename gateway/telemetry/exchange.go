package telemetry

import (
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/gatehouse-dev/gatehouse/middleware"
)

// Enter counts a request that begins. Each is followed by one Leave.
func (m *Metrics) Enter() { m.inFlight.Inc() }

// Leave counts a request that is over, however it ended.
func (m *Metrics) Leave() { m.inFlight.Dec() }

// Exchange counts an exchange that is over: the status and the bytes of the
// body that were sent, and how long it took. Its refusal and the findings of
// its stages are counted from what the exchange holds.
func (m *Metrics) Exchange(x *middleware.Exchange, status int, bytes int64, took time.Duration) {
	route := "none"
	if x.Route != nil {
		route = x.Route.Name
	}
	of := m.route(route)
	of.requests(m, route, method(x.Request), status).Inc()
	of.seconds.Observe(took.Seconds())
	of.bytes.Add(float64(bytes))
	if r := x.Refusal; r != nil {
		code := r.Code
		if !m.codes[code] {
			code = "policy" // its authors may compute codes
		}
		m.refusals.WithLabelValues(route, r.Stage, code).Inc()
	}
	for _, n := range x.Notes() {
		m.note(route, n)
	}
	for _, f := range x.Masked {
		m.masked.WithLabelValues(route, m.classes.label(f.Class)).Add(max(0, float64(f.Count)))
	}
	for _, f := range x.Unclassified {
		m.unclassified.WithLabelValues(route, m.classes.label(f.Class)).Add(max(0, float64(f.Count)))
	}
	if len(x.Unclassified) > 0 {
		m.drift.add(route, x.Unclassified, x.Start)
	}
}

// note counts the findings that have a metric; the others are for the record.
func (m *Metrics) note(route string, n middleware.Note) {
	switch n.Key {
	case "sanitize_report", "sanitize_strip", "sanitize_formatting", "sanitize_ugc", "sanitize_reject",
		"sanitize_sql_injection", "sanitize_sql_unread":
		if fields, ok := n.Value.([]string); ok {
			m.findings.WithLabelValues(route, n.Key).Add(float64(len(fields)))
		}
	case "rows_dropped":
		m.rowsDropped.WithLabelValues(route).Add(number(n.Value))
	case "hidden":
		m.hidden.WithLabelValues(route).Add(number(n.Value))
	case "answer_cut":
		m.cut.WithLabelValues(route).Inc()
	case "ended":
		if reason, ok := n.Value.(string); ok {
			m.ended.WithLabelValues(route, reason).Inc()
		}
	case "ratelimit_store":
		if text, ok := n.Value.(string); ok {
			limit, _, _ := strings.Cut(text, ":")
			m.limitStore.WithLabelValues(limit).Inc()
		}
	}
}

// number is what a counter can be raised by.
func number(v any) float64 {
	switch v := v.(type) {
	case int:
		return max(0, float64(v))
	case int64:
		return max(0, float64(v))
	}
	return 0
}

// method folds the methods that are not of RFC 9110 or RFC 5789 to "other": a
// client may send any word.
func method(r *http.Request) string {
	if r == nil {
		return "other"
	}
	switch r.Method {
	case http.MethodGet, http.MethodHead, http.MethodPost, http.MethodPut, http.MethodPatch,
		http.MethodDelete, http.MethodOptions, http.MethodConnect, http.MethodTrace:
		return r.Method
	}
	return "other"
}

// statusLabel folds the statuses that have no name to their class: an upstream
// may send any number.
func statusLabel(n int) string {
	switch {
	case http.StatusText(n) != "":
		return strconv.Itoa(n)
	case n >= 100 && n < 600:
		return strconv.Itoa(n/100) + "xx"
	}
	return "other"
}
