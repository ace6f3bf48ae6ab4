package matrix

import (
	"html/template"
	"io"
	"maps"
	"slices"
	"strings"
)

// page is the whole document: it loads nothing and runs nothing.
const page = `<!DOCTYPE html>
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
<p>Policies {{.Revision}}. <span class="visible">In the clear</span>,
<span class="masked">masked, but something shows</span>,
<span class="closed">nothing of the value shows</span>.</p>
<dl>{{range .Classes}}<dt>{{.Name}}</dt><dd>{{.Fields}}</dd>
{{end}}</dl>
{{range .Routes}}<h2>{{.Name}}</h2>
{{range .Tables}}{{if .Nothing}}<p><strong>{{join .When "; "}}</strong>: nobody gets anything</p>
{{else}}<table>
<caption>{{join .When "; "}}</caption>
<thead><tr><th></th>{{range .Who}}<th scope="col">{{.}}</th>{{end}}</tr></thead>
<tbody>
{{range .Rows}}<tr><th scope="row">{{if .Field}}{{.Field}}{{else}}{{.Class}}{{end}}</th>{{range .States}}<td class="{{shade .}}">{{.}}</td>{{end}}</tr>
{{end}}</tbody>
</table>
{{end}}{{end}}{{end}}</body>
</html>
`

// HTML writes a matrix as one page that needs nothing else, of policies with this
// revision.
func HTML(w io.Writer, cells []Cell, revision string) error {
	type class struct{ Name, Fields string }
	type route struct {
		Name   string
		Tables []Table
	}
	data := struct {
		Revision string
		Classes  []class
		Routes   []route
	}{Revision: revision}
	classes := Classes(cells)
	for _, name := range slices.Sorted(maps.Keys(classes)) {
		if name != "" {
			data.Classes = append(data.Classes, class{name, strings.Join(classes[name], ", ")})
		}
	}
	for _, t := range Tables(cells) {
		if n := len(data.Routes); n == 0 || data.Routes[n-1].Name != t.Route {
			data.Routes = append(data.Routes, route{Name: t.Route})
		}
		last := &data.Routes[len(data.Routes)-1]
		last.Tables = append(last.Tables, t)
	}
	t, err := template.New("matrix").Funcs(template.FuncMap{"join": strings.Join, "shade": shade}).Parse(page)
	if err != nil {
		return err
	}
	return t.Execute(w, data)
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
