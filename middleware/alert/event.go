// Package alert tells people and their systems what the guard has noticed.
package alert

import (
	"net/netip"
	"time"
)

// Severity says how bad it is, in OCSF's words.
type Severity string

// The severities.
const (
	Informational Severity = "informational"
	Low           Severity = "low"
	Medium        Severity = "medium"
	High          Severity = "high"
	Critical      Severity = "critical"
)

// Class is the OCSF class that an event is written as.
type Class int

// The classes.
const (
	Finding        Class = 2004 // Detection Finding: a detector's threshold was met
	Authentication Class = 3002 // a login on a route with `login: true`
)

// Event is one thing that was noticed. It holds no secret, no token, no password,
// no username and no value of a body.
type Event struct {
	Class    Class
	ID       string // given by whoever takes the event
	Time     time.Time
	Detector string // "auth_failures"; of an Authentication, ""
	Severity Severity
	// Enforced says that something was done about it; else it was observed only.
	Enforced bool
	// Action that the configuration wants: alert, block_address, block_subject or
	// step_up.
	Action string
	// Failed says of an Authentication that the upstream refused it.
	Failed bool

	Client    netip.Addr   // who made the request
	Address   netip.Prefix // whom the finding is about: an IPv4 address or a /64
	User      string       // digest of the username, in hex; "" where none is known
	Issuer    string       // and Subject: who, where a token said it
	Subject   string
	Tenant    string
	Role      string
	Route     string
	RequestID string

	Count     int64         // what was counted
	Threshold int64         // that it met
	Window    time.Duration // in which
	// Evidence says more, in pairs of a name and a value.
	Evidence [][2]string

	Block string    // id of the block that began, "" where none did
	Until time.Time // when it ends
}

// A Raiser takes events. Raise never waits.
type Raiser interface{ Raise(e Event) }
