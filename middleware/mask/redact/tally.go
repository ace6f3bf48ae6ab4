package redact

import (
	"cmp"
	"slices"
)

// tally counts by rule of the spec, and behind these by sighting. What is
// counted can be taken back as long
// as something is undecided: the log says what was counted since when.
type tally struct {
	by   []int
	log  []logged
	seen []sighting
	path []byte // of the last sighting
	way  []byte // to it
}

// logged says that n were added to one of the counts.
type logged struct{ at, n int }

// Bounds of the log: what may stand in it without being summed up, and how much
// of its memory a spare engine keeps, in entries.
const (
	minSum      = 64
	maxSpareLog = 4 << 10
)

func (t *tally) reset(n int) {
	t.by = slices.Grow(t.by[:0], n)[:n]
	clear(t.by)
}

// spare gives the memory of the tally without what is in it.
func (t *tally) spare() tally {
	clear(t.seen[:cap(t.seen)])
	out := tally{by: t.by[:0], seen: t.seen[:0], path: t.path[:0], way: t.way[:0]}
	if cap(t.log) <= maxSpareLog {
		out.log = t.log[:0]
	}
	return out
}

// count adds one to a count.
func (e *engine) count(at int) {
	e.tally.by[at]++
	e.tally.log = append(e.tally.log, logged{at, 1})
	e.counts.log++
}

// masking counts a value that was masked.
func (e *engine) masking(v verdict) {
	e.masked++
	e.count(e.m.plan.rules[v.rule].origin)
}

// restore takes back what was counted since then.
func (e *engine) restore(before counts) {
	for _, l := range e.tally.log[before.log:] {
		e.tally.by[l.at] -= l.n
	}
	e.tally.log = e.tally.log[:before.log]
	e.tally.seen = e.tally.seen[:before.seen]
	e.tally.by = e.tally.by[:e.plan.asked+before.seen]
	e.counts = before
}

// forget empties the log where nothing is undecided. Otherwise it sums up what
// was logged since the innermost trial began, once that is much: to a moment in
// between nobody goes back. So for every trial the log holds no more than a
// small multiple of the number of counts, however long the text.
func (e *engine) forget() {
	log, from := e.tally.log, 0
	if e.first == never {
		e.tally.log, e.counts.log = log[:0], 0
		return
	}
	if n := len(e.trials); n > 0 {
		from = e.trials[n-1].before.log
	}
	since := log[from:]
	if len(since) <= max(minSum, 2*len(e.tally.by)) {
		return
	}
	slices.SortFunc(since, func(a, b logged) int { return cmp.Compare(a.at, b.at) })
	n := 0
	for _, l := range since[1:] {
		if l.at == since[n].at {
			since[n].n += l.n
		} else {
			n++
			since[n] = l
		}
	}
	e.counts.log = from + n + 1
	e.tally.log = log[:e.counts.log]
}
