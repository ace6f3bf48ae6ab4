package gateway

import (
	"testing"
	"time"

	"github.com/gatehouse-dev/gatehouse/policies"
)

// BenchmarkRecent is what a request pays for being remembered by its class.
func BenchmarkRecent(b *testing.B) {
	r := newRecent()
	j := asked("hr", time.Now(), &policies.Decision{Allow: true, Mask: make([]policies.Mask, 80)})
	b.ReportAllocs()
	for b.Loop() {
		r.add(j)
	}
}
