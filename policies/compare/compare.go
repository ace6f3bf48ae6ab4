// Package compare tells what another policy would change: two answers to one
// question go in, a list of differences comes out, the dangerous ones first.
// Trying policies before they decide (shadow), asking them what was asked
// before (replay) and the report of a reload all say it in these words.
//
// # What counts as a difference
//
// A difference is between what the decisions demand, not between what one
// answer of a backend would have looked like. Masks are held against each other
// path by path as they are written, so a rule that was replaced by one with a
// wider path is told as a loss and a gain. That errs to the side of telling too
// much: a weaker mask beside a strict one changes nothing (the strictest wins),
// so nothing can become visible without an entry that was taken out, weakened,
// or added as show.
//
// Where a request was refused and would now pass, that is the one difference:
// everything in the answer is new to its reader.
//
// Differences hold words of policies and no values of callers: a value that a
// policy copied into a row filter or a header is shown as "…".
package compare

import (
	"cmp"
	"slices"
	"strings"

	"github.com/gatehouse-dev/gatehouse/policies"
)

// Kind is what a difference is about.
type Kind string

// The kinds, most dangerous first. All up to Unclassified open something; the
// others close something or explain a refusal otherwise.
const (
	NewlyAllowed   Kind = "newly_allowed"     // refused before, passes now
	NewlyVisible   Kind = "newly_visible"     // a field that was masked or hidden, or was so more strictly
	RowsLoosened   Kind = "rows_loosened"     // a row filter that is gone or asks for less
	NewlyWritable  Kind = "newly_writable"    // a member of the request body that was protected
	WeakerAuth     Kind = "weaker_auth"       // less is asked of the authentication
	HeadersChanged Kind = "headers_changed"   // the upstream is told something else
	RegionChanged  Kind = "region_changed"    // served elsewhere
	RateChanged    Kind = "rate_changed"      // more requests are admitted, or as many as the limit itself says
	AuditLowered   Kind = "audit_lowered"     // less goes on record
	Unclassified   Kind = "newly_classified"  // values here are not looked at any more
	NewlyRefused   Kind = "newly_refused"     // passed before
	NewlyFailing   Kind = "newly_failing"     // cannot be decided, and so is refused
	NewlyHidden    Kind = "newly_hidden"      // the opposite of NewlyVisible
	RowsTightened  Kind = "rows_tightened"    // the opposite of RowsLoosened
	NewlyProtected Kind = "newly_protected"   // the opposite of NewlyWritable
	StrongerAuth   Kind = "stronger_auth"     // the opposite of WeakerAuth
	RateLowered    Kind = "rate_lowered"      // fewer requests are admitted
	AuditRaised    Kind = "audit_raised"      // the opposite of AuditLowered
	Declassified   Kind = "declassified"      // the opposite of Unclassified
	RefusedOther   Kind = "refused_otherwise" // refused before and after, with another code
)

// Kinds lists every kind, most dangerous first.
func Kinds() []Kind {
	return []Kind{
		NewlyAllowed, NewlyVisible, RowsLoosened, NewlyWritable, WeakerAuth, HeadersChanged, RegionChanged, RateChanged, AuditLowered, Unclassified,
		NewlyRefused, NewlyFailing, NewlyHidden, RowsTightened, NewlyProtected, StrongerAuth, RateLowered, AuditRaised, Declassified, RefusedOther,
	}
}

// Opens reports whether the kind gives somebody more than before.
func (k Kind) Opens() bool { return k.rank() <= slices.Index(Kinds(), Unclassified) }

// rank is the place in the order of danger. A kind that is not known is the
// most dangerous.
func (k Kind) rank() int { return slices.Index(Kinds(), k) }

// words says the kind in a sentence.
func (k Kind) words() string { return strings.ReplaceAll(string(k), "_", " ") }

// Difference is one thing that another policy would change.
type Difference struct {
	Kind Kind `json:"kind"`
	// What it is about: a path, the name of a header, a code.
	What string `json:"what,omitempty"`
	// Before and After are what is done with it: the mask action, the filter.
	Before string `json:"before,omitempty"`
	After  string `json:"after,omitempty"`
}

// String says it in a line: "newly visible $..salary: redact -> shown".
func (d Difference) String() string {
	detail := d.Detail()
	switch {
	case d.What != "":
		return d.Kind.words() + " " + detail
	case detail != "":
		return d.Kind.words() + ": " + detail
	}
	return d.Kind.words()
}

// Detail says it without the kind: "$..salary: redact -> shown".
func (d Difference) Detail() string {
	out := d.What
	if d.Before == "" && d.After == "" {
		return out
	}
	if out != "" {
		out += ": "
	}
	return out + cmp.Or(d.Before, "nothing") + " -> " + cmp.Or(d.After, "nothing")
}

// Answer is what a policy made of a question: a decision, or nil where it could
// not decide. That refuses the request, too.
type Answer struct{ Decision *policies.Decision }

func (a Answer) allowed() bool { return a.Decision != nil && a.Decision.Allowed() }

// code is what a refusal says.
func (a Answer) code() string {
	switch {
	case a.Decision == nil:
		return "policy_error"
	case len(a.Decision.Deny) > 0:
		return a.Decision.Deny[0].Code
	}
	return "forbidden"
}

// Answers lists what is different, most dangerous first. None means that the
// request fares alike.
func Answers(before, after Answer) []Difference {
	switch {
	case before.allowed() && after.allowed():
		if before.Decision == after.Decision {
			return nil
		}
		return decisions(before.Decision, after.Decision)
	case after.allowed():
		return []Difference{{Kind: NewlyAllowed, Before: before.code(), After: "allowed"}}
	case before.Decision != nil && after.Decision == nil:
		was := "allowed"
		if !before.allowed() {
			was = before.code()
		}
		return []Difference{{Kind: NewlyFailing, Before: was, After: after.code()}}
	case before.allowed():
		return []Difference{{Kind: NewlyRefused, Before: "allowed", After: after.code()}}
	case before.code() != after.code():
		return []Difference{{Kind: RefusedOther, Before: before.code(), After: after.code()}}
	}
	return nil
}

// differences are those found so far.
type differences []Difference

func (l *differences) add(kind Kind, what, before, after string) {
	*l = append(*l, Difference{kind, what, before, after})
}

// either adds one of two kinds, or nothing where change is 0.
func (l *differences) either(change int, opens, closes Kind, what, before, after string) {
	switch {
	case change > 0:
		l.add(opens, what, before, after)
	case change < 0:
		l.add(closes, what, before, after)
	}
}

func decisions(a, b *policies.Decision) []Difference {
	var l differences
	l.masks(a, b)
	l.exposed(a, b)
	l.rows(a, b)
	l.protected(a, b)
	l.authentication(a.Require, b.Require)
	l.headers(a.Headers, b.Headers)
	l.classified(a.Classified, b.Classified)
	if a.Region != b.Region {
		l.add(RegionChanged, "", a.Region, b.Region)
	}
	l.rates(a.RateLimits, b.RateLimits)
	levels := []string{"none", "", "metadata", "detail"} // "" leaves the route's own
	l.either(slices.Index(levels, a.Audit)-slices.Index(levels, b.Audit), AuditLowered, AuditRaised, "", a.Audit, b.Audit)
	slices.SortStableFunc(l, func(x, y Difference) int {
		return cmp.Or(cmp.Compare(x.Kind.rank(), y.Kind.rank()), cmp.Compare(x.What, y.What))
	})
	return l
}
