package redact

import (
	"cmp"
	"slices"
)

// Add adds the counts of another report under the same plan: that of the next
// text of a stream. Pointers stay as they are, since they are about one text.
// However many reports are added, Found tells no more places than that of one.
func (r *Report) Add(o Report) {
	r.Masked += o.Masked
	r.Dropped += o.Dropped
	r.Hidden += o.Hidden
	r.Sensitive += o.Sensitive
	r.Rows += o.Rows
	r.Documents += o.Documents
	if r.Rules == nil && o.Rules != nil {
		r.Rules = make([]int, len(o.Rules))
	}
	for i, n := range o.Rules {
		r.Rules[i] += n
	}
	for _, f := range o.Found {
		r.find(f)
	}
}

// find adds a finding, in order.
func (r *Report) find(f Finding) {
	at, ok := slices.BinarySearchFunc(r.Found, f, compareFindings)
	if !ok && f.Path != "" && r.crowded(f.Path) {
		f.Path = ""
		at, ok = slices.BinarySearchFunc(r.Found, f, compareFindings)
	}
	if !ok {
		r.Found = slices.Insert(r.Found, at, Finding{Path: f.Path, Class: f.Class})
	}
	r.Found[at].Count += f.Count
}

// crowded reports whether there is no room for another place.
func (r *Report) crowded(path string) bool {
	places, last := 0, ""
	for _, f := range r.Found {
		if f.Path == path {
			return false
		}
		if f.Path != last {
			places, last = places+1, f.Path
		}
	}
	return places >= maxFound
}

func compareFindings(a, b Finding) int {
	return cmp.Or(cmp.Compare(a.Path, b.Path), cmp.Compare(a.Class, b.Class))
}
