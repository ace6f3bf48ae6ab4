// Package detect holds the detectors of the guard as state machines: they know
// neither HTTP nor configuration nor clocks. Somebody shows them what passed, and
// they say when it is too much.
package detect

import (
	"net/netip"
	"time"

	"github.com/gatehouse-dev/gatehouse/middleware"
)

// Digest stands for a username. Zero stands for none that is known.
type Digest [16]byte

// Subject is who a token speaks of. Zero is nobody.
type Subject struct{ Issuer, ID string }

// Signal is what the guard saw of one exchange when it was over.
type Signal struct {
	Time    time.Time
	Address netip.Prefix // an IPv4 address, or the /64 of an IPv6 one
	Subject Subject
	Tenant  string
	Role    string
	Route   string
	Method  string

	Status int             // of the answer, refusals included
	Code   middleware.Code // of the refusal; "" where the upstream answered

	Login bool     // the route is for signing in, and the upstream answered
	Users []Digest // the usernames that a login names
	Clear bool     // a success says for certain which of them signed in
	// Hidden says that a login names somebody, or may, in a way that cannot be read.
	Hidden bool

	Params     []string // the values of the path's {id} segments, in sequence, or else its last segment
	Suspicions []middleware.Suspicion

	Records   int64 // served
	Sensitive int64
}

// Target says whom a finding is about.
type Target uint8

// The targets.
const (
	TargetAddress Target = iota // Finding.Address, whoever it is
	TargetUser                  // logins on Finding.User from Finding.Address
	TargetSubject               // Finding.Subject, wherever from
)

// Finding says that a threshold was met.
type Finding struct {
	Target    Target
	Address   netip.Prefix
	User      Digest
	Subject   Subject
	Count     int64 // what was counted within Window
	Threshold int64
	Window    time.Duration
	// Evidence says more, in pairs of a name and a value that may be shown.
	Evidence [][2]string
}

// A Detector is one state machine. It is for any number of goroutines. Memory is
// bounded whatever callers send.
type Detector interface {
	// See takes a signal and gives what follows from it. One finding per target
	// and window is enough: what led to it is forgotten.
	See(s *Signal) []Finding
}
