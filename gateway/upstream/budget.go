package upstream

import (
	"sync"
	"time"
)

// What a budget looks back over, and what it always grants within that time: an
// upstream that is asked rarely would have none else.
const (
	budgetSlots = 10 // of a second each
	budgetFloor = 10
)

// A budget bounds how much of what an upstream is sent may be tries again. While
// most requests fail each of them would be sent again, which is the last thing
// that a backend needs which fails because there is too much to do.
type budget struct {
	part  float64   // of the requests lately
	begin time.Time // instants are counted from here, so that no clock that is set matters

	mu       sync.Mutex
	at       int64 // the second that is counted now
	requests [budgetSlots]int64
	retries  [budgetSlots]int64
}

func newBudget(part float64) *budget { return &budget{part: part, begin: time.Now()} }

// count counts a request, once, however often it is tried.
func (b *budget) count() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.requests[b.slot()]++
}

// take reports whether there may be one more try, which it counts then.
func (b *budget) take() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	slot := b.slot()
	var requests, retries int64
	for i := range budgetSlots {
		requests, retries = requests+b.requests[i], retries+b.retries[i]
	}
	if float64(retries) >= max(budgetFloor, b.part*float64(requests)) {
		return false
	}
	b.retries[slot]++
	return true
}

// slot is where now is counted. What is older than all slots is forgotten. The
// lock is held.
func (b *budget) slot() int64 {
	now := int64(time.Since(b.begin) / time.Second)
	for b.at = max(b.at, now-budgetSlots); b.at < now; {
		b.at++
		b.requests[b.at%budgetSlots], b.retries[b.at%budgetSlots] = 0, 0
	}
	return b.at % budgetSlots
}
