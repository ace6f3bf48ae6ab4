package redact

// naiveTrial is one row before its filters: the fields are captured while the row
// is read, and judged at its end.
type naiveTrial struct {
	filters []int
	fields  [][]*naiveCapture // per filter, per condition
}

// value reads the value at v and decides what becomes of it. If it vanishes,
// everything from hold on goes with it: its name and one comma.
func (r *run) value(hold, v int, sc *scope) (int, fate, error) {
	before := r.naiveTally
	array := at(r.src, v) == '['
	lifted := r.judgeMasks(sc, array)
	if !sc.open && r.accepted(sc, array) {
		sc.open = true
		r.exposed++
	}
	if lifted && sc.open {
		r.shown++
	}
	rows := r.judgeRows(sc, v, array)
	landed := land(sc.aims, array)
	r.naiveSee(sc, lifted, array)
	if !r.looks(v, sc) && sc.open && sc.mask.action == noAction && rows == nil && landed == nil {
		end, err := r.read(v, sc)
		return end, kept, err
	}
	r.flush(hold)
	mark := len(r.out)
	end, f, err := r.settle(v, sc, lifted)
	if err != nil {
		return end, f, err
	}
	for _, c := range landed {
		c.start, c.end = v, end
	}
	if rows != nil && !r.passes(rows) {
		f = denied
	}
	if f != kept {
		r.undo(mark, before, end)
		r.count(f, sc.mask)
	}
	return end, f, nil
}

// undo takes back what was copied and counted since then.
func (r *run) undo(mark int, before naiveTally, end int) {
	if r.muted == 0 {
		r.out = r.out[:mark]
	}
	r.naiveTally = before
	r.span = end
}

func (r *run) count(f fate, mask verdict) {
	switch f {
	case dropped:
		r.masked(mask)
	case hidden:
		r.Hidden++
	case denied:
		r.Dropped++
	}
	r.changed()
}

// judgeMasks adds the masks of the value to those of its containers, and
// reports whether a show lifts them all.
func (r *run) judgeMasks(sc *scope, array bool) bool {
	p := r.plan
	for i := range p.masks {
		if p.patterns[i].accepts(sc.states[i], array) {
			sc.mask = sc.mask.stricter(verdict{p.rules[i].action, i})
		}
	}
	for i := p.masks; i < p.masks+p.shows; i++ {
		if p.patterns[i].accepts(sc.states[i], array) {
			sc.mask = verdict{}
			return true
		}
	}
	return false
}

// exposing gives the range of the exposed paths among the patterns.
func (p *Plan) exposing() (from, to int) { return p.masks + p.shows, p.masks + p.shows + p.expose }

func (r *run) accepted(sc *scope, array bool) bool {
	from, to := r.plan.exposing()
	for i := from; i < to; i++ {
		if r.plan.patterns[i].accepts(sc.states[i], array) {
			return true
		}
	}
	return false
}

// onTheWay reports whether something inside of the value could be exposed, and
// whether a path leads here by name.
func (r *run) onTheWay(sc *scope) (reaches, named bool) {
	from, to := r.plan.exposing()
	for i := from; i < to; i++ {
		if r.plan.patterns[i].reaches(sc.states[i]) {
			reaches = true
			named = named || sc.states[i].firm != 0
		}
	}
	return reaches, named
}

// settle reads a value that is not simply kept.
func (r *run) settle(v int, sc *scope, lifted bool) (int, fate, error) {
	reaches, named := true, true
	if !sc.open {
		reaches, named = r.onTheWay(sc)
	}
	c := at(r.src, v)
	switch {
	case !reaches:
		end, err := r.mute(v, sc)
		return end, hidden, err
	case c == '{' || c == '[':
		return r.container(v, sc, lifted, named)
	}
	end, err := r.read(v, sc)
	switch {
	case err != nil:
		return end, kept, err
	case sc.mask.action == Drop:
		return end, dropped, nil
	case !sc.open && !named:
		return end, hidden, nil
	case !sc.open && sc.mask.action == noAction:
		r.flush(v)
		r.replace(end, "null")
		r.Hidden++
		r.changed()
	case !sc.open: // the weaker actions would let a part of it through
		r.maskScalar(v, end, r.plan.atLeastRedact(sc.mask))
	case sc.mask.action != noAction:
		r.maskScalar(v, end, sc.mask)
	case r.looks(v, sc):
		r.naiveDetect(v, end)
	}
	return end, kept, nil
}

func (r *run) maskScalar(v, end int, mask verdict) {
	r.flush(v)
	if r.muted == 0 {
		raw := r.src[v:end]
		if len(raw) > r.limits.Scalar {
			raw = nil
		}
		r.out = r.plan.rules[mask.rule].appendScalar(r.out, r.src[v], raw, new(scratch))
	}
	r.span = end
	r.masked(mask)
	r.changed()
}

// container reads an array or object that is masked or only partly exposed. It
// is written as if it stayed, and taken back if nothing inside is a reason for
// that.
func (r *run) container(v int, sc *scope, lifted, named bool) (int, fate, error) {
	if r.src[v] == '{' {
		sc.mask = r.plan.atLeastRedact(sc.mask)
	}
	whole := sc.mask.action >= Redact
	open, mask := sc.open, sc.mask
	if whole {
		r.flush(v)
	}
	before, mark := r.naiveTally, len(r.out)
	read := r.read
	if whole && r.plan.shows == 0 {
		read = r.mute
	}
	end, err := read(v, sc)
	if err != nil {
		return end, kept, err
	}
	gone := whole && r.shown == before.shown
	exposed := r.exposed > before.exposed && !gone
	switch {
	case gone && mask.action == Drop:
		return end, dropped, nil
	case !open && !named && !exposed:
		return end, hidden, nil
	case !gone:
		if !open && lifted && exposed {
			r.shown++
		}
		return end, kept, nil
	}
	r.undo(mark, before, end)
	if mask.action == Null {
		r.replace(end, "null")
	} else {
		r.replace(end, redacted)
	}
	r.masked(mask)
	r.changed()
	return end, kept, nil
}

// mute reads a value that will not be sent.
func (r *run) mute(v int, sc *scope) (int, error) {
	r.muted++
	defer func() { r.muted-- }()
	return r.read(v, sc)
}
