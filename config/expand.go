package config

import (
	"fmt"
	"path/filepath"
	"strings"
)

// expand replaces, in the text of one scalar,
//
//	${NAME}           by the environment variable NAME
//	${NAME:-default}  by default where NAME is unset or empty
//	${file:PATH}      by the content of a file without its last newline
//	$${               by ${ itself
//
// It works on values that were parsed already, so what comes in is never read
// as YAML, and never expanded again.
func (d *decoder) expand(text string) (string, error) {
	var b strings.Builder
	for {
		i := strings.Index(text, "${")
		if i < 0 {
			b.WriteString(text)
			return b.String(), nil
		}
		if i > 0 && text[i-1] == '$' {
			b.WriteString(text[:i-1] + "${")
			text = text[i+2:]
			continue
		}
		end := strings.IndexByte(text[i:], '}')
		if end < 0 {
			return "", fmt.Errorf("%q is not closed by }; a literal ${ is written $${", text[i:])
		}
		value, err := d.reference(text[i+2 : i+end])
		if err != nil {
			return "", err
		}
		b.WriteString(text[:i] + value)
		text = text[i+end+1:]
	}
}

// reference gives what stands for the inside of ${…}.
func (d *decoder) reference(inside string) (string, error) {
	if path, ok := strings.CutPrefix(inside, "file:"); ok {
		text, err := d.contents(path)
		d.hide(text, "${"+inside+"}")
		return text, err
	}
	name, fallback, hasFallback := strings.Cut(inside, ":-")
	if !isVariable(name) {
		return "", fmt.Errorf("${%s} is none of ${NAME}, ${NAME:-default} and ${file:PATH}", inside)
	}
	value, ok := d.lookup(name)
	switch {
	case hasFallback && value == "":
		return fallback, nil
	case !ok:
		return "", fmt.Errorf("the environment variable %s is not set", name)
	}
	d.hide(value, "${"+name+"}")
	return value, nil
}

func (d *decoder) contents(path string) (string, error) {
	if path == "" {
		return "", fmt.Errorf("${file:} names no file")
	}
	full := d.absolute(path)
	data, err := readFile(full)
	if err != nil {
		return "", fmt.Errorf("file %q %s", path, reasonOf(err))
	}
	d.refer(full)
	text := strings.TrimSuffix(string(data), "\n")
	return strings.TrimSuffix(text, "\r"), nil
}

// absolute makes a path of the file independent of where the gateway runs.
func (d *decoder) absolute(path string) string {
	if filepath.IsAbs(path) {
		return filepath.Clean(path)
	}
	return filepath.Join(d.folder, path)
}

func isVariable(s string) bool {
	for i, r := range s {
		letter := r == '_' || 'a' <= r && r <= 'z' || 'A' <= r && r <= 'Z'
		if !letter && (i == 0 || r < '0' || r > '9') {
			return false
		}
	}
	return s != ""
}
