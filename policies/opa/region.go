package opa

import (
	"slices"

	"github.com/open-policy-agent/opa/v1/ast"
)

// regionUse is a rule that names a region as a constant.
type regionUse struct {
	name     string
	location *ast.Location
}

// region notes a region that a rule names, where it is a constant.
func (f *facts) region(name string, of *ast.Rule) {
	if name != "" {
		f.regions = append(f.regions, regionUse{name, of.Location})
	}
}

// unknownRegions holds the regions that rules name against those that have
// endpoints. It is no mistake to name another: nothing is served then.
func (f *facts) unknownRegions(known []string, warnings *Mistakes) {
	if known == nil {
		return
	}
	for _, use := range f.regions {
		switch {
		case slices.Contains(known, use.name):
		case len(known) == 0:
			warnings.at(use.location, "no endpoint of any upstream has a region: what is to be served in %q is refused", use.name)
		default:
			warnings.at(use.location, "no endpoint of any upstream is in region %s: what is to be served there is refused", instead(use.name, known))
		}
	}
}
