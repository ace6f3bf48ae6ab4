package detect

import (
	"hash/maphash"
	"net/http"
	"strconv"
	"time"

	"github.com/gatehouse-dev/gatehouse/middleware"
)

// EnumerationSettings say how many ids of one route may be refused.
type EnumerationSettings struct {
	// Limit is by default 20 different ids in 10 minutes, of which Run are in
	// sequence.
	Limit
	// Run is how many of them have to be in sequence. Default: half the threshold.
	Run int
	// Scattered is how many different ids are too many that are in no sequence, such
	// as UUIDs. Default: 5 times the threshold.
	Scattered int
}

// Enumeration notices who tries one id after the other: answers 403 or 404 to many
// different ids of one route, by subject, or by address where nobody is known.
//
// Many different ones are not enough: who browses an old list meets a few dead
// links. Some of them have to be in sequence (see [longestRun]), or they have to be
// very many. The same id, however often, is one.
//
// Where a path has several ids, all of them together are one. Ids are kept as
// numbers and hashes only.
//
// What the gateway refuses for other reasons than the id does not count:
// address_blocked, locked_down and csrf_failed.
type Enumeration struct {
	s     EnumerationSettings
	seed  maphash.Seed
	table *table[searched]
}

// searched is what one target was refused of one route.
type searched struct {
	ids   []sighting // oldest first, each once
	quiet quiet
}

// sighting is the newest refusal of one id.
type sighting struct {
	at     int64
	id     uint64
	places [2]place // of the last two parameters that have a number
}

func (s sighting) when() int64 { return s.at }

// sightingSize is the size of one in bytes.
const sightingSize = 48

// NewEnumeration makes a detector that has seen nothing.
func NewEnumeration(s EnumerationSettings) *Enumeration {
	s.Limit = s.or(20, 10*time.Minute)
	if s.Run <= 0 {
		s.Run = (s.Threshold + 1) / 2
	}
	if s.Scattered <= 0 {
		s.Scattered = 5 * s.Threshold
	}
	window := int64(s.Window)
	return &Enumeration{s: s, seed: maphash.MakeSeed(), table: newTable(
		func(v *searched, now int64) int64 {
			if v.quiet.holds(now) {
				return v.quiet.weigh(now)
			}
			v.ids = fresh(v.ids, now, window)
			return weigh(len(v.ids), last(v.ids, now), now, window)
		},
		func(v *searched) int64 { return int64(cap(v.ids)) * sightingSize },
	)}
}

// See counts ids that were refused.
func (d *Enumeration) See(s *Signal) []Finding {
	if s.Status != http.StatusForbidden && s.Status != http.StatusNotFound || s.Route == "" || len(s.Params) == 0 {
		return nil
	}
	switch s.Code {
	case middleware.AddressBlocked, middleware.LockedDown, middleware.CSRFFailed:
		return nil
	}
	who := whoever(s)
	who.route = s.Route
	t, now := d.table, d.table.now(s.Time)
	k := t.key(who)
	shard := t.lock(k)
	defer shard.Unlock()
	v := t.entry(shard, k, now)
	if v.quiet.holds(now) {
		return nil
	}
	v.ids = add(without(v.ids, d.hash(s.Params)), d.sighting(s.Params, now), int64(d.s.Window))
	found := d.judge(v.ids, s)
	if found != nil {
		*v = searched{quiet: silence(now, d.s.Quiet)}
	}
	t.settle(shard, k, now)
	return found
}

// judge says whether ids are too many.
func (d *Enumeration) judge(ids []sighting, s *Signal) []Finding {
	if len(ids) < min(d.s.Threshold, d.s.Scattered) {
		return nil
	}
	limit, run := d.s.Limit, 0
	if len(ids) >= d.s.Threshold {
		run = longestRun(ids)
	}
	if run < d.s.Run {
		if len(ids) < d.s.Scattered {
			return nil
		}
		limit.Threshold = d.s.Scattered
	}
	return []Finding{limit.finding(len(ids),
		[2]string{"ids", strconv.Itoa(len(ids))}, [2]string{"in_sequence", strconv.Itoa(run)},
		[2]string{"route", s.Route}, [2]string{"status", strconv.Itoa(s.Status)}).about(s)}
}

// without takes an id out.
func without(ids []sighting, id uint64) []sighting {
	for i := range ids {
		if ids[i].id == id {
			return append(ids[:i], ids[i+1:]...)
		}
	}
	return ids
}

// hash is that of all parameters.
func (d *Enumeration) hash(params []string) uint64 {
	var h maphash.Hash
	h.SetSeed(d.seed)
	for _, p := range params {
		writePart(&h, p)
	}
	return h.Sum64()
}

// writePart writes a text so that it cannot run into the next.
func writePart(h *maphash.Hash, s string) {
	var length [8]byte
	for i := range length {
		length[i] = byte(len(s) >> (8 * i))
	}
	h.Write(length[:])
	h.WriteString(s)
}

func (d *Enumeration) sighting(params []string, now int64) sighting {
	s, n := sighting{at: now, id: d.hash(params)}, 0
	for i := len(params) - 1; i >= 0 && n < len(s.places); i-- {
		if from, to := digits(params[i]); from < to {
			s.places[n] = d.place(params, i, from, to)
			n++
		}
	}
	return s
}
