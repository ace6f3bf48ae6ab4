package redact

import "slices"

// Columns is what a plan makes of a table: of any number of rows of texts under
// the same names. It holds room for the work on one row and is for one
// goroutine.
//
// A table is read as an array of flat records, but what its columns are called
// is not what the members of the JSON answer are called: a.b becomes "a.b",
// "a/b" or "A: B". So a mask holds for a column by the last name of its path
// alone, and wherever the words of the column's name hold that name. What a
// mask on everything in a container ($.pay.*) is about can only be told where
// columns name the container; one that names nothing ($..*) holds for all.
//
// Show and expose grant, and so must say exactly what they mean: $.name,
// $..name or $[*].name with the whole name of the column as it is spelled; and
// for expose $, $.*, $..*, $[*] and $[*].*.
//
// Row filters judge every row, whatever their path. Personal data is looked for
// in columns that neither a mask nor show nor expose speaks of by name, nor a
// known path by a last name that the column's name is or ends in.
type Columns struct {
	plan    *Plan
	limits  Limits
	columns []column
	fields  [][]int // for each filter and comparison, its column, or -1
	scratch scratch
	json    []byte // a masked value
	counted int    // sensitive texts
}

type column struct {
	name    string
	mask    verdict
	hidden  bool
	watched bool // unless it is masked or hidden
	counted bool // its texts are sensitive, and stay
	found   []Finding
}

// Columns tells what the plan makes of a table whose columns have these names,
// in valid UTF-8. Of the limits only Scalar matters.
func (p *Plan) Columns(names []string, limits Limits) *Columns {
	c := &Columns{plan: p, limits: limits.withDefaults(), columns: make([]column, len(names))}
	behind := p.patterns[p.masks:]
	shows, expose := behind[:p.shows], behind[p.shows:][:p.expose]
	masks, known := lastNames(p.patterns[:p.masks]), lastNames(behind[p.shows+p.expose+len(p.filters):][:p.known])
	sensitive := lastNames(p.patterns[len(p.patterns)-p.sensitive:])
	headings := make([]*heading, len(names))
	for i, name := range names {
		headings[i] = newHeading(name)
	}
	p.widen(masks, headings)
	for i, name := range names {
		c.columns[i] = column{
			name: name, watched: p.watches(name, headings[i], known),
			hidden: len(expose) > 0 && !slices.ContainsFunc(expose, func(pat pattern) bool { return pat.isAll() || pat.isColumn(name) }),
		}
		if !slices.ContainsFunc(shows, func(pat pattern) bool { return pat.isColumn(name) }) {
			c.columns[i].mask = p.maskOf(headings[i], masks)
		}
		c.columns[i].counted = c.Action(i) == noAction && slices.ContainsFunc(sensitive, func(s *heading) bool { return s == nil || headings[i].holds(s) })
	}
	for _, f := range p.filters {
		var fields []int
		for _, cond := range f.leaves {
			fields = append(fields, columnOf(cond.field, names, headings))
		}
		c.fields = append(c.fields, fields)
	}
	return c
}

// Defaults gives the limits with the defaults in place of fields that are zero.
func (l Limits) Defaults() Limits { return l.withDefaults() }

// Action gives what is done to the texts of column i: 0 is nothing, and Drop
// says that the column is removed, by a mask or because it is not exposed.
func (c *Columns) Action(i int) Action {
	if c.columns[i].hidden {
		return Drop
	}
	return c.columns[i].mask.action
}

// Counted reports whether the texts of column i have to be given to
// [Columns.Count].
func (c *Columns) Counted(i int) bool { return c.columns[i].counted }

// Count counts a text of a column that is [Columns.Counted], in a row that is kept.
// The empty text is none.
func (c *Columns) Count(text []byte) {
	if len(text) > 0 {
		c.counted++
	}
}

// Report tells what was changed in a table of which so many rows were kept and
// so many dropped. Masked, Rules and Hidden count the texts of the rows that
// were kept.
func (c *Columns) Report(kept, dropped int) Report {
	out := Report{Dropped: dropped, Sensitive: c.counted}
	if c.plan.asked > 0 {
		out.Rules = make([]int, c.plan.asked)
	}
	for _, col := range c.columns {
		switch {
		case col.hidden:
			out.Hidden += kept
		case col.mask.action != noAction:
			out.Masked += kept
			out.Rules[c.plan.rules[col.mask.rule].origin] += kept
		}
	}
	found, redacted := c.findings()
	out.Found, out.Masked = found, out.Masked+redacted
	return out
}

// Append appends what stands in place of a text of column i, which is in valid
// UTF-8. Null makes any text empty and redact makes any "***"; under the other
// actions the empty text stays empty. Hash and tokenize take everything as a
// text, so that a number has another hash in a table than in JSON. Generalize
// and partial take as a number what is spelled as one in JSON: a text that may
// have been one is not to show more than the number would.
func (c *Columns) Append(dst, text []byte, i int) []byte {
	r := &c.plan.rules[c.columns[i].mask.rule]
	number := (r.action == Partial || r.action == Generalize) && spellsNumber(text)
	switch {
	case c.columns[i].mask.action == noAction:
		return append(dst, text...)
	case r.action == Null, len(text) == 0 && r.action < Redact:
		return dst
	case r.action >= Redact, len(text) > c.limits.Scalar:
		c.json = append(c.json[:0], redacted...)
	case r.action == Partial:
		c.json = appendPartial(c.json[:0], text, !number)
	case r.action == Generalize:
		c.json = appendGeneral(c.json[:0], text, !number, r.bucket)
	case r.action == Tokenize:
		c.json = r.sealer.appendToken(c.json[:0], text, true)
	case r.action == Hash:
		c.json = r.sealer.appendHash(c.json[:0], text, true)
	}
	if c.json[0] != '"' {
		return append(dst, c.json...)
	}
	dst, _ = unquote(dst, c.json) // it holds no half of a surrogate pair
	return dst
}

// spellsNumber reports whether text is spelled as a number in JSON.
func spellsNumber(text []byte) bool {
	state := numStart
	for _, b := range text {
		var ok bool
		if state, ok = state.next(b); !ok {
			return false
		}
	}
	return state.complete()
}

// Filtered reports whether there are row filters.
func (c *Columns) Filtered() bool { return len(c.fields) > 0 }

// Passes reports whether the row filters let a row pass, of which text gives
// the text of a column, valid until it is called again.
//
// The field of a condition is the column of that name, names in a longer path
// being joined by dots. A text is compared as what it is compared with: as a
// string, as a number if it is spelled as one in JSON, as a boolean if it is
// true, false, True or False; the empty text is null. Everything else is
// undefined: a text longer than the limit, a column that is not there, that is
// there twice or also under a name that differs only loosely, and whether an
// empty text exists, because it may stand for a member that does not.
func (c *Columns) Passes(text func(column int) []byte) bool {
	for i := range c.fields {
		leaf := func(cond *cond) truth { return c.compares(cond, c.fields[i][cond.leaf], text) }
		if !c.plan.filters[i].holds(leaf) {
			return false
		}
	}
	return true
}

func (c *Columns) compares(cond *cond, column int, textOf func(int) []byte) truth {
	if cond.never || column < 0 {
		return undefined
	}
	text := textOf(column)
	switch {
	case len(text) > c.limits.Scalar, cond.op == opExists && len(text) == 0:
		return undefined
	case cond.op == opExists:
		return truthOf(string(cond.values[0].text) != "false")
	case cond.op != opIn && cond.op != opNotIn:
		return cond.test(c.as(text, cond.values[0].kind))
	}
	out := no
	for _, want := range cond.values {
		switch c.as(text, want.kind).equals(want) {
		case yes:
			return truthOf(cond.op == opIn)
		case undefined:
			out = undefined
		}
	}
	if cond.op == opNotIn {
		return out.not()
	}
	return out
}

// as reads text as a literal of that kind if it can be, and otherwise as a
// string or, if it is empty, as null.
func (c *Columns) as(text []byte, kind byte) literal {
	l := literal{kind: '"', text: text}
	switch {
	case len(text) == 0:
		l.kind = 'n'
	case kind == 't':
		switch string(text) {
		case "true", "True", "false", "False":
			c.scratch.buf = append(c.scratch.buf[:0], text...)
			c.scratch.buf[0] |= 'a' - 'A'
			l = literal{kind: 't', text: c.scratch.buf}
		}
	case kind == '-' && spellsNumber(text):
		c.scratch.buf = slices.Grow(c.scratch.buf[:0], len(text))
		if d, ok := parseDecimal(c.scratch.buf, text); ok {
			l = literal{kind: '-', number: d}
		}
	}
	return l
}

// maskOf gives the strictest mask that holds for a column. The rules are
// sorted, so the first is the strictest.
func (p *Plan) maskOf(h *heading, masks []*heading) verdict {
	for i, m := range masks {
		if m == nil || h.holds(m) {
			return verdict{p.rules[i].action, i}
		}
	}
	return verdict{}
}

// widen makes the masks hold for all columns that are about the elements of a
// list which none of them names.
func (p *Plan) widen(masks, headings []*heading) {
	for i, m := range masks {
		if m != nil && p.patterns[i].endsInElements() && !slices.ContainsFunc(headings, func(h *heading) bool { return h.holds(m) }) {
			masks[i] = nil
		}
	}
}

// endsInElements reports whether the path selects elements of an array behind
// its last name.
func (p *pattern) endsInElements() bool {
	for _, s := range slices.Backward(p.segs) {
		if s.kind != segAny {
			return s.kind == segElems
		}
	}
	return false
}

// isColumn reports whether the path is that of a member by this name of a flat
// record, or of the records of a list.
func (p *pattern) isColumn(name string) bool {
	segs := p.ofRecord()
	return len(segs) == 1 && segs[0].kind == segName && segs[0].name == name
}

// isAll reports whether the path is that of all records, or of all that is in
// them.
func (p *pattern) isAll() bool {
	segs := p.ofRecord()
	return len(segs) == 0 || len(segs) == 1 && segs[0].kind == segAny
}

// ofRecord gives the path without the [*] that selects the records of a list.
func (p *pattern) ofRecord() []segment {
	s := p.segs
	if len(s) > 0 && s[0].kind == segElems && !s[0].deep && (len(s) == 1 || !s[1].deep) {
		return s[1:]
	}
	return s
}
