package opa

import (
	"net/textproto"
	"slices"
	"strconv"
	"strings"

	"github.com/open-policy-agent/opa/v1/ast"
	"github.com/open-policy-agent/opa/v1/util"
)

// facts are what the contract check learned on its way.
type facts struct {
	rules   int
	headers []string // canonical, sorted
	limits  []limitUse
	regions []regionUse
	always  map[string]*ast.Rule
}

// conflict finds rules that hold for every question and give one thing two
// values: each question would end in an error. Where conditions decide whether
// two rules meet, only a question can tell.
func (f *facts) conflict(rule *ast.Rule, m *Mistakes) {
	v := rule.Head.Value
	if rule.Default || rule.Head.Key != nil && len(rule.Head.Ref()) == 1 || len(rule.Head.Args) > 0 ||
		v == nil || !v.IsGround() || !rule.Body.Equal(ast.NewBody(ast.NewExpr(ast.BooleanTerm(true)))) {
		return
	}
	name := rule.Head.Ref().String()
	first, taken := f.always[name]
	switch {
	case taken && !first.Head.Value.Equal(v):
		m.at(rule.Location, "%s is %v here and %v in %s:%d, for every question: give conditions, or else",
			name, v, first.Head.Value, first.Location.File, first.Location.Row)
	case !taken:
		if f.always == nil {
			f.always = map[string]*ast.Rule{}
		}
		f.always[name] = rule
	}
}

// checkContract holds the modules to the contract: in package gatehouse stand
// only rules the gateway knows, of the kind it expects, whose constants can be
// enforced.
func checkContract(modules map[string]*ast.Module, m *Mistakes) facts {
	var f facts
	decides := false
	for _, file := range util.KeysSorted(modules) {
		mod := modules[file]
		checkFormats(mod, m)
		path := mod.Package.Path
		if len(path) < 2 || !path[1].Equal(ast.StringTerm(packageName)) {
			continue
		}
		if len(path) > 2 {
			m.at(mod.Package.Location, "%v stands inside package %s, where only the decision stands: "+
				"give helpers a package of their own", mod.Package, packageName)
			continue
		}
		for _, rule := range mod.Rules {
			if name := checkRule(rule, &f, m); name == "allow" {
				decides = true
			}
			f.conflict(rule, m)
		}
	}
	slices.Sort(f.headers)
	f.headers = slices.Compact(f.headers)
	if len(*m) == 0 && !decides {
		where := "policies"
		if names := util.KeysSorted(modules); len(names) > 0 {
			where = names[0]
		}
		m.add(where, "no rule allow stands in package %s: nothing could ever be allowed", packageName)
	}
	return f
}

// checkRule checks one rule of package gatehouse and gives its name.
func checkRule(rule *ast.Rule, f *facts, m *Mistakes) string {
	ref := rule.Head.Ref()
	name := ref[0].Value.String()
	if !slices.Contains(ruleNames(), name) {
		m.at(rule.Location, "package %s has no rule %s; helpers live in other packages", packageName, instead(name, ruleNames()))
		return name
	}
	f.rules++
	if len(rule.Head.Args) > 0 {
		m.at(rule.Location, "%s is a rule, not a function", name)
		return name
	}
	r := reader{load: true}
	switch name {
	case "headers":
		checkHeaderRule(&r, rule, f, m)
	case "rate_limits":
		checkRateRule(&r, rule, f, m)
	case "allow", "all_fields", "all_rows", "region", "audit":
		checkValueRule(&r, rule, name, f, m)
	default:
		checkSetRule(&r, rule, name, m)
	}
	for _, x := range r.faults {
		if x.loc == nil {
			x.loc = rule.Location
		}
		m.at(x.loc, "%s: %s", name, x.message)
	}
	return name
}

// checkValueRule checks a rule with one value, and its else branches.
func checkValueRule(r *reader, rule *ast.Rule, name string, f *facts, m *Mistakes) {
	if len(rule.Head.Ref()) != 1 || rule.Head.Key != nil {
		m.at(rule.Location, "%s has one value: write `%s if …` or `%s := value if …`", name, name, name)
		return
	}
	for b := rule; b != nil; b = b.Else {
		v := b.Head.Value
		switch name {
		case "region":
			f.region(r.region(v), b)
		case "audit":
			r.word(v, "audit level", auditLevels())
		default:
			if r.boolean(v, name) && b.Default {
				m.at(b.Location, "the default of %s is false: true would hold for everybody no rule speaks of", name)
			}
		}
	}
}

// checkSetRule checks a rule that adds entries to a set.
func checkSetRule(r *reader, rule *ast.Rule, name string, m *Mistakes) {
	key := rule.Head.Key
	if len(rule.Head.Ref()) != 1 || key == nil || rule.Head.Value != nil {
		m.at(rule.Location, "%s is a set of entries: write `%s contains … if …`", name, name)
		return
	}
	switch name {
	case "deny":
		r.denial(key)
	case "mask":
		r.mask(key)
	case "rows":
		r.row(key)
	case "expose", "classified":
		r.path(key)
	case "protect":
		r.protect(key)
	case "require":
		r.require(key)
	}
}

// checkHeaderRule checks headers["Name"] := value. The name must be a constant,
// because it is taken away from clients on every route before any policy runs.
func checkHeaderRule(r *reader, rule *ast.Rule, f *facts, m *Mistakes) {
	const form = "write `headers[\"X-Name\"] := \"text\"` or `:= {\"input\": \"subject.id\"}`, the name in quotes"
	ref := rule.Head.Ref()
	if len(ref) != 2 || rule.Head.Value == nil {
		m.at(rule.Location, "headers is set name by name: %s", form)
		return
	}
	name, ok := ref[1].Value.(ast.String)
	if !ok {
		m.at(rule.Location, "the name of a header cannot be computed: %s", form)
		return
	}
	if err := checkHeaderName(string(name)); err != nil {
		m.at(rule.Location, "%v", err)
		return
	}
	f.headers = append(f.headers, textproto.CanonicalMIMEHeaderKey(string(name)))
	for b := rule; b != nil; b = b.Else {
		r.header(b.Head.Value)
	}
}

// checkFormats refuses formats of sprintf that could fill memory: one call
// cannot be interrupted, so the width of a field must be known and small.
func checkFormats(mod *ast.Module, m *Mistakes) {
	check := func(terms []*ast.Term) {
		if len(terms) < 2 || terms[0].Value.Compare(ast.Sprintf.Ref()) != 0 {
			return
		}
		format, ok := terms[1].Value.(ast.String)
		if !ok {
			m.at(terms[1].Location, "the format of sprintf is a text written in place: a computed one may ask for any width")
		} else if wide(string(format)) {
			m.at(terms[1].Location, "sprintf with a width of * or above 999")
		}
	}
	ast.NewGenericVisitor(func(x any) bool {
		switch x := x.(type) {
		case *ast.Expr:
			if terms, ok := x.Terms.([]*ast.Term); ok {
				check(terms)
			}
		case ast.Call:
			check(x)
		}
		return false
	}).Walk(mod)
}

// wide reports a format with a width or precision that is not small.
func wide(format string) bool {
	for _, verb := range strings.Split(format, "%")[1:] {
		flags := verb[:len(verb)-len(strings.TrimLeft(verb, "+-# 0123456789.*[]"))]
		if strings.Contains(flags, "*") {
			return true
		}
		for _, n := range strings.FieldsFunc(flags, func(c rune) bool { return c < '0' || c > '9' }) {
			if v, err := strconv.Atoi(n); err != nil || v > 999 {
				return true
			}
		}
	}
	return false
}
