package graphql

import (
	"bytes"
	"encoding/json"
	"maps"

	"github.com/vektah/gqlparser/v2/ast"
)

// Argument is what a field is given, or a part of it: a member of an input
// object or an element of a list. Numbers, booleans and null are left out where
// they have no name.
type Argument struct {
	Name     string // of the argument or the member; empty for elements
	Text     string // of a string or an enum value, "" for others
	Enum     bool
	Variable string // that is given; its value is among [Question].Variables
	Inside   []Argument
}

// Question is what an operation gives to fields. Through that a caller can ask
// about values without selecting them: employees(orderBy: SALARY).
//
// Of a mutation the arguments of its own fields are left out: they say what is
// to be changed.
type Question struct {
	Arguments []Argument
	// Variables are those that Arguments refer to, by name: their values and
	// default values.
	Variables map[string][]Argument
}

// Questions gives the questions of all operations.
func (q *Query) Questions() []Question { return q.questions }

// Bounds of what is given to fields: parts, of all operations of a request
// together, and how deeply they may be nested.
const (
	maxArguments     = 10_000
	maxArgumentDepth = 64
)

// asker collects questions.
type asker struct {
	left int // of maxArguments
	Question
}

func newAsker() *asker {
	return &asker{left: maxArguments, Question: Question{Variables: map[string][]Argument{}}}
}

// take counts a part.
func (a *asker) take(depth int) error {
	if a.left--; a.left < 0 {
		return refused("the query gives too much to its fields")
	}
	if depth > maxArgumentDepth {
		return refused("an argument is nested too deeply")
	}
	return nil
}

// add takes the arguments of a field.
func (a *asker) add(list ast.ArgumentList) error {
	for _, arg := range list {
		if err := a.value(&a.Arguments, arg.Name, arg.Value, 1); err != nil {
			return err
		}
	}
	return nil
}

// value appends a value of the query.
func (a *asker) value(to *[]Argument, name string, v *ast.Value, depth int) error {
	out := Argument{Name: name}
	switch v.Kind {
	case ast.Variable:
		out.Variable = v.Raw
		if _, ok := a.Variables[v.Raw]; !ok {
			a.Variables[v.Raw] = nil
		}
	case ast.StringValue, ast.BlockValue, ast.EnumValue:
		out.Text, out.Enum = v.Raw, v.Kind == ast.EnumValue
	case ast.ListValue, ast.ObjectValue:
		for _, c := range v.Children {
			if err := a.value(&out.Inside, c.Name, c.Value, depth+1); err != nil {
				return err
			}
		}
	}
	return a.append(to, out, depth)
}

func (a *asker) append(to *[]Argument, arg Argument, depth int) error {
	if arg.Name == "" && arg.Text == "" && arg.Variable == "" && len(arg.Inside) == 0 {
		return nil
	}
	*to = append(*to, arg)
	return a.take(depth)
}

// question gives what has been collected, with the values of the variables.
func (a *asker) question(op *ast.OperationDefinition, variables []byte) (Question, error) {
	for _, d := range op.VariableDefinitions {
		values, used := a.Variables[d.Variable]
		if !used || d.DefaultValue == nil {
			continue
		}
		if err := a.value(&values, "", d.DefaultValue, 1); err != nil {
			return Question{}, err
		}
		a.Variables[d.Variable] = values
	}
	if len(variables) > 0 && len(a.Variables) > 0 {
		if err := a.variables(variables); err != nil {
			return Question{}, err
		}
	}
	maps.DeleteFunc(a.Variables, func(_ string, values []Argument) bool { return len(values) == 0 })
	q := a.Question
	a.Question = Question{Variables: map[string][]Argument{}}
	return q, nil
}

// variables takes the values of those variables that are used.
func (a *asker) variables(object []byte) error {
	dec := json.NewDecoder(bytes.NewReader(object))
	dec.UseNumber()
	if _, err := dec.Token(); err != nil { // the brace
		return malformed("variables is not an object")
	}
	for dec.More() {
		token, err := dec.Token()
		if err != nil {
			return malformed("variables is not valid JSON")
		}
		name, _ := token.(string)
		values, used := a.Variables[name]
		if !used {
			var skipped json.RawMessage
			if dec.Decode(&skipped) != nil {
				return malformed("variables is not valid JSON")
			}
			continue
		}
		if err := a.json(dec, &values, "", 1); err != nil {
			return err
		}
		a.Variables[name] = values
	}
	return nil
}

// json appends the next value of a JSON text.
func (a *asker) json(dec *json.Decoder, to *[]Argument, name string, depth int) error {
	token, err := dec.Token()
	if err != nil {
		return malformed("variables is not valid JSON")
	}
	out := Argument{Name: name}
	switch v := token.(type) {
	case string:
		out.Text = v
	case json.Delim:
		if depth > maxArgumentDepth {
			return a.take(depth)
		}
		for dec.More() {
			member := ""
			if v == '{' {
				key, err := dec.Token()
				if err != nil {
					return malformed("variables is not valid JSON")
				}
				member, _ = key.(string)
			}
			if err := a.json(dec, &out.Inside, member, depth+1); err != nil {
				return err
			}
		}
		_, _ = dec.Token() // the bracket
	}
	return a.append(to, out, depth)
}
