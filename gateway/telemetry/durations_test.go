package telemetry

import (
	"strings"
	"sync"
	"testing"
	"time"
)

// What is counted is told as a histogram of the library's tells it.
func TestDurations(t *testing.T) {
	buckets := []float64{.000005, .001, .25, 1}
	m := New()
	ours := m.durations("ours_seconds", "Times.", buckets, "stage")
	theirs := m.histograms("theirs_seconds", "Times.", buckets, "stage")
	for _, name := range []string{"a", "b"} {
		for _, took := range []time.Duration{
			0, 5 * time.Microsecond, 5*time.Microsecond + 1, time.Millisecond, 250 * time.Millisecond, 250*time.Millisecond + 1, time.Second, time.Second + 1, time.Hour,
		} {
			ours.of(name).observe(took)
			theirs.WithLabelValues(name).Observe(took.Seconds())
		}
	}
	lines := func(word string) string {
		var out []string
		for l := range strings.Lines(scrape(t, m)) {
			if strings.Contains(l, word) {
				out = append(out, strings.ReplaceAll(l, word, "x"))
			}
		}
		return strings.Join(out, "")
	}
	if got, want := lines("ours_seconds"), lines("theirs_seconds"); got != want || got == "" {
		t.Errorf("got\n%swant\n%s", got, want)
	}
}

// Nothing is lost among many who count.
func TestDurationsAtOnce(t *testing.T) {
	m := New()
	var all sync.WaitGroup
	for range 8 {
		all.Go(func() {
			for range 1000 {
				m.stageSeconds.of("s").observe(time.Millisecond)
			}
		})
	}
	scrape(t, m)
	all.Wait()
	want(t, m, `gatehouse_stage_duration_seconds_sum{stage="s"} 8`, `gatehouse_stage_duration_seconds_bucket{stage="s",le="0.001"} 8000`,
		`gatehouse_stage_duration_seconds_bucket{stage="s",le="0.0005"} 0`, `gatehouse_stage_duration_seconds_count{stage="s"} 8000`)
}
