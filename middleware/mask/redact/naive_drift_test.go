package redact

import (
	"cmp"
	"regexp"
	"slices"
	"strings"
)

// report gives what was counted.
func (r *run) report() Report {
	out := r.Report
	if r.plan.asked > 0 {
		out.Rules = make([]int, r.plan.asked)
	}
	for _, i := range r.ruled {
		out.Rules[i]++
	}
	out.Found = gather(r.found)
	return out
}

// masked counts a value that a mask has replaced or removed.
func (r *run) masked(mask verdict) {
	r.Masked++
	r.ruled = append(r.ruled, r.plan.rules[mask.rule].origin)
}

// naiveSee notes what is known about a value, for the sake of what is looked
// for in it.
func (r *run) naiveSee(sc *scope, lifted, array bool) {
	from := r.plan.masks + r.plan.shows + r.plan.expose + len(r.plan.filters)
	for i := range r.plan.known + r.plan.named {
		if !r.plan.patterns[from+i].accepts(sc.states[from+i], array) {
			continue
		}
		if i < r.plan.known {
			sc.known = true
		} else {
			sc.named = true
		}
	}
	sc.known = sc.known || lifted
}

// looks reports whether the scalar at v is looked at.
func (r *run) looks(v int, sc *scope) bool {
	c := at(r.src, v)
	return r.plan.detect != nil && r.muted == 0 && (c == '"' || c == '-' || '0' <= c && c <= '9') &&
		sc.open && sc.mask.action == noAction && !sc.known && !sc.named
}

func (r *run) naiveDetect(v, end int) {
	text, ok := r.src[v:end], true
	isString := text[0] == '"'
	if len(text) > r.limits.Scalar {
		return
	}
	if isString {
		text, ok = unquote(nil, text)
	}
	if !ok || len(text) > 256 {
		return
	}
	class := r.plan.detect(text, isString)
	if class == "" {
		return
	}
	r.found = append(r.found, Finding{r.naivePath(), class, 1})
	if r.plan.redactFound {
		r.flush(v)
		r.replace(end, redacted)
		r.Masked++
		r.changed()
	}
}

func (r *run) naivePath() string {
	out := "$"
	for _, c := range r.path {
		if c.index >= 0 {
			out += "[*]"
			continue
		}
		name, ok := unquote(nil, r.src[c.start:c.end])
		if !ok || r.plan.detect(name, true) != "" {
			name = make([]byte, 65)
		}
		out += naiveSegment(string(name))
	}
	if len(r.path) > 16 {
		return ""
	}
	return out
}

// naiveSegment writes a name as a segment.
func naiveSegment(name string) string {
	switch {
	case len(name) > 64:
		return ".*"
	case regexp.MustCompile(`^[A-Za-z_\x{80}-\x{10ffff}][0-9A-Za-z_\x{80}-\x{10ffff}]*$`).MatchString(name):
		return "." + name
	}
	return "['" + strings.NewReplacer(`\`, `\\`, `'`, `\'`, "\n", `\n`, "\x01", `\u0001`).Replace(name) + "']"
}

// gather adds up what was found one by one, in the order of the text.
func gather(found []Finding) []Finding {
	var out []Finding
	var paths []string
	for _, f := range found {
		if f.Path != "" && !slices.Contains(paths, f.Path) {
			if len(paths) == 32 {
				f.Path = ""
			} else {
				paths = append(paths, f.Path)
			}
		}
		i := slices.IndexFunc(out, func(o Finding) bool { return o.Path == f.Path && o.Class == f.Class })
		if i < 0 {
			out = append(out, f)
		} else {
			out[i].Count++
		}
	}
	slices.SortFunc(out, func(a, b Finding) int {
		return cmp.Or(cmp.Compare(a.Path, b.Path), cmp.Compare(a.Class, b.Class))
	})
	return out
}
