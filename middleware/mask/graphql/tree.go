package graphql

import (
	"slices"

	"github.com/vektah/gqlparser/v2/ast"

	"github.com/gatehouse-dev/gatehouse/middleware/mask/redact"
)

// label is a name, and its form in which loosely equal names are the same.
type label struct{ name, fold string }

func labelOf(name string) label { return label{name, redact.Fold(name)} }

// node is a member of the answer: what a query selects under one name.
type node struct {
	key label
	// names are the fields of the schema that it may be, in no order. There
	// are several where type conditions, or the operations of a batch, give
	// the same name to different ones.
	names []label
	// leaf says that somewhere nothing is selected inside: the value is a
	// scalar, which may be a JSON text of its own, or a list of them.
	leaf bool
	// fixed says that the member is called so in every answer.
	fixed bool
	// arguments says that the field is somewhere given arguments.
	arguments bool
	members   []*node
	byKey     map[string]*node // if they are many
}

// manyMembers is from how many on they are looked up in a map.
const manyMembers = 16

// member gives the member of that name, and makes it where there is none.
func (n *node) member(key string) *node {
	if n.byKey != nil {
		if m := n.byKey[key]; m != nil {
			return m
		}
	} else if i := slices.IndexFunc(n.members, func(m *node) bool { return m.key.name == key }); i >= 0 {
		return n.members[i]
	}
	m := &node{key: labelOf(key)}
	n.members = append(n.members, m)
	switch {
	case n.byKey != nil:
		n.byKey[key] = m
	case len(n.members) == manyMembers:
		n.byKey = make(map[string]*node, 2*manyMembers)
		for _, m := range n.members {
			n.byKey[m.key.name] = m
		}
	}
	return m
}

func (n *node) addName(name string) {
	if !slices.ContainsFunc(n.names, func(l label) bool { return l.name == name }) {
		n.names = append(n.names, labelOf(name))
	}
}

// is reports whether the member is that field and can be no other.
func (n *node) is(name string) bool { return len(n.names) == 1 && n.names[0].name == name }

// merge adds what another operation selects.
func (n *node) merge(o *node) {
	for _, l := range o.names {
		n.addName(l.name)
	}
	n.leaf = n.leaf || o.leaf
	n.arguments = n.arguments || o.arguments
	for _, m := range o.members {
		n.member(m.key.name).merge(m)
	}
}

// bounds are what is left of what a request may cost.
type bounds struct{ depth, selections int }

// expander expands the fragments of a document.
type expander struct {
	*bounds
	fragments map[string]*ast.FragmentDefinition
	active    map[string]bool // those that are being expanded
	asks      *asker
	mutation  bool
}

// expand gives the tree of an operation.
func expand(doc *ast.QueryDocument, op *ast.OperationDefinition, b *bounds, asks *asker) (*node, error) {
	e := &expander{
		b, make(map[string]*ast.FragmentDefinition, len(doc.Fragments)),
		map[string]bool{},
		asks, op.Operation == ast.Mutation,
	}
	for _, f := range doc.Fragments {
		e.fragments[f.Name] = f
	}
	if err := checkDirectives(op.Directives); err != nil {
		return nil, err
	}
	root := &node{}
	data := root.member("data")
	data.addName("data")
	return root, e.into(data, op.SelectionSet, 1)
}

// into adds what is selected inside of a node.
func (e *expander) into(n *node, set ast.SelectionSet, depth int) error {
	if depth > e.depth {
		return refused("the query is nested too deeply")
	}
	for _, s := range set {
		// Everything that is done is counted, so that fragments that use
		// fragments end here before they have grown.
		if e.bounds.selections--; e.bounds.selections < 0 {
			return refused("the query selects too much")
		}
		var err error
		switch s := s.(type) {
		case *ast.Field:
			err = e.field(n, s, depth)
		case *ast.InlineFragment:
			if err = checkDirectives(s.Directives); err == nil {
				err = e.into(n, s.SelectionSet, depth)
			}
		case *ast.FragmentSpread:
			err = e.spread(n, s, depth)
		default:
			err = malformed("the query selects something that is no field")
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func (e *expander) field(n *node, f *ast.Field, depth int) error {
	if err := checkDirectives(f.Directives); err != nil {
		return err
	}
	m := n.member(f.Alias)
	m.addName(f.Name)
	m.arguments = m.arguments || len(f.Arguments) > 0
	if !e.mutation || depth > 1 {
		if err := e.asks.add(f.Arguments); err != nil {
			return err
		}
	}
	if f.SelectionSet == nil {
		m.leaf = true
		return nil
	}
	return e.into(m, f.SelectionSet, depth+1)
}

func (e *expander) spread(n *node, s *ast.FragmentSpread, depth int) error {
	f := e.fragments[s.Name]
	switch {
	case f == nil:
		return malformed("the query uses a fragment that is not there")
	case e.active[s.Name]:
		return malformed("a fragment uses itself")
	}
	if err := checkDirectives(s.Directives); err != nil {
		return err
	}
	if err := checkDirectives(f.Directives); err != nil {
		return err
	}
	e.active[s.Name] = true
	err := e.into(n, f.SelectionSet, depth)
	delete(e.active, s.Name)
	return err
}

// checkDirectives lets those directives pass which can only leave something
// out (GraphQL, section 3.13). Others change where in the answer values stand:
// with @defer and @stream they come later, under other paths.
func checkDirectives(list ast.DirectiveList) error {
	for _, d := range list {
		if d.Name != "skip" && d.Name != "include" {
			return refused("only the directives skip and include are understood")
		}
	}
	return nil
}
