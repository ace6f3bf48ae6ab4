package guard

import (
	"fmt"
	"math"
	"strings"
	"time"

	"github.com/gatehouse-dev/gatehouse/config"
	"github.com/gatehouse-dev/gatehouse/middleware"
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

func within(n int, window config.Duration) string { return fmt.Sprintf("%d in %s", n, window) }

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
		add("token_failures", "made-up tokens", within(d.Threshold, d.Window), false, l,
			func() detect.Detector { return detect.NewTokenFailures(l) })
	}
	if d := c.CredentialStuffing; d != nil {
		l := limit(d.Distinct, d.Window, d.Response())
		add("credential_stuffing", "usernames with failed logins", within(d.Distinct, d.Window), true, l,
			func() detect.Detector { return detect.NewCredentialStuffing(l) })
	}
	if d := c.APIAbuse; d != nil {
		l := limit(d.Threshold, d.Window, d.Response())
		add("api_abuse", "refused requests", within(d.Threshold, d.Window), false, l,
			func() detect.Detector { return detect.NewAPIAbuse(l) })
	}
	if d := c.Enumeration; d != nil {
		s := detect.EnumerationSettings{Limit: limit(d.Threshold, d.Window, d.Response())}
		add("enumeration", "refused ids", within(d.Threshold, d.Window), false, s,
			func() detect.Detector { return detect.NewEnumeration(s) })
	}
	if d := c.DataVolume; d != nil {
		s := volume(d)
		add("data_volume", "records or sensitive values served", volumeRule(d), false, s,
			func() detect.Detector { return detect.NewDataVolume(s) })
	}
	if d := c.PrivilegeEscalation; d != nil {
		s := privileges(d)
		add("privilege_escalation", "attempts to be more", within(d.Threshold, d.Window), false, s,
			func() detect.Detector { return detect.NewPrivilegeEscalation(s) })
	}
	return out
}

// volume makes the settings of data_volume; what is not bounded is never too much.
func volume(d *config.DataVolume) detect.DataVolumeSettings {
	bound := func(n int) int64 {
		if n == 0 {
			return math.MaxInt64
		}
		return int64(n)
	}
	l := limit(1, d.Window, d.Response())
	return detect.DataVolumeSettings{Records: bound(d.Records), Sensitive: bound(d.Sensitive), Window: l.Window, Quiet: l.Quiet}
}

func volumeRule(d *config.DataVolume) string {
	var parts []string
	if d.Records > 0 {
		parts = append(parts, fmt.Sprintf("%d records", d.Records))
	}
	if d.Sensitive > 0 {
		parts = append(parts, fmt.Sprintf("%d sensitive values", d.Sensitive))
	}
	return fmt.Sprintf("%s in %s", strings.Join(parts, " or "), d.Window)
}

func privileges(d *config.PrivilegeEscalation) detect.PrivilegeEscalationSettings {
	s := detect.PrivilegeEscalationSettings{
		Limit: limit(d.Threshold, d.Window, d.Response()), ProtectedMember: d.ProtectedMembers,
		IdentityHeader: d.IdentityHeaders, Routes: d.Routes,
	}
	if d.IdentityHeaders == 0 {
		s.IdentityHeader = -1
	}
	for _, code := range d.Codes {
		s.Codes = append(s.Codes, middleware.Code(code))
	}
	return s
}
