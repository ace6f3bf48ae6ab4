package redact

// scalar deals with a scalar of which all stands in the window, and reports
// whether it stays.
func (e *engine) scalar(j *judged, from, end int) bool {
	if !j.simple {
		e.begin(j, from, e.buf[from])
		return e.finish(j, end)
	}
	var raw []byte
	if j.raw && end-from <= e.limits.Scalar {
		raw = e.buf[from:end]
	}
	e.head = e.buf[from]
	if !j.deed.removes() {
		e.flush(from)
	}
	return e.carryOut(j, raw, end)
}

// carryOut does what all there is to do about a value, and reports whether it
// stays.
func (e *engine) carryOut(j *judged, raw []byte, end int) bool {
	e.found = e.found || j.found
	f := e.do(j, raw, end)
	if f != kept {
		e.vanish(f, j.mask, e.frames[len(e.frames)-1].hold, end)
	}
	if len(e.tally.log) > 0 {
		e.forget()
	}
	return f == kept
}

// begin prepares for the scalar at p, which starts with c, if it is not simply
// copied.
func (e *engine) begin(j *judged, p int, c byte) {
	e.head, e.token = c, -1
	if j.raw {
		e.token = p
	}
	if j.deed != copyIt {
		e.flush(p)
		e.lost = true
	}
}

// finish ends the scalar in front of end, and reports whether it stays.
func (e *engine) finish(j *judged, end int) bool {
	before := e.counts
	e.found = e.found || j.found
	if j.exposes {
		e.exposed++
	}
	if j.shows {
		e.shown++
	}
	var raw []byte
	if e.token >= 0 && end-e.token <= e.limits.Scalar {
		raw = e.buf[e.token:end]
	}
	row := !j.muted && len(j.filters) > 0
	if row {
		e.openRow(j.filters)
	}
	e.land(j, raw)
	f := e.do(j, raw, end)
	if row && !e.closeRow() {
		f = denied
	}
	if row && f == kept && len(e.rows) == 0 {
		e.counts.rows++
	}
	e.token = -1
	if f != kept {
		e.remove(f, j.mask, e.frames[len(e.frames)-1].hold, end, before)
	}
	if j.exposes || j.shows {
		e.settle()
	}
	if len(e.tally.log) > 0 {
		e.forget()
	}
	return f == kept
}

// do does what a scalar is to suffer.
func (e *engine) do(j *judged, raw []byte, end int) fate {
	before := e.masked
	if j.detects {
		e.detect(raw, end)
	}
	if j.counted && e.head != 'n' && e.masked == before {
		e.counts.sensitive++
	}
	if j.deed == copyIt {
		return kept
	}
	e.lost = false
	switch j.deed {
	case dropIt:
		return dropped
	case hideIt:
		return hidden
	case denyIt:
		return denied
	}
	e.span = end
	if j.deed == nullIt {
		e.out = append(e.out, "null"...)
		e.hidden++
	} else {
		e.out = e.m.plan.rules[j.mask.rule].appendScalar(e.out, e.head, raw, &e.scratch)
		e.masking(j.mask)
	}
	e.changed()
	return kept
}
