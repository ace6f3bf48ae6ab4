package matrix

import (
	"cmp"
	"html"
	"io"
	"maps"
	"slices"
	"strings"
)

// head is how the document begins: it loads nothing and runs nothing.
const head = `<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">
<title>Who sees what</title>
<style>
body { font: 14px/1.4 system-ui, sans-serif; margin: 2em; color: #222 }
table { border-collapse: collapse; margin: 0 0 2em }
caption { text-align: left; font-weight: bold; padding: .4em 0 }
th, td { border: 1px solid #ccc; padding: .2em .6em; text-align: left }
th[scope=row] { font-weight: normal }
.visible { background: #fde2dc }
.masked { background: #fdf3d0 }
.closed { background: #e4f2e4; color: #666 }
</style>
</head>
<body>
<h1>Who sees what</h1>
`

// legend says what the colours are.
const legend = `<span class="visible">In the clear</span>,
<span class="masked">masked, but something shows</span>,
<span class="closed">nothing of the value shows</span>.</p>
`

// HTML writes a matrix as one page that needs nothing else, of policies with this
// revision. It does without html/template: that calls methods by name, for which
// the linker has to keep every method of every type in the program.
func HTML(w io.Writer, cells []Cell, revision string) error {
	p := &document{}
	p.raw(head, "<p>Policies ").text(revision).raw(". ", legend, "<dl>")
	classes := Classes(cells)
	for _, name := range slices.Sorted(maps.Keys(classes)) {
		if name != "" {
			p.raw("<dt>").text(name).raw("</dt><dd>").text(strings.Join(classes[name], ", ")).raw("</dd>\n")
		}
	}
	p.raw("</dl>\n")
	route := ""
	for i, t := range Tables(cells) {
		if i == 0 || t.Route != route {
			route = t.Route
			p.raw("<h2>").text(route).raw("</h2>\n")
		}
		p.table(t)
	}
	p.raw("</body>\n</html>\n")
	_, err := io.WriteString(w, p.String())
	return err
}

// document is a page in the making. What comes from policies goes through text.
type document struct{ strings.Builder }

// raw adds what is HTML already: words of this file, and nothing else.
func (d *document) raw(words ...string) *document {
	for _, s := range words {
		d.WriteString(s)
	}
	return d
}

// text adds a text, as content of an element.
func (d *document) text(s string) *document {
	d.WriteString(html.EscapeString(s))
	return d
}

func (d *document) table(t Table) {
	when := strings.Join(t.When, "; ")
	if t.Nothing {
		d.raw("<p><strong>").text(when).raw("</strong>: nobody gets anything</p>\n")
		return
	}
	d.raw("<table>\n<caption>").text(when).raw("</caption>\n<thead><tr><th></th>")
	for _, who := range t.Who {
		d.raw(`<th scope="col">`).text(who).raw("</th>")
	}
	d.raw("</tr></thead>\n<tbody>\n")
	for _, r := range t.Rows {
		d.raw(`<tr><th scope="row">`).text(cmp.Or(r.Field, r.Class)).raw("</th>")
		for _, state := range r.States {
			d.raw(`<td class="`, shade(state), `">`).text(state).raw("</td>")
		}
		d.raw("</tr>\n")
	}
	d.raw("</tbody>\n</table>\n")
}

// shade is the class of style of a state.
func shade(state string) string {
	switch {
	case state == Visible:
		return "visible"
	case rank(state) <= rank("redact"):
		return "closed"
	}
	return "masked"
}
