package redact

import (
	"bytes"
	"encoding/json"
	"slices"
	"strconv"
	"strings"
)

// flatPeer works as gateways do that know a text as a flat map from dotted
// keys, in which elements have their index for a name, to scalars: flatten,
// change by pattern, expand.
func flatPeer(_, text []byte, c *chore) ([]byte, error) {
	dec := json.NewDecoder(bytes.NewReader(text))
	dec.UseNumber()
	var v map[string]any
	if err := dec.Decode(&v); err != nil {
		return nil, err
	}
	f := flat{values: map[string]any{}, arrays: map[string]bool{}}
	f.add("", v)
	f.change(c)
	return json.Marshal(f.expand())
}

type flat struct {
	values map[string]any
	arrays map[string]bool
}

func (f *flat) add(key string, v any) {
	join := func(name string) string {
		if key == "" {
			return name
		}
		return key + "." + name
	}
	switch v := v.(type) {
	case map[string]any:
		for name, v := range v {
			f.add(join(name), v)
		}
	case []any:
		f.arrays[key] = true
		for i, v := range v {
			f.add(join(strconv.Itoa(i)), v)
		}
	default:
		f.values[key] = v
	}
}

func (f *flat) change(c *chore) {
	for key := range f.values {
		names := strings.Split(key, ".")
		last := names[len(names)-1]
		record := len(names) > 1 && names[0] == "data"
		there := c.deep || record && len(names) == 3
		switch {
		case record && c.branch != "" && f.values["data."+names[1]+".branch"] != c.branch && last != "branch",
			there && slices.Contains(c.drop, last), c.pass != nil && !c.pass.has(names):
			delete(f.values, key)
		case there && slices.Contains(c.mask, last):
			f.values[key] = "***"
		}
	}
	if c.branch == "" {
		return
	}
	for key, v := range f.values { // at last, as it was asked for above
		if strings.HasPrefix(key, "data.") && strings.HasSuffix(key, ".branch") && v != c.branch {
			delete(f.values, key)
		}
	}
}

// has reports whether a value passes; indices are no names.
func (p passes) has(names []string) bool {
	for _, name := range names {
		if name[0]-'0' <= 9 {
			continue
		}
		next, ok := p[name]
		if !ok || next == nil {
			return ok
		}
		p = next
	}
	return true
}

func (f *flat) expand() any {
	root := map[string]any{}
	for key, v := range f.values {
		at := root
		names := strings.Split(key, ".")
		for _, name := range names[:len(names)-1] {
			next, ok := at[name].(map[string]any)
			if !ok {
				next = map[string]any{}
				at[name] = next
			}
			at = next
		}
		at[names[len(names)-1]] = v
	}
	return f.list("", root)
}

// list turns what was an array into one again.
func (f *flat) list(key string, v any) any {
	m, ok := v.(map[string]any)
	if !ok {
		return v
	}
	for name, v := range m {
		m[name] = f.list(strings.TrimPrefix(key+"."+name, "."), v)
	}
	if !f.arrays[key] {
		return m
	}
	at := make([]int, 0, len(m))
	for name := range m {
		i, _ := strconv.Atoi(name)
		at = append(at, i)
	}
	slices.Sort(at)
	out := make([]any, len(at))
	for i, n := range at {
		out[i] = m[strconv.Itoa(n)]
	}
	return out
}
