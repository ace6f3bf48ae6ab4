package graphql

import (
	"errors"
	"fmt"
	"strings"

	"github.com/vektah/gqlparser/v2/ast"
	"github.com/vektah/gqlparser/v2/gqlerror"
	"github.com/vektah/gqlparser/v2/lexer"
	"github.com/vektah/gqlparser/v2/parser"
)

// parseDocument parses a text and checks what does not depend on the operation.
// maxTokens is how many tokens it may have; 0 is no bound.
func parseDocument(text string, maxTokens int) (*ast.QueryDocument, error) {
	if err := checkText(text); err != nil {
		return nil, err
	}
	source := &ast.Source{Input: text}
	doc, err := parser.ParseQueryWithTokenLimit(source, maxTokens)
	if err != nil {
		if maxTokens > 0 && isLonger(source, maxTokens) {
			return nil, refused("the query is too large")
		}
		return nil, malformed("the query is not valid GraphQL" + place(err))
	}
	if len(doc.Operations) == 0 {
		return nil, malformed("the query has no operation")
	}
	names := map[string]bool{}
	for _, f := range doc.Fragments {
		if names[f.Name] {
			return nil, malformed("two fragments have the same name")
		}
		names[f.Name] = true
	}
	clear(names)
	for _, op := range doc.Operations {
		if names[op.Name] {
			return nil, malformed("two operations have the same name, or none")
		}
		names[op.Name] = true
	}
	return doc, nil
}

// checkText refuses what implementations are known to split into tokens in
// different ways, so that what the server reads is what was judged here:
// block strings, whose end some look for from behind where it has more than
// three quotes; and characters that end lines, and so comments, for some.
func checkText(text string) error {
	if strings.Contains(text, `"""`) {
		return malformed("block strings are not understood; use a variable")
	}
	for i, r := range text {
		switch {
		case r == '\t', r == '\n', r == '\r' && strings.HasPrefix(text[i+1:], "\n"):
		case r < ' ', r == 0x85, r == 0x2028, r == 0x2029, r == 0xfeff, r == 0xfffd:
			return malformed("the query holds a control character or line separator; use an escape or a variable")
		}
	}
	return nil
}

// isLonger reports whether the text has more than so many tokens.
func isLonger(source *ast.Source, tokens int) bool {
	lex := lexer.New(source)
	for range tokens + 1 {
		if t, err := lex.ReadToken(); err != nil || t.Kind == lexer.EOF {
			return false
		}
	}
	return true
}

// place says where a query is wrong. The message of the parser itself quotes
// the query.
func place(err error) string {
	var e *gqlerror.Error
	if errors.As(err, &e) && len(e.Locations) > 0 {
		return fmt.Sprintf(", line %d column %d", e.Locations[0].Line, e.Locations[0].Column)
	}
	return ""
}

// pick gives the operation of a document that is asked for.
func pick(doc *ast.QueryDocument, name string) (*ast.OperationDefinition, error) {
	if name == "" {
		if len(doc.Operations) > 1 {
			return nil, malformed("the query has several operations and none is asked for")
		}
		return doc.Operations[0], nil
	}
	for _, op := range doc.Operations {
		if op.Name == name {
			return op, nil
		}
	}
	return nil, malformed("the operation that is asked for is not in the query")
}

// tokensPerSelection is how many tokens a query may have for each selection
// that is allowed, with its arguments and what the text holds besides.
const tokensPerSelection = 8

// operation gives what a call selects, and what it gives to fields.
func (s Settings) operation(c *call, b *bounds, asks *asker, get bool) (*node, Question, error) {
	text, err := s.document(c)
	if err != nil {
		return nil, Question{}, err
	}
	doc, err := parseDocument(text, 1000+tokensPerSelection*s.Selections)
	if err != nil {
		return nil, Question{}, err
	}
	op, err := pick(doc, c.operation)
	switch {
	case err != nil:
	case op.Operation == ast.Subscription:
		err = refused("subscriptions are not masked")
	case op.Operation == ast.Mutation && get:
		err = malformed("a mutation is not sent by GET")
	}
	if err != nil {
		return nil, Question{}, err
	}
	root, err := expand(doc, op, b, asks)
	if err != nil {
		return nil, Question{}, err
	}
	asked, err := asks.question(op, c.variables)
	return root, asked, err
}
