// Package guard notices abuse in what passes and blocks who causes it.
//
// There is one detector. It counts failed logins: 401 answers of the upstream
// on routes that say `login: true`. Refusals of the gateway's own stages are
// errors, not answers, so a browser tab that polls with an expired token never
// blocks anybody.
//
// # Who is blocked
//
// By default failures are counted by address and username together, and the
// block is for login attempts on that username from that address: one person's
// mistakes do not lock an office out. With per_address they are counted by
// address whatever the usernames, and the block is for every route. An address
// is an IPv4 address or the /64 of an IPv6 one.
//
// # Which username
//
// The username is what a JSON object or a form in the request body calls
// username, email or login (login.go). Which of them the upstream goes by is
// not known, so failures count for each; a name that is made up beside the real
// one hides nothing. Attempts whose body names nobody, or cannot be read, count
// together for their address, as if they were one name that never succeeds.
// Names are kept as a keyed digest with a key made at start, and appear in no
// record.
//
// Attempts on one username from one address at the same time are let in only as
// many as could fail without exceeding the threshold; the others are refused
// with 429 rate_limited.
//
// # What is forgotten
//
// A login that succeeds (2xx) takes away the failures of the same username, and
// no others: one who guesses the passwords of others gains nothing by logging
// in to an account of their own in between.
//
// Counts and blocks are of this process, in memory, for [maxKeys] callers at
// most; the oldest go first. Replicas do not share them.
package guard

import (
	"crypto/rand"
	"time"

	"github.com/gatehouse-dev/gatehouse/config"
)

// The defaults of auth_failures.
const (
	defaultThreshold = 5
	defaultWindow    = 15 * time.Minute
	defaultBlock     = time.Hour
)

// Guard is the memory of the detectors, shared by all routes. It is safe for
// concurrent use.
type Guard struct {
	settings config.AuthFailures // with defaults
	secret   [32]byte            // keys the digests of usernames
	failures *failures
}

// Open makes a guard with empty memory, nil where no detector is configured.
func Open(c config.Guard) *Guard {
	if c.AuthFailures == nil {
		return nil
	}
	g := &Guard{settings: withDefaults(*c.AuthFailures)}
	rand.Read(g.secret[:]) // never fails: the runtime would end the process
	g.failures = newFailures(g.settings)
	return g
}

func withDefaults(c config.AuthFailures) config.AuthFailures {
	if c.Threshold <= 0 {
		c.Threshold = defaultThreshold
	}
	if c.Window <= 0 {
		c.Window = config.Duration(defaultWindow)
	}
	if c.Block <= 0 {
		c.Block = config.Duration(defaultBlock)
	}
	return c
}
