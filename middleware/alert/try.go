package alert

import (
	"context"
	"net/netip"
	"sync"
	"time"
)

// Outcome is how a test of one sink ended.
type Outcome struct {
	Sink string
	Kind string
	ID   string // of the event
	Err  error  // nil where it was delivered
}

// Try sends each sink one event that is marked as a test, with one attempt each and
// all at the same time, and waits for how that ends. The settings must not be in
// use; they are of no use afterwards.
func Try(ctx context.Context, sinks []*Sink) []Outcome {
	out := make([]Outcome, len(sinks))
	var wait sync.WaitGroup
	for i, s := range sinks {
		wait.Go(func() {
			r := testEvent()
			out[i] = Outcome{Sink: s.Name, Kind: s.Kind, ID: r.ID}
			if s.write != nil {
				out[i].Err = s.write(r)
				return
			}
			ctx, cancel := context.WithTimeout(ctx, s.timeout)
			defer cancel()
			out[i].Err = s.deliver(ctx, r)
			s.close()
		})
	}
	wait.Wait()
	return out
}

// testEvent is about nobody: the address is one for documentation (RFC 5737).
func testEvent() *record {
	id := newID()
	return &record{
		Event: Event{
			Class: Finding, ID: id, Time: time.Now(), Severity: Informational, Action: "alert",
			Address: netip.MustParsePrefix("192.0.2.1/32"), Evidence: [][2]string{{"note", "sent by gatehouse alerts test"}},
		},
		Finding: id, Test: true,
	}
}
