package ratelimit

import (
	"context"
	"strconv"
	"sync/atomic"
	"time"

	"github.com/ulule/limiter/v3"
	"github.com/ulule/limiter/v3/drivers/store/memory"
)

// memoryWindow is the library's memory store with bounds around it. Left to
// itself that store has no cap on keys and a goroutine that nobody waits for;
// here its cleaner is off, and the table decides which keys it holds. The
// table also knows to the nanosecond when a window ends.
type memoryWindow struct {
	*table[window]
	inner limiter.Store
}

type window struct {
	key     string // of the library's count; "" where none began
	end     int64  // when the window is over
	used    int64
	refused bool
}

func newMemoryWindow(ranks *atomic.Uint64, limit int64, keys int) memoryWindow {
	m := memoryWindow{inner: memory.NewStoreWithOptions(limiter.StoreOptions{})}
	// A caller near the limit weighs more than one whose window ends as late.
	m.table = newTable(ranks, keys, func(w *window, now int64) int64 {
		left := w.end - now
		if left <= 0 {
			return 0
		}
		return left/max(limit, 1)*min(w.used, limit) + 1
	})
	m.stays = func(w *window) bool { return w.refused }
	m.table.forget = m.end
	return m
}

// end lets the library forget a count.
func (m memoryWindow) end(w *window) {
	if w.key != "" {
		_, _ = m.inner.Reset(context.Background(), w.key, limiter.Rate{Limit: 1, Period: 1}) // never fails
	}
	*w = window{}
}

func (m memoryWindow) count(p place, now, n int64, t *terms, counts bool) Result {
	w := m.look(p, now)
	var none window
	if w == nil {
		w = &none
		if counts && n > 0 && n <= t.rate.Limit {
			w = m.make(p, now)
		}
	}
	if now >= w.end {
		m.end(w) // the library starts its window with ours
	}
	r := Result{Context: limiter.Context{Limit: t.rate.Limit, Remaining: t.rate.Limit}}
	ctx := context.Background() // for a memory that cannot fail
	if w.key != "" {
		r.Context, _ = m.inner.Peek(ctx, w.key, t.rate)
		// The library goes by the wall clock; one that is set forward begins no window.
		r.Remaining = min(r.Remaining, max(t.rate.Limit-w.used, 0))
	}
	r.Reached = r.Remaining < max(n, 1) // all or none, and a refusal is not counted
	switch {
	case r.Reached:
		r.RetryAfter = time.Duration(max(w.end-now, 0))
		w.refused = w.refused || n > 0 && w.key != ""
	case counts && n > 0:
		if w.key == "" {
			w.key, w.end = p.key, now+int64(t.rate.Period)
			if w == &m.shard(p).spare {
				w.key = "spare " + strconv.FormatUint(p.rank, 10) // p.key may get a window of its own
			}
		}
		left := r.Remaining - n
		r.Context, _ = m.inner.Increment(ctx, w.key, n, t.rate)
		r.Remaining = left
		w.used += n
	}
	r.ResetAfter = time.Duration(max(w.end-now, 0))
	return r
}

func (m memoryWindow) reset(p place) { m.remove(p) }
