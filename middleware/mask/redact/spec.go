package redact

// Spec is what a policy demands of a text.
type Spec struct {
	Rules []Rule
	Rows  []RowFilter
	// Expose, where it is not empty, lists the only paths that pass.
	Expose []string
	// Known lists paths that need no look from [Options].Detect. They are read
	// as those of masks are, and hold for everything inside.
	Known []string
	// Sensitive lists paths whose values are counted in [Report].Sensitive where
	// they are sent as they are. They are read as those of masks are, and hold for
	// everything inside. They change nothing.
	Sensitive []string
}

// Rule is one mask.
type Rule struct {
	Path   string
	Action Action
	// Bucket is the width of the buckets of [Generalize] on numbers. 0 means
	// [DefaultBucket].
	Bucket float64
	// Domain is what [Hash] and [Tokenize] call the field: values hash alike
	// in the same domain only. Default: the last name of Path.
	Domain string
	// Class is what the values are, in the words of whoever wrote the rule. It
	// changes nothing.
	Class string
}

// DefaultBucket is the width of a bucket where a rule does not say.
const DefaultBucket = 1000

// RowFilter lets those values at Path pass for which all conditions hold.
type RowFilter struct {
	Path  string
	Where []Cond
}

// Options are what rules are carried out with.
type Options struct {
	Keys *Keyring
	// Tenant is whose keys are used for hash and tokenize.
	Tenant string
	// Detect, where it is not nil, gives the class of a text that looks like
	// personal data, one of a few words, and "" for any other. It is asked about
	// strings, decoded, and numbers of at most 256 bytes (and of no more than
	// [Limits].Scalar in the text) that are about to be sent and for which
	// nothing in the [Spec] holds: no mask, no show at them or at a container, no
	// known path, and no exposed path whose last name is theirs. It is asked about
	// names as well, as strings, before they are reported. It must be safe for any
	// number of goroutines, give the same answer every time, and neither keep nor
	// change text.
	Detect func(text []byte, isString bool) string
	// RedactFound makes "***" of what Detect finds.
	RedactFound bool
}
