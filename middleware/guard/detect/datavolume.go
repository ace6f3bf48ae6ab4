package detect

import (
	"strconv"
	"time"
)

// DataVolumeSettings say how much data is too much for one subject.
type DataVolumeSettings struct {
	// Records served in the window. Default: 10,000, some 200 pages of 50 in an hour.
	Records int64
	// Sensitive are values served that some policy masks for somebody. Default:
	// 5,000, those of 1,000 people where each has 5.
	Sensitive int64
	// Window is the time in which they are served. Default: 1 h.
	Window time.Duration
	// Quiet is as in [Limit].
	Quiet time.Duration
}

// slots are the parts of the window. What was served in a part counts as long as
// the whole part is within the window, so a little is forgotten early: what is
// counted is all that was served in the last 59/60 of the window, and nothing that
// was served before it. With an hour that is an error of a minute, on the side of
// the subject.
const slots = 60

// DataVolume counts what is served, by subject: the records, and the values among
// them that are masked for others. Either can be too much. Where nobody is known
// nothing is counted.
type DataVolume struct {
	s     DataVolumeSettings
	width int64
	table *table[served]
}

// served is what one subject got.
type served struct {
	slots []slot // oldest first, 60 at most; those in which nothing was served are not there
	quiet quiet
}

// slot is what was served in one part of the window.
type slot struct {
	number             int64 // its time in widths
	records, sensitive int64
}

func (s slot) when() int64 { return s.number }

// slotSize is the size of one in bytes.
const slotSize = 24

// NewDataVolume makes a detector that has seen nothing.
func NewDataVolume(s DataVolumeSettings) *DataVolume {
	l := Limit{Window: s.Window, Quiet: s.Quiet}.or(1, time.Hour)
	s.Window, s.Quiet = l.Window, l.Quiet
	if s.Records <= 0 {
		s.Records = 10_000
	}
	if s.Sensitive <= 0 {
		s.Sensitive = 5_000
	}
	d := &DataVolume{s: s, width: max(1, int64(s.Window)/slots)}
	d.table = newTable(d.weigh, func(v *served) int64 { return int64(cap(v.slots)) * slotSize })
	return d
}

// weigh goes by how near a subject is to its threshold, in percent.
func (d *DataVolume) weigh(v *served, now int64) int64 {
	if v.quiet.holds(now) {
		return v.quiet.weigh(now)
	}
	v.slots = fresh(v.slots, d.slot(now), slots)
	records, sensitive := v.sum()
	near := max(float64(records)/float64(d.s.Records), float64(sensitive)/float64(d.s.Sensitive))
	return weigh(1+int(100*near), last(v.slots, 0)*d.width, now, int64(d.s.Window))
}

// See counts what was served.
func (d *DataVolume) See(s *Signal) []Finding {
	if s.Records <= 0 && s.Sensitive <= 0 || s.Subject == (Subject{}) {
		return nil
	}
	t, now := d.table, d.table.now(s.Time)
	k := t.key(identity{subject: s.Subject})
	shard := t.lock(k)
	defer shard.Unlock()
	v := t.entry(shard, k, now)
	if v.quiet.holds(now) {
		return nil
	}
	v.serve(slot{d.slot(now), max(0, s.Records), max(0, s.Sensitive)})
	found := d.judge(v, s)
	if found != nil {
		*v = served{quiet: silence(now, d.s.Quiet)}
	}
	t.settle(shard, k, now)
	return found
}

func (d *DataVolume) judge(v *served, s *Signal) []Finding {
	records, sensitive := v.sum()
	f := Finding{Target: TargetSubject, Address: s.Address, Subject: s.Subject, Window: d.s.Window}
	var reached string
	switch {
	case records >= d.s.Records && sensitive >= d.s.Sensitive:
		reached, f.Count, f.Threshold = "records and sensitive", records, d.s.Records
	case records >= d.s.Records:
		reached, f.Count, f.Threshold = "records", records, d.s.Records
	case sensitive >= d.s.Sensitive:
		reached, f.Count, f.Threshold = "sensitive", sensitive, d.s.Sensitive
	default:
		return nil
	}
	f.Evidence = [][2]string{
		{"reached", reached},
		{"records", strconv.FormatInt(records, 10)},
		{"sensitive", strconv.FormatInt(sensitive, 10)},
		{"route", s.Route},
	}
	return []Finding{f}
}

// slot is the number of the slot of a time, which may be before that of the first
// signal.
func (d *DataVolume) slot(now int64) int64 {
	n := now / d.width
	if now%d.width < 0 {
		n--
	}
	return n
}

// serve adds to the slot of the same number, mostly the newest, or else makes one.
func (v *served) serve(s slot) {
	for i := len(v.slots) - 1; i >= 0; i-- {
		if v.slots[i].number == s.number {
			v.slots[i].records += s.records
			v.slots[i].sensitive += s.sensitive
			return
		}
	}
	v.slots = add(v.slots, s, slots)
}

func (v *served) sum() (records, sensitive int64) {
	for _, s := range v.slots {
		records += s.records
		sensitive += s.sensitive
	}
	return records, sensitive
}
