package ratelimit

import (
	"sync/atomic"
	"time"

	"github.com/ulule/limiter/v3"
)

// maxLog is the highest count of a sliding_log rule: eight bytes are kept for
// each admitted request of each key.
const maxLog = 10_000

// maxStamps is how many requests the keys of one sliding_log rule may come to,
// about; where the limit is high, fewer keys are kept.
const maxStamps = 4 << 20

// memoryLog keeps the admitted requests of one rule in this process.
type memoryLog struct{ *table[log] }

// log is when a key's requests were admitted, in nanoseconds, in a ring.
type log struct {
	at      []int64
	head    int // where the oldest is
	used    int
	newest  int64
	period  int64
	refused bool // since nothing was in it last
}

func newMemoryLog(ranks *atomic.Uint64, limit int64, keys int) memoryLog {
	keys = min(keys, max(shards, int(maxStamps/max(limit, 1))))
	// A caller at the limit weighs more than one whose last request is as
	// recent: both the age of the newest and how many there are count.
	m := memoryLog{newTable(ranks, keys, func(l *log, now int64) int64 {
		left := l.newest + l.period - now
		if l.used == 0 || left <= 0 {
			return 0
		}
		return left/max(limit, 1)*min(int64(l.used), limit) + 1
	})}
	m.stays = func(l *log) bool { return l.refused }
	return m
}

// stamp is the i-th oldest.
func (l *log) stamp(i int) int64 {
	if i += l.head; i >= len(l.at) {
		i -= len(l.at)
	}
	return l.at[i]
}

// expire drops what was admitted a period ago.
func (l *log) expire(now, period int64) {
	l.period = period
	for l.used > 0 && l.stamp(0) <= now-period {
		l.head, l.used = (l.head+1)%len(l.at), l.used-1
	}
	if l.used == 0 {
		l.refused = false
	}
}

// add notes n requests, of limit at most. The stamps never go back, whatever the
// caller's clock read before it got the lock.
func (l *log) add(now, n, limit int64) {
	if need := l.used + int(n); need > len(l.at) {
		at := make([]int64, max(need, min(2*len(l.at), int(limit)), min(4, int(limit))))
		for i := range l.used {
			at[i] = l.stamp(i)
		}
		l.at, l.head = at, 0
	}
	if l.used > 0 {
		now = max(now, l.newest)
	}
	for range n {
		l.at[(l.head+l.used)%len(l.at)] = now
		l.used++
	}
	l.newest = now
}

func (m memoryLog) count(p place, now, n int64, t *terms, counts bool) Result {
	l := m.look(p, now)
	var none log
	if l == nil {
		l = &none
		if counts && n > 0 && n <= t.rate.Limit {
			l = m.make(p, now)
		}
	}
	period := int64(t.rate.Period)
	l.expire(now, period)
	r := Result{Context: limiter.Context{Limit: t.rate.Limit}}
	used := int64(l.used)
	if over := used + max(n, 1) - t.rate.Limit; over > 0 {
		r.Reached = true
		l.refused = l.refused || n > 0 && used > 0
		// The request fits when as many of the oldest are over; where it can
		// never fit, when all are.
		if i := min(over, used) - 1; i >= 0 {
			r.RetryAfter = time.Duration(l.stamp(int(i)) + period - now)
		}
	} else if counts {
		l.add(now, n, t.rate.Limit)
	}
	r.Remaining = t.rate.Limit - int64(l.used)
	if l.used > 0 {
		r.ResetAfter = time.Duration(l.newest + period - now)
	}
	return r
}

func (m memoryLog) reset(p place) { m.remove(p) }
