package policies

import (
	"strconv"
	"strings"
)

// Decision is the answer to an [Input]. Nothing in it belongs to one request:
// a Decision may be shared by many exchanges and must not be changed.
type Decision struct {
	// Allow is the policy's grant. A request passes only if Allow is true and
	// Deny is empty; see [Decision.Allowed].
	Allow bool `json:"allow"`
	// Deny lists every objection, sorted by code.
	Deny []Denial `json:"deny,omitempty"`
	// Mask lists the fields of the response to mask.
	Mask []Mask `json:"mask,omitempty"`
	// Rows lists the row filters of the response.
	Rows []Row `json:"rows,omitempty"`
	// Expose, where it is not empty, lists the only paths of the response
	// that pass.
	Expose []string `json:"expose,omitempty"`
	// Classified lists paths of the response whose values the policy knows
	// about, masked or not. What looks like personal data at any other path is
	// reported, where the route asks for it.
	Classified []string `json:"classified,omitempty"`
	// Protect lists the members of the request body the subject may not write.
	Protect []Protect `json:"protect,omitempty"`
	// Require lists what the authentication of the subject must have been
	// like (RFC 9470). All entries must hold.
	Require []Require `json:"require,omitempty"`
	// Headers are sent to the upstream, by canonical name.
	Headers map[string]Value `json:"headers,omitempty"`
	// Region, where set, is the only region whose endpoints may serve.
	Region string `json:"region,omitempty"`
	// RateLimits are the rates that the caller is given, by the name of the rate
	// limit. One that the route does not have is without effect.
	RateLimits map[string]Rate `json:"rate_limits,omitempty"`
	// Audit raises the route's audit level; "" leaves it.
	Audit string `json:"audit,omitempty"`
	// AllFields says explicitly that this subject may see every field, where
	// a route requires masks; AllRows the same of row filters.
	AllFields bool `json:"all_fields,omitempty"`
	AllRows   bool `json:"all_rows,omitempty"`
	// Revision of the policies that decided.
	Revision string `json:"revision,omitempty"`
}

// Allowed reports whether the request may pass.
func (d *Decision) Allowed() bool { return d.Allow && len(d.Deny) == 0 }

// Denial is one reason to refuse.
type Denial struct {
	Code    string `json:"code"`
	Message string `json:"message"` // shown to the client
}

// Mask actions. Where several masks meet on one value the strictest wins:
// drop > null > redact > hash > tokenize > partial > generalize. show lifts the
// masks matched at a value or its ancestors.
const (
	ActionDrop       = "drop"
	ActionNull       = "null"
	ActionRedact     = "redact"
	ActionHash       = "hash"
	ActionTokenize   = "tokenize"
	ActionPartial    = "partial"
	ActionGeneralize = "generalize"
	ActionShow       = "show"
)

// MaskActions lists every action, strictest first, show last.
func MaskActions() []string {
	return []string{
		ActionDrop, ActionNull, ActionRedact, ActionHash, ActionTokenize,
		ActionPartial, ActionGeneralize, ActionShow,
	}
}

// Mask says what to do with the values at a path of the response. Path is the
// subset of RFC 9535 that the masking engine documents.
type Mask struct {
	Path   string `json:"path"`
	Action string `json:"action"`
	// Bucket is the width of the buckets of generalize on numbers; 0 means
	// the engine's default.
	Bucket float64 `json:"bucket,omitempty"`
	// Class is what the values are ("pii", "phi", "pay"), for metrics and the
	// record. It changes nothing.
	Class string `json:"class,omitempty"`
}

// Row is one row filter: an element selected by Path survives if all
// conditions of Where hold.
type Row struct {
	Path  string      `json:"path"`
	Where []Condition `json:"where"`
}

// Condition compares one field of an element with a value or with a named
// value of the caller, or combines other conditions. Exactly one of Value and
// Input is meaningful: Input where it is not empty.
//
// A combination has exactly one of Any, All and Not, and neither Field nor Op.
// Logic is three-valued (Kleene): a comparison with a field that is missing is
// undefined, and so is its negation.
type Condition struct {
	Field string `json:"field,omitempty"`
	Op    string `json:"op,omitempty"`
	Value any    `json:"value,omitempty"` // string, json.Number, bool, nil or a list of those
	Input string `json:"input,omitempty"`

	Any []Condition `json:"any,omitempty"`
	All []Condition `json:"all,omitempty"`
	Not *Condition  `json:"not,omitempty"`
}

// Text says it in a line: "branch in subject.branches", "(a eq 1 or not (b
// exists))". What is compared with is said by operand, since not everybody may
// see values.
func (c Condition) Text(operand func(Condition) string) string {
	joined := func(parts []Condition, word string) string {
		texts := make([]string, len(parts))
		for i, p := range parts {
			texts[i] = p.Text(operand)
		}
		return "(" + strings.Join(texts, word) + ")"
	}
	switch {
	case c.Any != nil:
		return joined(c.Any, " or ")
	case c.All != nil:
		return joined(c.All, " and ")
	case c.Not != nil:
		return "not " + joined([]Condition{*c.Not}, "")
	}
	return strings.Join([]string{c.Field, c.Op, operand(c)}, " ")
}

// Ops lists the comparison operators of a [Condition].
func Ops() []string {
	return []string{
		"eq", "ne", "in", "not_in", "lt", "le", "gt", "ge", "exists",
		"startswith", "endswith", "contains",
	}
}

// Protect names members of the request body that may not be written.
type Protect struct {
	Path   string `json:"path"`
	Action string `json:"action"` // reject or drop
}

// Require describes the authentication that a request needs (RFC 9470). Zero
// fields require nothing.
type Require struct {
	ACR string `json:"acr,omitempty"`
	// AMR methods must all be present (RFC 8176).
	AMR []string `json:"amr,omitempty"`
	// MaxAge is how old the authentication may be, in seconds; 0 is no bound.
	MaxAge int64 `json:"max_age,omitempty"`
}

// String says it in a few words: "acr gold, amr otp pwd, max_age 3600".
func (q Require) String() string {
	var words []string
	if q.ACR != "" {
		words = append(words, "acr "+q.ACR)
	}
	if len(q.AMR) > 0 {
		words = append(words, "amr "+strings.Join(q.AMR, " "))
	}
	if q.MaxAge > 0 {
		words = append(words, "max_age "+strconv.FormatInt(q.MaxAge, 10))
	}
	return strings.Join(words, ", ")
}

// Value is the value of an upstream header: a literal text, or the name of a
// value of the caller where Input is not empty.
type Value struct {
	Text  string `json:"text,omitempty"`
	Input string `json:"input,omitempty"`
}
