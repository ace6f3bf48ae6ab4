package detect

import (
	"slices"
	"strconv"
	"strings"
	"time"
)

// mark is one event of some kind: a status, or the number of a suspicion.
type mark struct {
	at   int64
	kind uint16
}

func (m mark) when() int64 { return m.at }

// tally is what is counted for one target.
type tally struct {
	marks []mark // oldest first, fewer than the threshold
	quiet quiet
}

// counter counts events by target.
type counter struct {
	Limit
	table *table[tally]
}

func newCounter(l Limit) *counter {
	window := int64(l.Window)
	return &counter{Limit: l, table: newTable(
		func(v *tally, now int64) int64 {
			if v.quiet.holds(now) {
				return v.quiet.weigh(now)
			}
			v.marks = fresh(v.marks, now, window)
			return weigh(len(v.marks), last(v.marks, now), now, window)
		},
		func(v *tally) int64 { return int64(cap(v.marks)) * 16 },
	)}
}

// count adds an event. Where the threshold is met it gives the events that met
// it, which are then forgotten, and else none.
func (c *counter) count(who identity, when time.Time, kind uint16) []mark {
	now, k := c.table.now(when), c.table.key(who)
	s := c.table.lock(k)
	defer s.Unlock()
	return c.add(s, k, now, kind)
}

// add is count in a locked shard.
func (c *counter) add(s *shard[tally], k key, now int64, kind uint16) (met []mark) {
	v := c.table.entry(s, k, now)
	if v.quiet.holds(now) {
		return nil
	}
	v.marks = add(v.marks, mark{now, kind}, int64(c.Window))
	if len(v.marks) >= c.Threshold {
		met = v.marks
		*v = tally{quiet: silence(now, c.Quiet)}
	}
	c.table.settle(s, k, now)
	return met
}

// kinds says how many there are of each, "403: 12, 404: 38".
func kinds(marks []mark, name func(kind uint16) string) string {
	counts := map[uint16]int{}
	for _, m := range marks {
		counts[m.kind]++
	}
	var all []string
	for kind, n := range counts {
		all = append(all, name(kind)+": "+strconv.Itoa(n))
	}
	slices.Sort(all)
	return strings.Join(all, ", ")
}
