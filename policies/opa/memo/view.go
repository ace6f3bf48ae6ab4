package memo

import (
	"encoding/json"
	"strconv"

	"github.com/gatehouse-dev/gatehouse/policies"
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

// leaf is one member of the question and how it is reached. Everything below
// it is reached by steps.
type leaf struct {
	path Path
	get  func(*policies.Input) view
	// whole says that nothing stands below it.
	whole bool
}

// leaves are all members of a question. The engine builds terms of the same
// members (policies/opa/input.go); a test holds the two against each other.
func leaves() []leaf {
	var all []leaf
	add := func(path string, get func(*policies.Input) view) {
		all = append(all, leaf{path: ParsePath(path), get: get})
	}
	subject := func(name string, get func(*policies.Subject) view) {
		add("subject."+name, func(in *policies.Input) view {
			if in.Subject == nil {
				return view{}
			}
			return get(in.Subject)
		})
	}
	texts := func(s []string) view { return view{shape: list, list: s} }
	subject("id", func(s *policies.Subject) view { return textView(s.ID) })
	subject("issuer", func(s *policies.Subject) view { return textView(s.Issuer) })
	subject("role", func(s *policies.Subject) view { return textView(s.Role) })
	subject("roles", func(s *policies.Subject) view { return texts(s.Roles) })
	subject("tenant", func(s *policies.Subject) view { return textView(s.Tenant) })
	subject("branch", func(s *policies.Subject) view { return textView(s.Branch) })
	subject("branches", func(s *policies.Subject) view { return texts(s.Branches) })
	subject("acr", func(s *policies.Subject) view { return textView(s.ACR) })
	subject("amr", func(s *policies.Subject) view { return texts(s.AMR) })
	subject("auth_time", func(s *policies.Subject) view { return view{shape: integer, whole: s.AuthTime} })
	subject("claims", func(s *policies.Subject) view { return view{shape: object, any: s.Claims} })
	add("action.method", func(in *policies.Input) view { return textView(in.Action.Method) })
	add("action.name", func(in *policies.Input) view { return textView(in.Action.Name) })
	add("resource.route", func(in *policies.Input) view { return textView(in.Resource.Route) })
	add("resource.host", func(in *policies.Input) view { return textView(in.Resource.Host) })
	add("resource.path", func(in *policies.Input) view { return textView(in.Resource.Path) })
	add("resource.segments", func(in *policies.Input) view { return texts(in.Resource.Segments) })
	add("resource.params", func(in *policies.Input) view { return view{shape: textMap, any: in.Resource.Params} })
	add("resource.query", func(in *policies.Input) view { return view{shape: listMap, any: in.Resource.Query} })
	add("context.time.hour", func(in *policies.Input) view { return view{shape: integer, whole: int64(in.Context.Time.Hour)} })
	add("context.time.weekday", func(in *policies.Input) view { return textView(in.Context.Time.Weekday) })
	add("context.time.date", func(in *policies.Input) view { return textView(in.Context.Time.Date) })
	add("context.client_address", func(in *policies.Input) view { return textView(in.Context.ClientAddress) })
	add("context.listener", func(in *policies.Input) view { return textView(in.Context.Listener) })
	add("context.tls", func(in *policies.Input) view { return textView(in.Context.TLS) })
	add("context.headers", func(in *policies.Input) view { return view{shape: listMap, any: in.Context.Headers} })
	add("context.request_id", func(in *policies.Input) view { return textView(in.Context.RequestID) })
	add("body", func(in *policies.Input) view {
		if in.Body == nil {
			return view{}
		}
		return look(in.Body)
	})
	return all
}
