package ratelimit

import (
	"context"
	"slices"
	"time"

	"github.com/ulule/limiter/v3"
)

// maxLog is the highest count of a sliding_log rule: eight bytes are kept for
// each admitted request of each key.
const maxLog = 10_000

// memoryLog keeps the admitted requests of one rule in this process.
type memoryLog struct {
	period int64
	table  *table[log]
}

// log is when a key's requests were admitted, oldest first, in nanoseconds.
// No two are equal, so that one can be taken back.
type log struct {
	at   []int64
	head int // what is before it is over
}

// newMemoryLog bounds the table by keys and by the stamps they may come to.
func newMemoryLog(rate limiter.Rate, keys int) *memoryLog {
	const stamps = 4 << 20
	m := &memoryLog{period: int64(rate.Period)}
	keys = min(keys, max(shards, int(stamps/max(rate.Limit, 1))))
	// A caller at the limit weighs more than one whose last request is as
	// recent: both the age of the newest and how many there are count.
	m.table = newTable(keys, func(l *log, now int64) int64 {
		live := l.live()
		if len(live) == 0 {
			return 0
		}
		left := live[len(live)-1] + m.period - now
		return left/rate.Limit*int64(len(live)) + min(left, 1)
	})
	return m
}

func (l *log) live() []int64 { return l.at[l.head:] }

// expire drops what was admitted a period ago, and makes room when half of the
// slice is over.
func (l *log) expire(now, period int64) {
	for l.head < len(l.at) && l.at[l.head] <= now-period {
		l.head++
	}
	if l.head > len(l.at)/2 {
		l.at = l.at[:copy(l.at, l.live())]
		l.head = 0
	}
}

func (m *memoryLog) count(_ context.Context, key string, n int64, rate limiter.Rate) (Result, error) {
	now := m.table.now()
	s := m.table.lock(key)
	defer s.Unlock()
	l := m.table.entry(s, key, now)
	l.expire(now, m.period)
	used := int64(len(l.live()))
	r := Result{Context: limiter.Context{Limit: rate.Limit}}
	if over := used + max(n, 1) - rate.Limit; over > 0 {
		r.Reached = true
		// The request fits when as many of the oldest are over; where it can
		// never fit, when all are.
		if i := min(over, used) - 1; i >= 0 {
			r.RetryAfter = time.Duration(l.live()[i] + m.period - now)
		}
	} else {
		for range n {
			r.stamp = now
			if used > 0 {
				r.stamp = max(now, l.at[len(l.at)-1]+1)
			}
			l.at = append(l.at, r.stamp)
			used++
		}
	}
	r.Remaining = rate.Limit - used
	if used > 0 {
		r.ResetAfter = time.Duration(l.at[len(l.at)-1] + m.period - now)
	}
	return r.finish(), nil
}

func (m *memoryLog) undo(_ context.Context, key string, n int64, _ limiter.Rate, r Result) error {
	s := m.table.lock(key)
	defer s.Unlock()
	l := s.m[key]
	if l == nil {
		return nil
	}
	if i, ok := slices.BinarySearch(l.live(), r.stamp); ok {
		l.at = slices.Delete(l.at, l.head+max(i-int(n)+1, 0), l.head+i+1) // stamps of one request follow each other
	}
	return nil
}

func (m *memoryLog) forget(_ context.Context, key string) error {
	m.table.remove(key)
	return nil
}
