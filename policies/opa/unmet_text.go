package opa

import (
	"fmt"
	"slices"
	"strings"

	"github.com/open-policy-agent/opa/v1/ast"
)

// inputs says what the question has where an expression looks.
func (u *unmet) inputs(source ast.Node) []string {
	var out []string
	ast.WalkRefs(source, func(r ast.Ref) bool {
		if !r.HasPrefix(ast.InputRootRef) {
			return false
		}
		var v *ast.Term
		if prefix := r.GroundPrefix(); len(prefix) > 1 {
			if value, err := u.input.Find(prefix[1:]); err == nil {
				r, v = prefix, ast.NewTerm(value)
			}
		}
		told := fact(source, r, v)
		if !slices.Contains(out, told) {
			out = append(out, told)
		}
		return false
	})
	return out
}

// fact says what a reference was, nil for nothing, and what it would have to be.
func fact(source ast.Node, r ast.Ref, v *ast.Term) string {
	out := strings.TrimPrefix(r.String(), "data.") + " has no value"
	if v != nil {
		out = fmt.Sprintf("%s is %s", strings.TrimPrefix(r.String(), "data."), short(v))
	}
	if want := wanted(source, r); want != "" {
		out += ", and would have to " + want
	}
	return out
}

// wanted says what a value would have to be like for a simple comparison with a
// constant to hold.
func wanted(source ast.Node, r ast.Ref) string {
	x, ok := source.(*ast.Expr)
	if !ok || x.Negated || !x.IsCall() || len(x.Operands()) != 2 {
		return ""
	}
	words := map[string]string{
		"eq": "be", "equal": "be", "assign": "be", "neq": "differ from", "lt": "be less than", "lte": "be at most",
		"gt": "be more than", "gte": "be at least", "internal.member_2": "be one of",
	}
	word, left, right := words[x.Operator().String()], x.Operand(0), x.Operand(1)
	if right.Value.Compare(r) == 0 && (word == "be" || word == "differ from") {
		left, right = right, left
	}
	if word == "" || left.Value.Compare(r) != 0 || !ast.IsConstant(right.Value) {
		return ""
	}
	return word + " " + short(right)
}

// written finds the expression of a rule's source that a place stands in, and its
// text. Where that is the rule's head, its value is what was looked for.
func written(rule *ast.Rule, at *ast.Location) (source ast.Node, text string) {
	const clause = "package p\n"
	parsed, err := ast.ParseModuleWithOpts("", clause+string(rule.Location.Text), ast.ParserOptions{RegoVersion: ast.RegoV1})
	line := oneLine(string(at.Text))
	if err != nil || len(parsed.Rules) != 1 {
		return ast.Body{}, line
	}
	offset := at.Offset - rule.Location.Offset + len(clause)
	holds := func(l *ast.Location) bool {
		return l != nil && l.Offset <= offset && offset < l.Offset+len(l.Text)
	}
	var found ast.Node
	ast.WalkExprs(parsed, func(x *ast.Expr) bool {
		// The body of a rule that has none is true, and stands where the head does.
		if found == nil && holds(x.Location) && !x.Equal(ast.NewExpr(ast.BooleanTerm(true))) {
			found, line = x, oneLine(string(x.Location.Text))
			if after, ok := strings.CutPrefix(line, "else if "); ok {
				line = after
			}
		}
		return found != nil
	})
	if found != nil {
		return found, line
	}
	for _, r := range chain(parsed.Rules[0]) {
		if v := r.Head.Value; v != nil && holds(v.Location) {
			line = oneLine(string(v.Location.Text))
			if call, ok := v.Value.(ast.Call); ok {
				return ast.NewExpr([]*ast.Term(call)), line
			}
			return v, line
		}
	}
	return ast.Body{}, line
}

// oneLine is a text without its line breaks and comments, and not too long.
func oneLine(text string) string {
	var lines []string
	for line := range strings.Lines(text) {
		if line = strings.TrimSpace(line); !strings.HasPrefix(line, "#") {
			lines = append(lines, line)
		}
	}
	return clip(strings.Join(lines, " "))
}

func short(t *ast.Term) string { return clip(t.String()) }

func clip(s string) string {
	const most = 120
	if r := []rune(s); len(r) > most {
		return string(r[:most]) + "…"
	}
	return s
}
