package compare

import (
	"fmt"
	"maps"
	"slices"

	"github.com/gatehouse-dev/gatehouse/policies"
)

// rule is what the masks at one path come to.
type rule struct {
	action string // "" for none
	bucket float64
}

// openness grows with what is seen. A show is more open than no mask at all: it
// lifts masks that other paths lay on the same value.
func (r rule) openness() int {
	if r.action == "" {
		return len(policies.MaskActions()) - 1
	}
	i := slices.Index(policies.MaskActions(), r.action)
	if r.action == policies.ActionShow {
		i++
	}
	return i
}

func (r rule) String() string {
	switch {
	case r.action == "":
		return "no mask"
	case r.bucket != 0:
		return fmt.Sprintf("%s by %g", r.action, r.bucket)
	}
	return r.action
}

// rules brings the masks of one path together: a show lifts the others, and of
// the others the strictest wins.
func rules(masks []policies.Mask) map[string]rule {
	out := map[string]rule{}
	for _, m := range masks {
		r, have := rule{m.Action, m.Bucket}, out[m.Path]
		_, ok := out[m.Path]
		switch {
		case !ok, r.action == policies.ActionShow, have.action != policies.ActionShow && r.openness() < have.openness(),
			r.action == have.action && r.bucket > have.bucket:
			out[m.Path] = r
		}
	}
	return out
}

func (l *differences) masks(a, b *policies.Decision) {
	before, after := rules(a.Mask), rules(b.Mask)
	for _, path := range union(before, after) {
		x, y := before[path], after[path]
		change := y.openness() - x.openness()
		if change == 0 && x.bucket != y.bucket {
			change = narrower(x.bucket, y.bucket)
		}
		l.either(change, NewlyVisible, NewlyHidden, path, x.String(), y.String())
	}
	// What neither masks nor exposes is refused where a route requires masks,
	// unless all_fields is said.
	if silent(a) && silent(b) && a.AllFields != b.AllFields {
		l.either(sign(b.AllFields), NewlyVisible, NewlyHidden, "all_fields", said(a.AllFields), said(b.AllFields))
	}
}

// narrower tells whether smaller buckets tell more. Against the default width
// of the engine, 0, there is no telling, so that is taken for more.
func narrower(before, after float64) int {
	if before != 0 && after > before {
		return -1
	}
	return 1
}

func silent(d *policies.Decision) bool { return len(d.Mask) == 0 && len(d.Expose) == 0 }

func said(yes bool) string {
	if yes {
		return "said"
	}
	return "not said"
}

func sign(yes bool) int {
	if yes {
		return 1
	}
	return -1
}

// exposed compares the allow lists. An empty one hides nothing.
func (l *differences) exposed(a, b *policies.Decision) {
	const list, hidden, passes = "the allow list", "not on the allow list", "on the allow list"
	switch {
	case len(a.Expose) == 0 && len(b.Expose) == 0:
	case len(b.Expose) == 0:
		l.add(NewlyVisible, list, "in force", "gone")
	case len(a.Expose) == 0:
		l.add(NewlyHidden, list, "none", "in force")
	default:
		gone, added := changed(a.Expose, b.Expose)
		for _, path := range added {
			l.add(NewlyVisible, path, hidden, passes)
		}
		for _, path := range gone {
			l.add(NewlyHidden, path, passes, hidden)
		}
	}
}

func (l *differences) classified(a, b []string) {
	gone, added := changed(a, b)
	for _, path := range added {
		l.add(Unclassified, path, "", "")
	}
	for _, path := range gone {
		l.add(Declassified, path, "", "")
	}
}

// changed tells which words a list has lost and got.
func changed(a, b []string) (gone, added []string) {
	for _, s := range a {
		if !slices.Contains(b, s) {
			gone = append(gone, s)
		}
	}
	for _, s := range b {
		if !slices.Contains(a, s) {
			added = append(added, s)
		}
	}
	return gone, added
}

// union lists the keys of both maps, sorted.
func union[V any](a, b map[string]V) []string {
	keys := slices.AppendSeq(slices.Collect(maps.Keys(a)), maps.Keys(b))
	slices.Sort(keys)
	return slices.Compact(keys)
}
