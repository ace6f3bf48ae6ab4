package memo

import (
	"encoding/json"
	"strconv"
)

// shape is what a [view] shows.
type shape uint8

const (
	absent shape = iota
	null
	boolFalse
	boolTrue
	number // spelled in text
	text
	list     // []string
	array    // []any
	object   // map[string]any
	textMap  // map[string]string
	listMap  // map[string][]string
	unknown  // a Go type that no policy could be asked about
	integer  // of whole, a number that Go holds as one
	presence // of a group of members: it is there
)

// view is a value of the input as Go holds it, looked at without conversion:
// nothing is allocated.
type view struct {
	shape shape
	text  string
	whole int64
	list  []string
	any   any // array, object, textMap, listMap
}

func textView(s string) view { return view{shape: text, text: s} }

// look shows what a JSON decoder gives. It knows the types that the engine
// turns into terms, and no others.
func look(v any) view {
	switch v := v.(type) {
	case nil:
		return view{shape: null}
	case bool:
		if v {
			return view{shape: boolTrue}
		}
		return view{shape: boolFalse}
	case string:
		return textView(v)
	case json.Number:
		return view{shape: number, text: string(v)}
	case int:
		return view{shape: integer, whole: int64(v)}
	case int64:
		return view{shape: integer, whole: v}
	case float64:
		return view{shape: number, text: strconv.FormatFloat(v, 'g', -1, 64)}
	case []string:
		return view{shape: list, list: v}
	case []any:
		return view{shape: array, any: v}
	case map[string]any:
		return view{shape: object, any: v}
	}
	return view{shape: unknown}
}

// step goes to a member or an element; anything without it is absent, as a
// reference into it is undefined.
func (v view) step(s Step) view {
	if s.IsIndex {
		switch v.shape {
		case list:
			if s.Index < len(v.list) {
				return textView(v.list[s.Index])
			}
		case array:
			if a := v.any.([]any); s.Index < len(a) {
				return look(a[s.Index])
			}
		}
		return view{}
	}
	switch v.shape {
	case object:
		if e, ok := v.any.(map[string]any)[s.Name]; ok {
			return look(e)
		}
	case textMap:
		if e, ok := v.any.(map[string]string)[s.Name]; ok {
			return textView(e)
		}
	case listMap:
		if e, ok := v.any.(map[string][]string)[s.Name]; ok {
			return view{shape: list, list: e}
		}
	}
	return view{}
}
