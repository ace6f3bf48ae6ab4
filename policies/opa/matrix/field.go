package matrix

import (
	"cmp"
	"slices"
	"strings"

	"github.com/gatehouse-dev/gatehouse/policies"
	"github.com/gatehouse-dev/gatehouse/policies/opa/cases"
)

// field is a member of an answer that the policies speak of.
type field struct {
	names []string
	// absolute says that it stands in the answer beside the records, not in them.
	absolute bool
	action   string // the only action in whose answer it stands; "" for every one
	class    string
}

// text is how a matrix shows the field.
func (f field) text() string {
	t := strings.Join(f.names, ".")
	if f.absolute {
		t = "$." + t
	}
	return t
}

// key is equal for fields that masks take for the same.
func (f field) key() string { return f.action + " " + cases.Fold(f.text()) }

// places are where the field may stand in an answer whose records stand there.
func (f field) places(roots [][]string) [][]string {
	if f.absolute || len(roots) == 0 {
		return [][]string{f.names}
	}
	var out [][]string
	for _, r := range roots {
		out = append(out, slices.Concat(r, f.names))
	}
	return out
}

// stateAt is what a decision does to a place.
func stateAt(d *policies.Decision, names []string) string {
	if !cases.ExposedAt(d, names) {
		return Hidden
	}
	return cmp.Or(cases.ActionAt(d, names), Visible)
}

// shape is what an answer to an action on a route looks like.
type shape struct{ route, action string }

// vocabulary is what the decisions on all questions speak of.
type vocabulary struct {
	fields map[string][]field   // by route
	roots  map[shape][][]string // where the records stand
}

// learn collects it. Where records stand is learnt from the row filters of all
// callers, for one who sees every row has none.
func learn(surveys ...*Survey) vocabulary {
	v := vocabulary{map[string][]field{}, map[shape][][]string{}}
	for _, s := range surveys {
		for _, a := range s.answers {
			for _, row := range a.said.Rows {
				v.addRoot(shape{a.route, a.action}, row.Path)
			}
		}
	}
	for _, s := range surveys {
		for _, a := range s.answers {
			at := v.roots[shape{a.route, a.action}]
			for _, m := range a.said.Mask {
				v.add(a, m.Path, m.Class, at)
			}
			for _, path := range slices.Concat(a.said.Classified, a.said.Expose) {
				v.add(a, path, "", at)
			}
		}
	}
	for _, list := range v.fields {
		slices.SortFunc(list, func(a, b field) int { return cmp.Or(cmp.Compare(a.class, b.class), cmp.Compare(a.text(), b.text())) })
	}
	return v
}

func (v *vocabulary) addRoot(at shape, path string) {
	names, ok := plain(path)
	if !ok {
		return
	}
	for i, r := range v.roots[at] {
		switch {
		case slices.Equal(names, r), under(names, r) && len(r) > 0: // or what stands inside of a record
			return
		case under(r, names) && len(names) > 0:
			v.roots[at][i] = names
			return
		}
	}
	v.roots[at] = append(v.roots[at], names)
}

// add notes a field; a mask tells its class.
func (v *vocabulary) add(a answered, path, class string, roots [][]string) {
	names, ok := plain(path)
	if !ok || len(names) == 0 {
		return
	}
	f := field{names: names, class: class}
	if !strings.HasPrefix(path, "$..") {
		f.absolute, f.action = len(roots) > 0, a.action
		for _, r := range roots {
			if under(names, r) {
				f.names, f.absolute = names[len(r):], false
			}
		}
		if !f.absolute {
			f.action = ""
		}
		if len(f.names) == 0 {
			return // the whole record
		}
	}
	list := v.fields[a.route]
	i := slices.IndexFunc(list, func(g field) bool { return g.key() == f.key() })
	if i < 0 {
		v.fields[a.route] = append(list, f)
		return
	}
	list[i].class = cmp.Or(list[i].class, class)
}

// plain gives the names of a path, unless some of it may be anything.
func plain(path string) (names []string, ok bool) {
	for _, s := range cases.Parse(path) {
		if s.Any {
			return nil, false
		}
		names = append(names, s.Name)
	}
	return names, true
}

// under reports whether names stand at a place or below it.
func under(names, place []string) bool {
	return len(names) >= len(place) && slices.Equal(names[:len(place)], place)
}
