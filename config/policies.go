package config

// Policies says where the Rego policies are and how they are asked.
type Policies struct {
	// Path is a folder of Rego and data (.json, .yaml). Required unless every
	// route says `policy: off`.
	Path string `yaml:"path" is:"folder"`
	// Data is a second folder of data. Default: none.
	Data string `yaml:"data" is:"folder"`
	// Budget is the time one decision may take; beyond it the request is
	// denied. Default: 50ms.
	Budget Duration `yaml:"budget" is:"positive"`
	// Headers are the request headers that policies may read in
	// input.context.headers. Default: none.
	Headers []string `yaml:"headers"`
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
