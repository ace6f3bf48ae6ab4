package main

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"go/types"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"strconv"
	"strings"
)

// model is what the structs of package config say, by type name.
type model map[string]*section

// section is one struct: a mapping with known keys.
type section struct {
	name   string
	doc    string
	fields []field
}

// field is one key of a section.
type field struct {
	key      string
	typ      string // as Go writes it: map[string]*Issuer
	doc      string // without what stands in the other fields
	initial  string // what the comment calls the default, or ""
	required bool
	positive bool
	path     string // "file", "folder", "source", "output" or ""
	oneof    []string
}

// parse reads the Go files of a folder.
func parse(folder string) (model, error) {
	names, err := filepath.Glob(filepath.Join(folder, "*.go"))
	if err != nil {
		return nil, err
	}
	m := model{}
	for _, name := range names {
		if strings.HasSuffix(name, "_test.go") {
			continue
		}
		source, err := os.ReadFile(name)
		if err != nil {
			return nil, err
		}
		file, err := parser.ParseFile(token.NewFileSet(), name, source, parser.ParseComments)
		if err != nil {
			return nil, err
		}
		if err := m.file(file); err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
	}
	return m, nil
}

// file adds the structs of one file that have yaml keys.
func (m model) file(file *ast.File) error {
	for _, decl := range file.Decls {
		gen, ok := decl.(*ast.GenDecl)
		if !ok || gen.Tok != token.TYPE {
			continue
		}
		for _, spec := range gen.Specs {
			t := spec.(*ast.TypeSpec)
			body, ok := t.Type.(*ast.StructType)
			if !ok {
				continue
			}
			s := &section{name: t.Name.Name, doc: oneLine(gen.Doc.Text())}
			for _, f := range body.Fields.List {
				if err := s.add(f); err != nil {
					return err
				}
			}
			if len(s.fields) > 0 {
				m[s.name] = s
			}
		}
	}
	return nil
}

func (s *section) add(f *ast.Field) error {
	if f.Tag == nil || len(f.Names) != 1 {
		return nil
	}
	text, err := strconv.Unquote(f.Tag.Value)
	if err != nil {
		return err
	}
	tag := reflect.StructTag(text)
	key := tag.Get("yaml")
	if key == "" || key == "-" {
		return nil
	}
	out := field{key: key, typ: types.ExprString(f.Type), oneof: strings.Fields(tag.Get("oneof"))}
	for _, word := range strings.Fields(tag.Get("is")) {
		switch word {
		case "required":
			out.required = true
		case "positive":
			out.positive = true
		default:
			out.path = word
		}
	}
	name := f.Names[0].Name
	doc := oneLine(f.Doc.Text())
	if doc == "" {
		return fmt.Errorf("%s.%s has no comment", s.name, name)
	}
	out.doc, out.initial = split(doc, name, key)
	if out.typ == "bool" && out.initial == "" {
		out.initial = "false"
	}
	s.fields = append(s.fields, out)
	return nil
}

func oneLine(s string) string { return strings.Join(strings.Fields(s), " ") }

// split takes the default out of a comment, and the name of the field from its
// beginning where the sentence does without.
func split(doc, name, key string) (text, initial string) {
	if rest, ok := strings.CutPrefix(doc, name); ok {
		verb := regexp.MustCompile(`^( is| are|:) `)
		switch {
		case verb.MatchString(rest):
			rest = verb.ReplaceAllString(rest, "")
			doc = strings.ToUpper(rest[:1]) + rest[1:]
		case strings.ToLower(name) != key: // several words
			doc = "`" + key + "`" + rest
		}
	}
	sentence := regexp.MustCompile(`\s*Default: (.*?)\.(\s|$)`)
	if m := sentence.FindStringSubmatch(doc); m != nil {
		initial = m[1]
		doc = sentence.ReplaceAllString(doc, "$2")
	}
	doc = regexp.MustCompile(`\s*\bRequired\.`).ReplaceAllString(doc, "")
	return strings.TrimSpace(doc), initial
}

// bare is the type without pointer, and without list or mapping around it.
func bare(typ string) string {
	for _, prefix := range []string{"[]", "map[string]", "*"} {
		typ = strings.TrimPrefix(typ, prefix)
	}
	return typ
}
