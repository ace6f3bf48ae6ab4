package redact

// symbol stands for all names of members that no path tells apart.
type symbol int32

const (
	symOther symbol = iota // a name that stands in no path
	symElem                // not a name: an element of an array
	symNames               // the first of those that stand in one
)

// automaton is all paths of a plan as one nondeterministic automaton
// (Glushkov) with a bit for every position in every path: being at position j
// of a path means that j of its segments are behind. The bits of a value follow
// from those of its container and from its name alone. In this order stand the
// paths of the masks, shows, exposed paths and row filters, those where nothing
// need be detected, and those that are sensitive; then a bit for every row filter,
// on at the elements that it judges one by one; then the fields of the conditions.
//
// All segments advance at once: shift what matches by a bit, keep what waits.
type automaton struct {
	size  int // positions
	words int // of a set of them

	masks, shows, expose, rows span
	knownAt, namedAt           span
	sensitiveAt                span
	each                       int // position of the first bit of "judged one by one"
	first                      []int
	owner                      []int32 // path by position
	fields                     []fieldPath

	match   []set     // by symbol: positions whose segment it matches
	near    [][]int32 // by symbol: positions of fields that it equals loosely, not exactly
	any     set       // positions that every symbol matches
	members set       // positions that any name matches
	deep    set       // positions in front of a segment behind ".."
	through set       // positions that hold for the elements of an array, too
	skip    set       // positions in front of a [*] that is decoration
	final   set       // ends of paths
	ends    set       // positions in front of a [*] at the end, which matches what is not an array
	elems   set       // of row filters: in front of a [*]
	byName  set       // of exposed paths: in front of a name
	plain   set       // of exposed paths: in front of a [*] without ".."
	exact   map[string]symbol
	loose   map[string]symbol
}

// span is a range of positions, paths or bytes.
type span struct{ from, to int }

// fieldPath is where the field of a condition stands among the positions: from
// at on one for every number of segments that may be behind. All of these but
// the first have a twin, len(path) positions further on, for a name that equals
// the wanted one only loosely.
type fieldPath struct {
	filter int
	leaf   int // of the filter
	at     int
	path   []segment
}

// end is the position of the field itself, last that of its last twin.
func (f *fieldPath) end() int  { return f.at + len(f.path) }
func (f *fieldPath) last() int { return f.at + 2*len(f.path) }

// build lays out the positions of the plan's paths and fields.
func (a *automaton) build(p *Plan) {
	for i := range p.patterns {
		a.first = append(a.first, a.size)
		for range len(p.patterns[i].segs) + 1 {
			a.owner = append(a.owner, int32(i))
		}
		a.size += len(p.patterns[i].segs) + 1
	}
	a.first = append(a.first, a.size)
	from := 0
	for i, n := range []int{p.masks, p.shows, p.expose, len(p.filters), p.known, p.named, p.sensitive} {
		*[]*span{&a.masks, &a.shows, &a.expose, &a.rows, &a.knownAt, &a.namedAt, &a.sensitiveAt}[i] = span{a.first[from], a.first[from+n]}
		from += n
	}
	a.each = a.size
	a.size += len(p.filters)
	for i, f := range p.filters {
		for k, c := range f.leaves {
			a.fields = append(a.fields, fieldPath{i, k, a.size, c.field})
			a.size += 2*len(c.field) + 1
		}
	}
	a.words = (a.size + 63) / 64
	sets := []*set{&a.any, &a.members, &a.deep, &a.through, &a.skip, &a.final, &a.ends, &a.elems, &a.byName, &a.plain}
	for i, s := range a.allot(len(sets)) {
		*sets[i] = s
	}
	a.addNames(p)
	for i := range p.patterns {
		a.addPath(&p.patterns[i], a.first[i], i >= p.masks+p.shows && i < p.masks+p.shows+p.expose)
	}
	for i := range p.filters {
		a.through.add(a.each + i)
	}
	a.addFields()
}

// allot makes n empty sets.
func (a *automaton) allot(n int) []set {
	bits, out := make(set, n*a.words), make([]set, n)
	for i := range out {
		out[i] = bits[i*a.words : (i+1)*a.words : (i+1)*a.words]
	}
	return out
}

// addNames gives every name of a path a symbol: one for each spelling where
// the spelling counts, one for all loosely equal spellings where it does not.
func (a *automaton) addNames(p *Plan) {
	a.exact, a.loose = map[string]symbol{}, map[string]symbol{}
	n := symNames
	add := func(m map[string]symbol, name string) {
		if _, ok := m[name]; !ok {
			m[name] = n
			n++
		}
	}
	for i := range p.patterns {
		for _, s := range p.patterns[i].segs {
			if s.kind == segName {
				add(a.loose, s.fold)
				if p.patterns[i].read == readGrant {
					add(a.exact, s.name)
				}
			}
		}
	}
	for _, f := range p.filters {
		for _, c := range f.leaves {
			for _, s := range c.field {
				add(a.loose, s.fold)
				add(a.exact, s.name)
			}
		}
	}
	a.match, a.near = a.allot(int(n)), make([][]int32, n)
}

// addPath marks the positions of a path, which starts at first.
func (a *automaton) addPath(p *pattern, first int, exposes bool) {
	a.final.add(first + len(p.segs))
	for j := range p.segs {
		seg, at := &p.segs[j], first+j
		last := j == len(p.segs)-1
		decoration := seg.kind == segElems && !seg.deep && p.read != readRows
		switch {
		case seg.deep:
			a.deep.add(at)
		case seg.kind != segElems && p.read != readRows:
			a.through.add(at)
		}
		switch {
		case decoration && last:
			a.ends.add(at)
		case decoration:
			a.skip.add(at)
		case seg.kind == segElems && p.read == readRows:
			a.elems.add(at)
		}
		if exposes && seg.kind == segName {
			a.byName.add(at)
		}
		if exposes && seg.kind == segElems && !seg.deep {
			a.plain.add(at)
		}
		a.addMatches(seg, p.read, at)
	}
}

// addMatches marks the position in the set of the symbol that the segment
// behind it matches.
func (a *automaton) addMatches(seg *segment, read reading, at int) {
	switch {
	case seg.kind == segAny, seg.kind == segElems && read == readMask:
		a.any.add(at)
	case seg.kind == segElems:
		a.match[symElem].add(at)
	case read == readGrant:
		a.match[a.exact[seg.name]].add(at)
	default:
		a.match[a.loose[seg.fold]].add(at)
	}
}

// addFields marks the positions of the fields of conditions, and then lets
// every spelling have what is asked for in any spelling.
func (a *automaton) addFields() {
	spellings := make(map[symbol][]symbol, len(a.exact))
	for name, sym := range a.exact {
		loose := a.loose[foldString(name)]
		a.match[sym].join(a.match[loose])
		spellings[loose] = append(spellings[loose], sym)
	}
	for _, f := range a.fields {
		for j, s := range f.path {
			loose := a.loose[s.fold]
			for _, sym := range append(spellings[loose], loose) {
				if sym == a.exact[s.name] {
					a.match[sym].add(f.at + j)
				} else {
					a.near[sym] = append(a.near[sym], int32(f.at+j))
					a.members.add(f.at + j)
				}
			}
		}
	}
	for sym, m := range a.match {
		m.join(a.any)
		if symbol(sym) != symElem {
			a.members.join(m)
		}
	}
}
