package telemetry

import (
	"cmp"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// metric is a line of the table in ../README.md.
type metric struct{ name, labels string }

// TestReadmeListsEveryMetric holds the table of metrics against what is
// registered: every metric of ours with its labels, and nothing else.
func TestReadmeListsEveryMetric(t *testing.T) {
	text, err := os.ReadFile("../README.md")
	if err != nil {
		t.Fatal(err)
	}
	var listed []metric
	for _, m := range regexp.MustCompile("(?m)^\\| `("+namespace+"_[a-z_]+)` \\| ([a-z, ]*)\\|").FindAllSubmatch(text, -1) {
		listed = append(listed, metric{string(m[1]), strings.TrimSpace(string(m[2]))})
	}
	registered := ours()
	slices.SortFunc(listed, byName)
	for _, m := range registered {
		if !slices.Contains(listed, m) {
			t.Errorf("the README lacks %s with the labels %q", m.name, m.labels)
		}
	}
	for _, m := range listed {
		if !slices.Contains(registered, m) {
			t.Errorf("the README lists %s with the labels %q, which is not registered", m.name, m.labels)
		}
	}
}

func byName(a, b metric) int { return cmp.Compare(a.name, b.name) }

// ours lists the registered metrics that are not the libraries'. What a
// registry describes is all there can be, whether it was counted yet or not.
func ours() []metric {
	m := New()
	m.WatchTracing(func() int64 { return 0 })
	m.WatchEndpoints(func(func(Endpoint)) {})
	m.WatchUpstreams(func(func(Upstream)) {})
	m.WatchCertificates(func(func(string, string, time.Time)) {})
	m.WatchIssuers(func(func(string, int, time.Time)) {})
	m.WatchOrders(func() (int, int, int) { return 0, 0, 0 })
	m.WatchLimits(func(func(string, string, uint64)) {})
	m.WatchAlerts(func(func(string, int, int64)) {})
	m.WatchMemo(func() Memo { return Memo{} })
	m.WatchOverload(func(func(Gate)) {})
	descriptions := make(chan *prometheus.Desc)
	go func() {
		defer close(descriptions)
		m.registry.Describe(descriptions)
	}()
	shape := regexp.MustCompile(`fqName: "(` + namespace + `_[a-z_]+)".*variableLabels: \{([^}]*)\}`)
	var out []metric
	for d := range descriptions {
		if found := shape.FindStringSubmatch(d.String()); found != nil {
			out = append(out, metric{found[1], strings.ReplaceAll(found[2], ",", ", ")})
		}
	}
	slices.SortFunc(out, byName)
	return out
}
