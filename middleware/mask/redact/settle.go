package redact

// trial is a container of which it is not known yet what becomes of it.
type trial struct {
	judged *judged
	row    bool
	mutes  bool // its inside is not copied
	// removes says that it may have to be taken back. It is revoked as soon as
	// something inside is found for the sake of which it stays.
	removes bool
	start   int    // its place
	hold    int    // the place from which on it goes if it vanishes
	before  counts // without it
	// The counts when its inside begins, where they differ from those.
	shown, exposed int
}

// open begins the container at p that is not simply kept. It reports whether a
// trial has begun.
func (e *engine) open(j *judged, p int) bool {
	e.found = e.found || j.found
	var t *trial
	if j.tried {
		// Filled where it stands: there may be one for every three bytes.
		e.trials = append(e.trials, trial{})
		t = &e.trials[len(e.trials)-1]
		t.before = e.counts
	}
	if j.exposes {
		e.exposed++
	}
	if j.shows {
		e.shown++
	}
	if j.tried && len(j.filters) > 0 {
		t.row = true
		e.openRow(j.filters)
	}
	e.land(j, nil)
	if !j.tried {
		e.settle()
		return false
	}
	hold := e.frames[len(e.frames)-1].hold
	t.judged, t.mutes, t.removes = j, j.muted, j.removes
	t.start, t.hold, t.shown, t.exposed = e.place(p), hold, e.shown, e.exposed
	if t.mutes {
		e.flush(p)
		e.lost = true
	}
	if t.removes && e.first == never {
		e.first, e.undecided = hold, len(e.trials)-1
	}
	e.settle()
	return true
}

// stays reports whether what was found inside keeps the container from being
// removed or replaced. Rows are another question.
func (t *trial) stays(now *counts) bool {
	gone := t.judged.whole && now.shown == t.shown
	return !gone && !t.judged.hides && !t.judged.denies && (t.judged.open || t.judged.named || now.exposed > t.exposed)
}

// settle looks which trials have been decided by what was found last, so that
// their output need not be held until they end. A row is decided at its end
// only, and with it everything outside that depends on what is in it.
func (e *engine) settle() {
	for i := len(e.trials) - 1; i >= e.undecided && e.first != never; i-- {
		t := &e.trials[i]
		if t.row || t.removes && !t.stays(&e.counts) {
			return
		}
		t.removes = false
		if i == e.undecided {
			e.first = never
		}
	}
}

// close ends the innermost trial, whose container ends in front of end, and
// reports whether it stays.
func (e *engine) close(end int) bool {
	t := &e.trials[len(e.trials)-1]
	e.trials = e.trials[:len(e.trials)-1]
	if len(e.trials) == e.undecided {
		e.first = never
	}
	j := t.judged
	if t.mutes {
		e.lost, e.span = false, end
	}
	f := kept
	gone := j.whole && e.shown == t.shown
	exposed := e.exposed > t.exposed && !gone
	switch {
	case j.hides:
		f = hidden
	case gone && j.mask.action == Drop:
		f = dropped
	case !j.open && !j.named && !exposed:
		f = hidden
	case gone:
		e.restore(t.before)
		e.shown, e.exposed = t.shown, t.exposed
		e.rollback(t.start, end)
		if j.mask.action == Null {
			e.out = append(e.out, "null"...)
		} else {
			e.out = append(e.out, redacted...)
		}
		e.masking(j.mask)
		e.changed()
	case !j.open && j.lifted && exposed:
		e.shown++
	}
	if j.denies || t.row && !e.closeRow() {
		f = denied
	}
	switch {
	case f != kept:
		e.remove(f, j.mask, t.hold, end, t.before)
	case t.row && len(e.rows) == 0:
		e.counts.rows++
	}
	e.settle()
	e.forget()
	return f == kept
}

// remove takes a value back, with what was counted in it.
func (e *engine) remove(f fate, mask verdict, hold, end int, before counts) {
	e.restore(before)
	e.vanish(f, mask, hold, end)
}

// vanish removes a value, or what has been sent of it.
func (e *engine) vanish(f fate, mask verdict, hold, end int) {
	e.rollback(hold, end)
	switch f {
	case dropped:
		e.masking(mask)
	case hidden:
		e.hidden++
	case denied:
		e.counts.dropped++
	}
	e.changed()
	if len(e.frames) == 1 {
		e.rootFate = f
	}
}
