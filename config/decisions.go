package config

// Decisions says where decisions go on record: one line of JSON for each, with
// the question that was asked, for `gatehouse policy replay`. Secrets are taken
// out, and what the policies name in data.system.log.mask; what is left is still
// about persons.
type Decisions struct {
	// Output is stdout, stderr or the path of a file that is appended to.
	// Default: none, no decision is on record.
	Output string `yaml:"output" is:"output"`
	// Sample is the share of decisions that go on record, 0 to 1. Default: 1.
	Sample float64 `yaml:"sample"`
	// Queue is how many decisions may wait to be written. What finds no room is
	// dropped and counted; no request ever waits. Default: 4096.
	Queue int `yaml:"queue" is:"positive"`
	// Bodies keeps the request bodies that policies see (`policy: {body: true}`).
	// Default: false.
	Bodies bool `yaml:"bodies"`
	// Labels adds the labels of the rules that held. The policies are asked once
	// more for that, off the request path. Default: false.
	Labels bool `yaml:"labels"`
}
