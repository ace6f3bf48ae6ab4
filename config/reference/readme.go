package main

import (
	_ "embed"
	"fmt"
	"regexp"
	"strings"
)

//go:embed intro.md
var intro string

// readme writes the model for people: one table per section, in the order in
// which the sections can be written.
func (m model) readme() []byte {
	w := &writer{model: m, anchors: map[string]string{}}
	w.b.WriteString(intro)
	w.plan("Config", "")
	w.write("Config", "")
	return []byte(w.b.String())
}

type writer struct {
	model   model
	anchors map[string]string // the heading of each section, by type
	b       strings.Builder
}

// plan decides where each section is explained: where it comes first. Another
// place that takes the same section refers to it.
func (w *writer) plan(name, path string) {
	w.anchors[name] = path
	for _, f := range w.model[name].fields {
		if t := bare(f.typ); w.model[t] != nil && w.unplanned(t) {
			w.plan(t, below(path, f))
		}
	}
}

func (w *writer) unplanned(name string) bool {
	_, ok := w.anchors[name]
	return !ok
}

func (w *writer) write(name, path string) {
	s := w.model[name]
	if path != "" {
		level := 2 + strings.Count(strings.ReplaceAll(path, ".NAME", ""), ".")
		fmt.Fprintf(&w.b, "\n%s %s\n\n%s\n", strings.Repeat("#", level), path, s.doc)
	}
	w.b.WriteString("\n| key | type | default | meaning |\n|---|---|---|---|\n")
	for _, f := range s.fields {
		fmt.Fprintf(&w.b, "| `%s` | %s | %s | %s |\n", f.key, w.typ(f), standard(f), cell(f.doc))
	}
	for _, f := range s.fields {
		at := below(path, f)
		if t := bare(f.typ); w.model[t] != nil && w.anchors[t] == at {
			w.write(t, at)
		}
	}
}

// below is the heading of the section in a field.
func below(path string, f field) string {
	if path != "" {
		path += "."
	}
	switch path += f.key; {
	case strings.HasPrefix(f.typ, "[]"):
		return path + "[]"
	case strings.HasPrefix(f.typ, "map["):
		return path + ".NAME"
	}
	return path
}

// typ says what a value is.
func (w *writer) typ(f field) string {
	one := w.one(f)
	switch {
	case strings.HasPrefix(f.typ, "[]"):
		return "list of " + one
	case strings.HasPrefix(f.typ, "map["):
		return one + " by name"
	}
	return one
}

func (w *writer) one(f field) string {
	t := bare(f.typ)
	switch {
	case t == "Policy":
		return "`on`, `off` or " + link("settings", w.anchors[t])
	case t == "Endpoint":
		return "URL or " + link("settings", w.anchors[t])
	case w.model[t] != nil:
		return link(words(t), w.anchors[t])
	case len(f.oneof) > 0:
		return "`" + strings.Join(f.oneof, "`, `") + "`"
	case f.path == "source":
		return "file or URL"
	case f.path == "output":
		return "text or file"
	case f.path != "":
		return f.path
	}
	switch t {
	case "string":
		return "text"
	case "bool":
		return "true or false"
	case "int":
		return "whole number"
	case "float64":
		return "number"
	case "netip.Prefix":
		return "network"
	}
	return strings.ToLower(t)
}

// words writes RateLimit as rate limit.
func words(name string) string {
	return strings.ToLower(regexp.MustCompile(`([a-z])([A-Z])`).ReplaceAllString(name, "$1 $2"))
}

// link refers to a heading of this file, as its renderers name them.
func link(text, heading string) string {
	anchor := strings.NewReplacer(".", "", "[", "", "]", "").Replace(strings.ToLower(heading))
	return "[" + text + "](#" + anchor + ")"
}

func standard(f field) string {
	switch {
	case f.required:
		return "**required**"
	case f.initial == "":
		return ""
	}
	if _, ok := initial(f); ok {
		return "`" + strings.Join(strings.Split(strings.Trim(f.initial, `"`), ", "), "`, `") + "`"
	}
	return f.initial
}

// cell keeps a text inside its cell of a table.
func cell(s string) string { return strings.ReplaceAll(s, "|", `\|`) }
