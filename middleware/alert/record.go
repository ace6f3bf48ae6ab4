package alert

import (
	"crypto/rand"
	"encoding/hex"
	"fmt"
	"strings"
	"time"
)

// record is an event on its way, with what the way adds. As JSON it is what the
// spool keeps.
type record struct {
	Event
	// Finding is the id of the first event about the same.
	Finding string
	// Update says that it is not the first one.
	Update bool `json:",omitempty"`
	// Held is how many were held back since Since.
	Held  int64     `json:",omitempty"`
	Since time.Time `json:",omitzero"`
	// Lost is how many events found no room before this one.
	Lost int64 `json:",omitempty"`
	// Test says that somebody tries whether it arrives.
	Test bool `json:",omitempty"`
}

func newID() string {
	var b [16]byte
	rand.Read(b[:])
	return hex.EncodeToString(b[:])
}

// rank orders severities; one that is not known is the least.
func (s Severity) rank() int {
	switch s {
	case Low:
		return 2
	case Medium:
		return 3
	case High:
		return 4
	case Critical:
		return 5
	}
	return 1
}

// title says in a few words what a detector has found.
func (r *record) title() string {
	switch {
	case r.Test:
		return "Test of an alert sink"
	case r.Class == Authentication && r.Failed:
		return "Login failed"
	case r.Class == Authentication:
		return "Login"
	}
	name := strings.ReplaceAll(r.Detector, "_", " ")
	if name == "" {
		return "Finding"
	}
	return strings.ToUpper(name[:1]) + name[1:]
}

// facts are what there is to say of an event beyond its title, as pairs of a name
// and a value. Values may be of a caller's choosing.
func (r *record) facts() [][2]string {
	var out [][2]string
	add := func(name, value string) {
		if value != "" {
			out = append(out, [2]string{name, value})
		}
	}
	add("subject", r.Subject)
	add("issuer", r.Issuer)
	add("tenant", r.Tenant)
	add("role", r.Role)
	if r.Address.IsValid() {
		add("address", r.Address.String())
	}
	if r.Client.IsValid() {
		add("client", r.Client.String())
	}
	add("user_digest", r.User)
	add("route", r.Route)
	if r.Threshold > 0 {
		add("count", fmt.Sprintf("%d of %d in %s", r.Count, r.Threshold, r.Window))
	}
	add("action", r.Action)
	if r.Class == Finding && !r.Test && !r.Enforced {
		add("mode", "observe")
	}
	add("block", r.Block)
	if !r.Until.IsZero() {
		add("until", r.Until.UTC().Format(time.RFC3339))
	}
	if r.Held > 0 {
		add("held_back", fmt.Sprintf("%d more since %s", r.Held, r.Since.UTC().Format(time.RFC3339)))
	}
	if r.Lost > 0 {
		add("lost", fmt.Sprintf("%d events found no room", r.Lost))
	}
	add("request_id", r.RequestID)
	return out
}
