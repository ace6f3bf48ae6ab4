package opa

import (
	"io/fs"
	"time"

	"github.com/gatehouse-dev/gatehouse/policies/opa/memo"
)

// DefaultSize bounds everything that is read where Options name no bound, so
// that a wrong path (a folder of dumps) is a mistake and not an exhausted
// machine.
const DefaultSize = 64 << 20

// Options say where the policies are.
type Options struct {
	// Path is the folder of Rego and data (.json, .yaml, .yml). It is read
	// with all its subfolders, except hidden ones. Required.
	Path string
	// More are further folders, each read like Path.
	More []string
	// Data is a folder of data only. Default: none.
	Data string
	// FS, where set, is what all folders are read in. Default: the file system
	// of the machine.
	FS fs.FS
	// Files, where set, are read instead of the folders: contents by
	// slash-separated name, as a bundle has them.
	Files map[string][]byte
	// Size is how large policies and data may be together, in bytes. Default:
	// [DefaultSize].
	Size int64
	// Budget is the time one decision may take. Default: [DefaultBudget].
	Budget time.Duration
	// Tests says that loading runs the policies' own tests, rules named test_…
	// in files named …_test.rego: one that does not pass is a mistake, and so is
	// a question of theirs that is answered otherwise with OPA's rule indexing
	// and early exit off.
	Tests bool
	// TestTimeout is what one test, or the answer to one probe, may take.
	// Default: 5s.
	TestTimeout time.Duration
	// MinCoverage is the least share of the policies' lines that the tests must
	// evaluate, in percent. It needs Tests. Default: 0.
	MinCoverage float64
	// Probes are routes on which strangers must find nothing; see [Probe].
	Probes []Probe
	// RateLimits are the names of the rate limits whose rate policies may say. A
	// rule about another is a mistake. Default: nil, any name will do.
	RateLimits []string
	// Regions are those that endpoints are in. A rule about another is warned
	// of. Default: nil, any name will do.
	Regions []string
	// Memo says how decisions are remembered. By default they are.
	Memo memo.Options
}
