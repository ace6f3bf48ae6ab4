package guard

import (
	"fmt"
	"time"

	"github.com/gatehouse-dev/gatehouse/config"
	"github.com/gatehouse-dev/gatehouse/middleware/guard/detect"
)

// mostQuiet is for how long after a block began its target is not counted: what
// was under way then ends meanwhile. Whoever is let off by an operator is counted
// again soon.
const mostQuiet = 10 * time.Second

// kind is a detector that a configuration has on.
type kind struct {
	name     string
	what     string // it counts, for people
	rule     string // how much of it is too much, for people
	logins   bool   // it looks at logins alone
	settings any    // what it is made from
	open     func() detect.Detector
}

// limit is how much is too much. Where nothing is imposed there is one finding per
// target and window; else what follows the block counts.
func limit(threshold int, window config.Duration, r config.Response) detect.Limit {
	l := detect.Limit{Threshold: threshold, Window: window.D(), Quiet: window.D()}
	if r.Mode == "enforce" && r.Action != "alert" {
		l.Quiet = min(l.Quiet, r.Length(1), mostQuiet)
	}
	return l
}

func (l rule) String() string { return fmt.Sprintf("%d in %s", l.n, l.window) }

type rule struct {
	n      int
	window config.Duration
}

// kinds are the detectors that are on.
func kinds(c *config.Guard) (out []kind) {
	add := func(name, what, rule string, logins bool, settings any, open func() detect.Detector) {
		out = append(out, kind{name, what, rule, logins, settings, open})
	}
	if d := c.AuthFailures; d != nil {
		s := detect.AuthFailuresSettings{
			Limit: limit(d.Threshold, d.Window, d.Response()), Distinct: d.Distinct, PerAddress: d.PerAddress,
		}
		by := "address and username"
		if d.PerAddress {
			by = "address"
		}
		add("auth_failures", "failed logins", fmt.Sprintf("%d in %s by %s", d.Threshold, d.Window, by), true, s,
			func() detect.Detector { return detect.NewAuthFailures(s) })
	}
	if d := c.TokenFailures; d != nil {
		l := limit(d.Threshold, d.Window, d.Response())
		add("token_failures", "made-up tokens", rule{d.Threshold, d.Window}.String(), false, l,
			func() detect.Detector { return detect.NewTokenFailures(l) })
	}
	if d := c.CredentialStuffing; d != nil {
		l := limit(d.Distinct, d.Window, d.Response())
		add("credential_stuffing", "usernames with failed logins", rule{d.Distinct, d.Window}.String(), true, l,
			func() detect.Detector { return detect.NewCredentialStuffing(l) })
	}
	if d := c.APIAbuse; d != nil {
		l := limit(d.Threshold, d.Window, d.Response())
		add("api_abuse", "refused requests", rule{d.Threshold, d.Window}.String(), false, l,
			func() detect.Detector { return detect.NewAPIAbuse(l) })
	}
	return out
}
