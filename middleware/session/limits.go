package session

import (
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/gatehouse-dev/gatehouse/config"
	"github.com/gatehouse-dev/gatehouse/policies"
)

// limits are how long a session may be unused, and last.
type limits struct{ idle, max time.Duration }

// unbounded is longer than any session and short enough to be added to a time.
const unbounded = time.Duration(math.MaxInt64 / 4)

// bounds are the limits of a route: those of everybody, and those of roles that
// have shorter ones.
type bounds struct {
	limits
	roles map[string]limits
}

// newBounds reads the configuration, nil where there is none. A limit of 0 is
// none.
func newBounds(c *config.Session) *bounds {
	if c == nil {
		return nil
	}
	b := &bounds{limits: limits{bound(c.Idle), bound(c.Max)}}
	for role, r := range c.Roles {
		if b.roles == nil {
			b.roles = map[string]limits{}
		}
		b.roles[role] = limits{bound(r.Idle), bound(r.Max)}
	}
	return b
}

func bound(d config.Duration) time.Duration {
	if d <= 0 {
		return unbounded
	}
	return d.D()
}

// of gives the limits of a caller: of several roles the shortest of each.
func (b *bounds) of(s *policies.Subject) limits {
	l := b.limits
	if len(b.roles) == 0 {
		return l
	}
	l.shorten(b.roles, s.Role)
	for _, role := range s.Roles {
		l.shorten(b.roles, role)
	}
	return l
}

func (l *limits) shorten(roles map[string]limits, role string) {
	if r, ok := roles[role]; ok {
		l.idle, l.max = min(l.idle, r.idle), min(l.max, r.max)
	}
}

// shortest gives the shortest idle limit of anybody.
func (b *bounds) shortest() time.Duration {
	d := b.idle
	for _, r := range b.roles {
		d = min(d, r.idle)
	}
	return d
}

// String is for people: "idle 15m0s, max 12h0m0s, auditor idle 5m0s".
func (b *bounds) String() string {
	parts := b.limits.words("")
	for _, role := range slices.Sorted(maps.Keys(b.roles)) {
		parts = append(parts, b.roles[role].words(role+" ")...)
	}
	return strings.Join(parts, ", ")
}

func (l limits) words(who string) (out []string) {
	if l.idle != unbounded {
		out = append(out, fmt.Sprintf("%sidle %s", who, l.idle))
	}
	if l.max != unbounded {
		out = append(out, fmt.Sprintf("%smax %s", who, l.max))
	}
	return out
}
