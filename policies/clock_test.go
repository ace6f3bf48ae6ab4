package policies

import (
	"sync"
	"testing"
	"time"
)

// A clock says what Moment says, at whatever times it is asked and in whatever
// sequence.
func TestClock(t *testing.T) {
	var c Clock
	zone := time.FixedZone("", 5*60*60+45*60)
	var times []time.Time
	for _, begin := range []time.Time{
		time.Unix(0, 0), time.Unix(-1, 5), time.Unix(-3600, 0), time.Date(1969, 1, 1, 0, 30, 0, 0, zone),
		time.Date(2026, 11, 22, 22, 59, 59, 999_999_999, time.UTC), time.Date(2024, 2, 28, 23, 59, 59, 0, zone), time.Date(9999, 12, 31, 23, 0, 0, 0, time.UTC),
		{},
	} {
		for _, later := range []time.Duration{0, 1, time.Second, time.Hour - 1, time.Hour, 24 * time.Hour, -time.Hour, 7 * 24 * time.Hour} {
			times = append(times, begin.Add(later), begin.Add(later).In(zone))
		}
	}
	var all sync.WaitGroup
	for range 4 {
		all.Go(func() {
			for _, at := range times {
				for range 2 {
					if got := c.NewInput(nil, at).Context.Time; got != Moment(at) {
						t.Errorf("%v: %v, want %v", at, got, Moment(at))
					}
				}
			}
		})
	}
	all.Wait()
}
