package opa

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"path"
	"reflect"
	"regexp"
	"strconv"
	"strings"

	"github.com/open-policy-agent/opa/v1/util"
)

// checkData reads the data files into one tree. A file's folder is its path
// under data; files that share a folder are merged, and a value that two of
// them give differently is a mistake.
func (s *sources) checkData() {
	s.tree = map[string]any{}
	for _, f := range s.data {
		v, m := parseData(f)
		if m != nil {
			s.mistakes = append(s.mistakes, *m)
			continue
		}
		at := strings.Split(path.Dir(f.rel), "/")
		if at[0] == "." {
			at = nil
		}
		if clash := merge(s.tree, nest(at, v), nil); clash != nil {
			s.mistakes.add(f.name, "gives data.%s, which another file gives differently", strings.Join(clash, "."))
		}
	}
	if _, taken := s.tree[packageName]; taken {
		s.mistakes.add("data", "data.%s is where the decision stands: name that folder or member otherwise", packageName)
	}
}

// parseData reads one file. Its top must be an object, because it is merged
// with the other files of its folder. A member that stands twice is a mistake
// in JSON; in YAML the last one counts, as everywhere in OPA.
func parseData(f file) (map[string]any, *Mistake) {
	wrong := func(line, column int, message string) (map[string]any, *Mistake) {
		return nil, &Mistake{File: f.name, Line: line, Column: column, Message: message}
	}
	var v any
	if path.Ext(f.rel) == ".json" {
		if err := util.UnmarshalJSON(f.content, &v); err != nil {
			at := int64(len(f.content)) // unless it says otherwise: the end came too soon
			if se := (*json.SyntaxError)(nil); errors.As(err, &se) {
				at = se.Offset
			}
			line, column := position(f.content, at)
			return wrong(line, column, "is not JSON: "+err.Error())
		}
		if name, offset := duplicate(f.content); name != "" {
			line, column := position(f.content, offset)
			return wrong(line, column, fmt.Sprintf("member %q stands twice", name))
		}
	} else {
		if line := secondDocument(f.content); line > 0 {
			return wrong(line, 1, "a second YAML document begins here, and would be ignored: give it its own file")
		}
		if err := util.Unmarshal(f.content, &v); err != nil {
			line, message := yamlLine(err.Error())
			return wrong(line, min(line, 1), "is not YAML: "+message)
		}
	}
	if v == nil { // an empty file
		return nil, nil
	}
	object, ok := v.(map[string]any)
	if !ok {
		return wrong(0, 0, "must hold an object: its members are placed under data by name")
	}
	return object, nil
}

func nest(at []string, v map[string]any) map[string]any {
	for i := len(at) - 1; i >= 0; i-- {
		v = map[string]any{at[i]: v}
	}
	return v
}

// merge adds the members of src to dst. It reports the path of the first value
// that both have and that is not equal.
func merge(dst, src map[string]any, at []string) []string {
	for _, k := range util.KeysSorted(src) {
		here := append(at[:len(at):len(at)], k)
		have, ok := dst[k]
		if !ok {
			dst[k] = src[k]
			continue
		}
		a, aok := have.(map[string]any)
		b, bok := src[k].(map[string]any)
		if aok && bok {
			if clash := merge(a, b, here); clash != nil {
				return clash
			}
		} else if !reflect.DeepEqual(have, src[k]) {
			return here
		}
	}
	return nil
}

// position turns an offset into a line and column, from 1.
func position(text []byte, offset int64) (line, column int) {
	before := text[:min(max(offset-1, 0), int64(len(text)))]
	return bytes.Count(before, []byte("\n")) + 1, len(before) - bytes.LastIndexByte(before, '\n')
}

// duplicate finds an object member that stands twice in valid JSON; the
// decoder would keep the last one without a word.
func duplicate(text []byte) (name string, offset int64) {
	type level struct {
		names map[string]bool // nil in an array
		value bool            // the next string is a value
	}
	d := json.NewDecoder(bytes.NewReader(text))
	d.UseNumber()
	var stack []*level
	for {
		tok, err := d.Token()
		if err != nil {
			return "", 0
		}
		var top *level
		if len(stack) > 0 {
			top = stack[len(stack)-1]
		}
		if delim, ok := tok.(json.Delim); ok && (delim == '}' || delim == ']') {
			stack = stack[:len(stack)-1]
			continue
		}
		if top != nil && top.names != nil {
			if !top.value {
				key := tok.(string)
				if top.names[key] {
					return key, d.InputOffset()
				}
				top.names[key] = true
			}
			top.value = !top.value
		}
		switch tok {
		case json.Delim('{'):
			stack = append(stack, &level{names: map[string]bool{}})
		case json.Delim('['):
			stack = append(stack, &level{})
		}
	}
}

// secondDocument gives the line of a document marker that follows content, or
// 0: the YAML reader takes the first document only.
func secondDocument(text []byte) int {
	content := false
	for i, l := range strings.Split(string(text), "\n") {
		l = strings.TrimRight(l, " \t\r")
		switch {
		case l == "---" || strings.HasPrefix(l, "--- "):
			if content {
				return i + 1
			}
			content = l != "---"
		case l != "" && l[0] != '#' && l[0] != '%':
			content = true
		}
	}
	return 0
}

// yamlLine takes the line number out of a message of the YAML reader.
func yamlLine(message string) (int, string) {
	m := regexp.MustCompile(`line (\d+)(: )?`).FindStringSubmatch(message)
	if m == nil {
		return 0, message
	}
	line, _ := strconv.Atoi(m[1])
	return line, strings.Join(strings.Fields(message), " ")
}
