package redact

import (
	"cmp"
	"slices"
)

// watches reports whether Detect is asked about the texts of a column that no
// mask holds for. No show may name it and no exposed path, and no known path
// may end in a name that its own name is or ends in; a known path without a
// name holds for all columns.
func (p *Plan) watches(name string, h *heading, known []*heading) bool {
	isColumn := func(pat pattern) bool { return pat.isColumn(name) }
	grants := p.patterns[p.masks:][:p.shows+p.expose]
	return p.detect != nil && !slices.ContainsFunc(grants, isColumn) &&
		!slices.ContainsFunc(known, func(last *heading) bool { return last == nil || h.endsIn(last) })
}

// Watched reports whether the texts of column i have to be given to
// [Columns.Look].
func (c *Columns) Watched(i int) bool {
	return !c.columns[i].hidden && c.columns[i].mask.action == noAction && c.columns[i].watched
}

// Look asks [Options].Detect about a text of the watched column i, in a row
// that is kept. It counts what is found, and reports whether "***" is to stand
// in its place. A text that is spelled as a number may have been one or not, so
// it is asked about as both.
func (c *Columns) Look(i int, text []byte) bool {
	if len(text) == 0 || len(text) > maxDetect {
		return false
	}
	class := c.plan.detect(text, true)
	if class == "" && spellsNumber(text) {
		class = c.plan.detect(text, false)
	}
	if class == "" {
		return false
	}
	col := &c.columns[i]
	at := slices.IndexFunc(col.found, func(f Finding) bool { return f.Class == class })
	if at < 0 {
		at = len(col.found)
		col.found = append(col.found, Finding{Path: c.plan.columnPath(col.name), Class: class})
	}
	col.found[at].Count++
	return c.plan.redactFound
}

// columnPath gives the path of the values of a column. A name can be data.
func (p *Plan) columnPath(name string) string {
	if len(name) > maxFoundName || p.detect([]byte(name), true) != "" {
		return "$[*].*"
	}
	return string(appendName([]byte("$[*]"), []byte(name)))
}

// findings gives what was found, and how many of it were redacted.
func (c *Columns) findings() (out []Finding, redacted int) {
	paths := map[string]bool{}
	for _, col := range c.columns {
		for _, f := range col.found {
			if !paths[f.Path] && len(paths) == maxFound {
				f.Path = ""
			} else {
				paths[f.Path] = true
			}
			at := slices.IndexFunc(out, func(o Finding) bool { return o.Path == f.Path && o.Class == f.Class })
			if at < 0 {
				at = len(out)
				out = append(out, Finding{Path: f.Path, Class: f.Class})
			}
			out[at].Count += f.Count
			if c.plan.redactFound {
				redacted += f.Count
			}
		}
	}
	slices.SortFunc(out, func(a, b Finding) int {
		return cmp.Or(cmp.Compare(a.Path, b.Path), cmp.Compare(a.Class, b.Class))
	})
	return out, redacted
}
