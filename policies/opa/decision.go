package opa

import (
	"cmp"
	"net/textproto"
	"slices"

	"github.com/open-policy-agent/opa/v1/ast"

	"github.com/gatehouse-dev/gatehouse/policies"
)

// packageName is the package that decides.
const packageName = "gatehouse"

// ruleNames are the rules that may stand in it.
func ruleNames() []string {
	return []string{
		"allow", "deny", "mask", "rows", "expose", "classified", "protect", "require",
		"headers", "rate_limits", "region", "audit", "all_fields", "all_rows",
	}
}

// auditLevels are the levels that the rule audit may say.
func auditLevels() []string { return []string{"none", "metadata", "detail"} }

// decision reads the document of the whole package. A rule without an answer
// has no member in it.
func (r *reader) decision(t *ast.Term) *policies.Decision {
	d := &policies.Decision{}
	o, ok := t.Value.(ast.Object)
	if !ok {
		r.fault(t, "the package is %s, not an object", kind(t))
		return d
	}
	o.Foreach(func(k, v *ast.Term) {
		name, _ := k.Value.(ast.String)
		r.rule(d, string(name), v)
	})
	sortDecision(d)
	return d
}

func (r *reader) rule(d *policies.Decision, name string, v *ast.Term) {
	switch name {
	case "allow":
		d.Allow = r.boolean(v, name)
	case "all_fields":
		d.AllFields = r.boolean(v, name)
	case "all_rows":
		d.AllRows = r.boolean(v, name)
	case "region":
		d.Region = r.region(v)
	case "audit":
		d.Audit = r.word(v, "audit level", auditLevels())
	case "deny":
		d.Deny = each(r, v, name, r.denial)
	case "mask":
		d.Mask = each(r, v, name, r.mask)
	case "rows":
		d.Rows = each(r, v, name, r.row)
	case "expose":
		d.Expose = each(r, v, name, r.path)
	case "classified":
		d.Classified = each(r, v, name, r.path)
	case "protect":
		d.Protect = each(r, v, name, r.protect)
	case "require":
		d.Require = each(r, v, name, r.require)
	case "headers":
		d.Headers = r.headers(v)
	case "rate_limits":
		d.RateLimits = r.rateLimits(v)
	default:
		r.fault(v, "the package has a rule %s", instead(name, ruleNames()))
	}
}

// each reads the members of a set with one function.
func each[T any](r *reader, t *ast.Term, what string, read func(*ast.Term) T) []T {
	set, ok := t.Value.(ast.Set)
	if !ok {
		r.fault(t, "%s is a set, not %s", what, kind(t))
		return nil
	}
	if set.Len() == 0 {
		return nil
	}
	list := make([]T, 0, set.Len())
	set.Foreach(func(e *ast.Term) { list = append(list, read(e)) })
	return list
}

// headers reads the object of upstream headers.
func (r *reader) headers(t *ast.Term) map[string]policies.Value {
	o, ok := t.Value.(ast.Object)
	if !ok {
		r.fault(t, "headers is an object, not %s", kind(t))
		return nil
	}
	if o.Len() == 0 {
		return nil
	}
	out := make(map[string]policies.Value, o.Len())
	o.Foreach(func(k, v *ast.Term) {
		s, _ := k.Value.(ast.String)
		name := textproto.CanonicalMIMEHeaderKey(string(s))
		if err := checkHeaderName(string(s)); err != nil {
			r.fault(k, "%v", err)
		} else if _, twice := out[name]; twice {
			r.fault(k, "header %s is set twice, in different spellings", name)
		}
		out[name] = r.header(v)
	})
	return out
}

// sortDecision gives everything one order, whatever the rules' order was:
// equal decisions look equal.
func sortDecision(d *policies.Decision) {
	slices.SortFunc(d.Deny, func(a, b policies.Denial) int {
		return cmp.Or(cmp.Compare(a.Code, b.Code), cmp.Compare(a.Message, b.Message))
	})
	slices.SortFunc(d.Mask, func(a, b policies.Mask) int {
		return cmp.Or(cmp.Compare(a.Path, b.Path), cmp.Compare(a.Action, b.Action), cmp.Compare(a.Bucket, b.Bucket), cmp.Compare(a.Class, b.Class))
	})
	// Sets are read in the order of their terms, which is total; a stable
	// sort keeps it among entries of one path.
	slices.SortStableFunc(d.Rows, func(a, b policies.Row) int { return cmp.Compare(a.Path, b.Path) })
	slices.Sort(d.Expose)
	slices.Sort(d.Classified)
	slices.SortFunc(d.Protect, func(a, b policies.Protect) int {
		return cmp.Or(cmp.Compare(a.Path, b.Path), cmp.Compare(a.Action, b.Action))
	})
}
