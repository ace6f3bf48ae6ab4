package config

// Policies says where the Rego policies are and how they are asked.
type Policies struct {
	// Path is a folder of Rego and data (.json, .yaml). This or `bundle` is
	// required unless every route says `policy: off`.
	Path string `yaml:"path" is:"folder"`
	// Data is a second folder of data. Default: none.
	Data string `yaml:"data" is:"folder"`
	// Bundle is a signed bundle of policies and data, instead of `path`.
	Bundle *PolicyBundle `yaml:"bundle"`
	// Budget is the time one decision may take; beyond it the request is
	// denied. Default: 50ms.
	Budget Duration `yaml:"budget" is:"positive"`
	// Headers are the request headers that policies may read in
	// input.context.headers. Default: none.
	Headers []string `yaml:"headers"`
	// Tests says whether loading runs the policies' own tests (rules named
	// test_… in files named …_test.rego): policies that fail one are refused,
	// and so are those that answer a test's question otherwise with the
	// optimizations of the policy engine off. Default: on.
	Tests string `yaml:"tests" oneof:"on off"`
	// Coverage is the least share of the policies' lines that the tests must
	// evaluate, in percent. Default: 0.
	Coverage int `yaml:"coverage"`
	// Probes says whether loading asks as strangers would, on every route with
	// a token that requires masks or rows. Nobody, a subject without a role and
	// one with an unknown role must be refused or see nothing. Where known
	// roles of another tenant get rows that have nothing of the caller in them,
	// and the policies do not say all_rows, check warns. Default: on.
	Probes string `yaml:"probes" oneof:"on off"`
	// Memo says how decisions are remembered.
	Memo PolicyMemo `yaml:"memo"`
	// Shadow is a folder of other policies that are judged beside these on live
	// traffic: in the background, without touching an answer. What they would
	// change is counted, and listed at /admin/shadow. Where something is wrong
	// with them `gatehouse check` fails; a gateway goes on without them and says
	// so. Default: none.
	Shadow string `yaml:"shadow" is:"folder"`
	// ShadowData is a folder of data for the policies of `shadow`. Default: that
	// of `data`.
	ShadowData string `yaml:"shadow_data" is:"folder"`
	// ShadowSample is the share of decisions that `shadow` judges as well, 0 to
	// 1. Default: 0.1.
	ShadowSample float64 `yaml:"shadow_sample"`
}

// PolicyMemo says how decisions are remembered: under exactly what the policies
// can observe of a question, so that a remembered decision is the one that would
// be made.
type PolicyMemo struct {
	// Entries is how many decisions are remembered at most, over all routes;
	// -1 remembers none. Default: 16384.
	Entries int `yaml:"entries"`
	// AuditEvery evaluates one remembered decision in so many nevertheless. If
	// it is not the same, nothing is remembered any more and
	// gatehouse_policy_memo_mismatches_total counts it; -1 evaluates none.
	// Default: 1000.
	AuditEvery int `yaml:"audit_every"`
}

// PolicyBundle is a signed bundle, as `gatehouse policy bundle` and `opa build`
// make it: a .tar.gz whose signature (EdDSA) covers every file. It is refused
// unsigned, with a file too many, too few or changed, signed with another key,
// and when its serial number, the manifest's revision, is lower than that of
// one that has been in force.
type PolicyBundle struct {
	// Source is a file, or a URL: https, or http on this machine. Required.
	Source string `yaml:"source" is:"required source"`
	// Keys are PEM files with Ed25519 public keys, by key id. A bundle names
	// the one that it is signed with. At least one is required.
	Keys map[string]string `yaml:"keys" is:"required file"`
	// Poll is how often a URL is asked for another bundle. Default: 30s.
	Poll Duration `yaml:"poll" is:"positive"`
	// Cache is a folder, of this gateway alone, that keeps the last good bundle
	// for a start without the source, and the highest serial number. Required.
	Cache string `yaml:"cache" is:"required folder"`
	// Size is how large a bundle may be, unpacked. Default: 32MiB.
	Size Size `yaml:"size" is:"positive"`
}

// Masking holds the keys of the mask actions hash and tokenize, and what else
// holds for the masks of all routes.
type Masking struct {
	// Keys are secrets of at least 32 bytes by key id. Without any, a policy
	// that says hash or tokenize is refused.
	Keys map[string]Secret `yaml:"keys"`
	// Primary is the id of the key that new values are made with. Required
	// where there is more than one key.
	Primary string `yaml:"primary"`
	// NationalIDs are regular expressions (RE2) by name that find national
	// identifiers, for routes with `unclassified`. They are matched against
	// whole values. Default: none.
	NationalIDs map[string]string `yaml:"national_ids"`
}
