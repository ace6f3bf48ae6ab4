package graphql

import (
	"fmt"
	"math/rand/v2"
	"strconv"
	"strings"

	"github.com/vektah/gqlparser/v2/ast"

	"github.com/gatehouse-dev/gatehouse/middleware/mask/redact"
)

// field is a field of a made-up schema.
type fieldDef struct {
	types []int // of objects that it may hold, one of which it does; none: a scalar
	json  bool  // the scalar is a JSON text of its own
	lists int   // how many lists are around it
}

// schema has objects by number, with their fields by name.
type schema []map[string]fieldDef

// pool holds the names that a schema, its queries and its policies are made
// of. There are few, so that they meet.
func pool() []string { return []string{"staff", "pay", "ssn", "name", "boss"} }

func randomSchema(r *rand.Rand) schema {
	s := make(schema, 3)
	for i := range s {
		s[i] = map[string]fieldDef{}
		for _, name := range pool() {
			var f fieldDef
			switch r.IntN(6) {
			case 0:
				continue
			case 1, 2:
				f.types = []int{r.IntN(len(s))}
				if r.IntN(3) == 0 {
					f.types = append(f.types, r.IntN(len(s)))
				}
			case 3:
				f.json = r.IntN(2) == 0
			}
			f.lists = max(0, r.IntN(5)-2)
			s[i][name] = f
		}
	}
	return s
}

// leaf is a value of an answer: a marker that stands nowhere else, the document
// that holds it alone at the place where it would stand if nothing had been
// renamed, and the ways of fields and of names that lead to it.
type leaf struct {
	marker       string
	alone        string
	fields, keys []string
}

// executor carries a query out, naively.
type executor struct {
	schema    schema
	r         *rand.Rand
	fragments map[string]*ast.FragmentDefinition
	leaves    []leaf
}

// way is what leads to a value: the unnamed document around it, and names.
type way struct {
	before, after string
	fields, keys  []string
}

func (w way) member(field, key string) way {
	return way{
		w.before + "{" + strconv.Quote(field) + ":", "}" + w.after,
		append(w.fields[:len(w.fields):len(w.fields)], field), append(w.keys[:len(w.keys):len(w.keys)], key),
	}
}

func (w way) elem() way { return way{w.before + "[", "]" + w.after, w.fields, w.keys} }

func (e *executor) run(op *ast.OperationDefinition) string {
	return `{"data":` + e.object(0, op.SelectionSet, way{}.member("data", "data")) + "}"
}

// collected is the selections that come together under one name.
type collected struct {
	key, field string
	set        ast.SelectionSet
	leaf       bool
}

// collect finds the fields of an object of a type. Where one name stands for
// several, the first wins.
func (e *executor) collect(typ int, set ast.SelectionSet, out []*collected) []*collected {
	for _, s := range set {
		switch s := s.(type) {
		case *ast.InlineFragment:
			if s.TypeCondition == "" || s.TypeCondition == typeName(typ) {
				out = e.collect(typ, s.SelectionSet, out)
			}
		case *ast.FragmentSpread:
			if f := e.fragments[s.Name]; f.TypeCondition == typeName(typ) {
				out = e.collect(typ, f.SelectionSet, out)
			}
		case *ast.Field:
			out = e.add(typ, s, out)
		}
	}
	return out
}

func (e *executor) add(typ int, f *ast.Field, out []*collected) []*collected {
	def, ok := e.schema[typ][f.Name]
	if !ok || (def.types == nil) != (f.SelectionSet == nil) {
		return out
	}
	for _, c := range out {
		if c.key == f.Alias {
			if c.field == f.Name {
				c.set = append(c.set, f.SelectionSet...)
			}
			return out
		}
	}
	return append(out, &collected{f.Alias, f.Name, append(ast.SelectionSet(nil), f.SelectionSet...), def.types == nil})
}

func typeName(typ int) string { return "T" + strconv.Itoa(typ) }

func (e *executor) object(typ int, set ast.SelectionSet, w way) string {
	var members []string
	for _, c := range e.collect(typ, set, nil) {
		def := e.schema[typ][c.field]
		members = append(members, strconv.Quote(c.key)+":"+e.value(def, def.lists, c.set, w.member(c.field, c.key)))
	}
	return "{" + strings.Join(members, ",") + "}"
}

func (e *executor) value(def fieldDef, lists int, set ast.SelectionSet, w way) string {
	if lists > 0 {
		elems := make([]string, 1+e.r.IntN(2))
		for i := range elems {
			elems[i] = e.value(def, lists-1, set, w.elem())
		}
		return "[" + strings.Join(elems, ",") + "]"
	}
	switch {
	case def.types != nil:
		return e.object(def.types[e.r.IntN(len(def.types))], set, w)
	case !def.json:
		return e.leaf(w)
	}
	var members []string
	for _, name := range pool()[1:3] {
		inside := w.member(name, name)
		members = append(members, strconv.Quote(name)+":"+e.leaf(inside))
	}
	return "{" + strings.Join(members, ",") + "}"
}

// leaf makes a marker too short for any mask to leave a part of it.
func (e *executor) leaf(w way) string {
	marker := fmt.Sprintf(`"#%d#"`, len(e.leaves))
	e.leaves = append(e.leaves, leaf{marker, w.before + marker + w.after, w.fields, w.keys})
	return marker
}

// writer writes random queries.
type writer struct {
	r *rand.Rand
	strings.Builder
	aliases   []string
	fragments int
}

func (w *writer) set(depth, fragment int) {
	w.WriteString("{")
	for range 1 + w.r.IntN(4) {
		w.selection(depth, fragment)
	}
	w.WriteString("}")
}

func (w *writer) selection(depth, fragment int) {
	switch n := w.r.IntN(12); {
	case n == 0 && depth > 0:
		w.WriteString(" ...")
		if w.r.IntN(3) > 0 {
			w.WriteString(" on " + typeName(w.r.IntN(3)))
		}
		w.set(depth-1, fragment)
	case n == 1 && fragment+1 < w.fragments:
		// Only those behind, so that there are no cycles.
		fmt.Fprintf(w, " ...F%d", fragment+1+w.r.IntN(w.fragments-fragment-1))
	default:
		w.WriteString(" ")
		if w.r.IntN(2) == 0 {
			w.WriteString(pick1(w.r, w.aliases) + ":")
		}
		w.WriteString(pick1(w.r, pool()))
		if depth > 0 && w.r.IntN(5) < 3 {
			w.set(depth-1, fragment)
		}
	}
}

func pick1(r *rand.Rand, list []string) string { return list[r.IntN(len(list))] }

// randomQuery writes a query with fragments. Aliases are names of fields, too,
// if they may collide.
func randomQuery(r *rand.Rand, collide bool) string {
	w := &writer{r: r, aliases: []string{"a", "b", "c", "d"}, fragments: r.IntN(4)}
	if collide {
		w.aliases = append(w.aliases[:2], append(pool(), "SSN", "data")...)
	}
	w.set(4, -1)
	for i := range w.fragments {
		fmt.Fprintf(w, " fragment F%d on %s ", i, typeName(r.IntN(3)))
		w.set(2, i)
	}
	return w.String()
}

// randomPath writes a path. Those that are sure have names only, and "..".
func randomPath(r *rand.Rand, sure bool) string {
	path := "$"
	if r.IntN(4) > 0 {
		path += ".data"
	}
	for range 1 + r.IntN(3) {
		seg := redact.Segment{Name: pick1(r, pool()), Deep: r.IntN(4) == 0}
		if n := r.IntN(8); !sure && n < 2 {
			seg = redact.Segment{Any: n == 0, Elements: n == 1, Deep: seg.Deep}
		}
		path = string(redact.AppendPath([]byte(path), seg))
	}
	return path
}

func randomSpec(r *rand.Rand, sure bool) redact.Spec {
	var spec redact.Spec
	actions := []redact.Action{redact.Drop, redact.Null, redact.Redact, redact.Partial, redact.Generalize}
	if !sure {
		actions = append(actions, redact.Hash, redact.Show)
	}
	for range r.IntN(4) {
		action := actions[r.IntN(len(actions))]
		spec.Rules = append(spec.Rules, redact.Rule{Path: randomPath(r, sure), Action: action})
	}
	if r.IntN(3) == 0 {
		for range 1 + r.IntN(3) {
			spec.Expose = append(spec.Expose, randomPath(r, sure))
		}
	}
	return spec
}
