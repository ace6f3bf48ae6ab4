package orders

import (
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"
)

// Kind says what an order does.
type Kind string

// The kinds.
const (
	Revocation Kind = "revocation" // calls tokens back
	Lockdown   Kind = "lockdown"   // closes routes or tenants
	Block      Kind = "block"      // keeps an address, a username or a subject out
)

// Bounds of an order. They keep what Redis and the file hold small; no value of
// a token that is accepted comes near.
const (
	maxValue = 1024 // bytes of a claim's value, or of a reason
	maxName  = 256  // bytes of a name of the configuration, a role, or who gave it
	maxRoles = 64
)

// ahead is how far in the future an order may say it was given: the clock of an
// issuer, or of an operator, is not ours.
const ahead = 5 * time.Minute

// Order is what an operator or an issuer wants to hold from now on. It is never
// changed once it is given.
//
// A revocation names one of jti, sid, subject and tenant, or issued_before
// alone. A lockdown names a route, a tenant, both (that tenant on that route),
// or all. A block names an address, with or without a username, or a subject of
// an issuer.
type Order struct {
	ID   string `json:"id,omitempty"` // given by the Book
	Kind Kind   `json:"kind,omitempty"`
	// Issuer is a name of the configuration. A revocation by jti, sid or subject
	// needs it; for others it says whose tokens alone are meant. Default: all.
	Issuer string `json:"issuer,omitempty"`
	// JTI calls back one token.
	JTI string `json:"jti,omitempty"`
	// SID calls back one session, refreshed tokens included, until somebody signs
	// in anew: auth_time later than At.
	SID string `json:"sid,omitempty"`
	// Subject calls back all tokens of a subject issued until IssuedBefore. A
	// block keeps this one out, wherever from and whatever the token.
	Subject string `json:"subject,omitempty"`
	// Tenant calls back all tokens of a tenant issued until IssuedBefore. A
	// lockdown is for this tenant only.
	Tenant string `json:"tenant,omitempty"`
	// IssuedBefore alone calls back every token issued until then, to the second
	// in which it lies. Default, for a subject or tenant: At.
	IssuedBefore time.Time `json:"issued_before,omitzero"`
	// Route is the one route of a lockdown.
	Route string `json:"route,omitempty"`
	// All routes, for everyone.
	All bool `json:"all,omitempty"`
	// Roles are served during a lockdown: one of them is enough.
	Roles []string `json:"roles,omitempty"`
	// Address is the address or the network that a block is about: canonical, so
	// masked and without an IPv4 address in the clothes of an IPv6 one. [Network]
	// makes it of what somebody wrote.
	Address netip.Prefix `json:"address,omitzero"`
	// User narrows a block of an address to logins on this username: the guard's
	// digest of it, in hex.
	User string `json:"user,omitempty"`
	// Action of a block: [ActionBlock], or [ActionStepUp]. Default: block.
	Action string `json:"action,omitempty"`
	// Detector is whose finding led to a block; "" where an operator ordered it.
	Detector string `json:"detector,omitempty"`
	// Level of a detector's block: the how many-th of its target in a row, from 1.
	Level int `json:"level,omitempty"`
	// Ends is when a block does not hold any more. Default: when it is lifted.
	Ends   time.Time `json:"ends,omitzero"`
	Reason string    `json:"reason,omitempty"` // for operators and records, never for clients
	By     string    `json:"by,omitempty"`     // "admin", "issuer NAME", "guard"
	// At is when it was given. Default: now.
	At time.Time `json:"at,omitzero"`
	// Until is when it is forgotten. Of a revocation the Book says so: when
	// everything it calls back has expired. Default, for a lockdown: when it is
	// lifted; for a block: a day after Ends, so that the next one of its target
	// knows the level.
	Until time.Time `json:"until,omitzero"`
}

// Check says what is wrong with an order that is asked for. ID is not looked at,
// for the Book gives it.
func (o Order) Check() error {
	now := time.Now()
	if o.Kind == Revocation && !o.Until.IsZero() {
		return errors.New("until is for lockdowns: a revocation holds until what it calls back has expired")
	}
	if err := o.wellFormed(); err != nil {
		return err
	}
	switch {
	case o.At.After(now.Add(ahead)):
		return fmt.Errorf("at is more than %s ahead", ahead)
	case o.IssuedBefore.After(now.Add(ahead)):
		return fmt.Errorf("issued_before is more than %s ahead; to keep somebody out use a lockdown", ahead)
	case !o.Until.IsZero() && !o.Until.After(now):
		return errors.New("until has passed")
	case !o.Ends.IsZero() && o.Ends.Sub(now) < shortest:
		return fmt.Errorf("ends is less than %s ahead", shortest)
	}
	return nil
}

// wellFormed says what is wrong with an order whenever it was given.
func (o Order) wellFormed() error {
	for _, f := range []struct {
		name, text string
		longest    int
	}{
		{"issuer", o.Issuer, maxName},
		{"jti", o.JTI, maxValue},
		{"sid", o.SID, maxValue},
		{"subject", o.Subject, maxValue},
		{"tenant", o.Tenant, maxValue},
		{"route", o.Route, maxName},
		{"reason", o.Reason, maxValue},
		{"by", o.By, maxName},
		{"detector", o.Detector, maxName},
	} {
		if err := checkText(f.name, f.text, f.longest); err != nil {
			return err
		}
	}
	if !sane(o.At) || !sane(o.Until) || !sane(o.IssuedBefore) || !sane(o.Ends) {
		return errors.New("a time lies outside of the years 1 to 9999")
	}
	if o.Kind != Block && o.blockish() {
		return errors.New("address, user, action, detector, level and ends are for blocks")
	}
	switch o.Kind {
	case Revocation:
		return o.checkRevocation()
	case Lockdown:
		return o.checkLockdown()
	case Block:
		return o.checkBlock()
	case "":
		return errors.New("kind is missing: revocation, lockdown or block")
	}
	return fmt.Errorf("kind %q is neither revocation nor lockdown nor block", o.Kind)
}

// sane reports whether a time can be written in JSON.
func sane(t time.Time) bool { return t.IsZero() || t.Year() >= 1 && t.Year() <= 9999 }

func checkText(name, text string, longest int) error {
	switch {
	case len(text) > longest:
		return fmt.Errorf("%s is longer than %d bytes", name, longest)
	case !utf8.ValidString(text):
		return fmt.Errorf("%s is not UTF-8", name)
	case strings.ContainsFunc(text, unicode.IsControl):
		return fmt.Errorf("%s has a control character", name)
	}
	return nil
}

func (o Order) checkRevocation() error {
	if o.Route != "" || o.All || len(o.Roles) > 0 {
		return errors.New("route, all and roles are for lockdowns")
	}
	named := 0
	for _, v := range []string{o.JTI, o.SID, o.Subject, o.Tenant} {
		if v != "" {
			named++
		}
	}
	switch {
	case named > 1:
		return errors.New("a revocation names one of jti, sid, subject and tenant")
	case named == 0 && o.IssuedBefore.IsZero():
		return errors.New("a revocation names one of jti, sid, subject and tenant, or issued_before")
	case o.Issuer == "" && (o.JTI != "" || o.SID != "" || o.Subject != ""):
		return errors.New("issuer is missing: jti, sid and subject mean nothing without it")
	case !o.IssuedBefore.IsZero() && (o.JTI != "" || o.SID != ""):
		return errors.New("issued_before says nothing about a jti or sid")
	}
	return nil
}

func (o Order) checkLockdown() error {
	switch {
	case o.Issuer != "" || o.JTI != "" || o.SID != "" || o.Subject != "" || !o.IssuedBefore.IsZero():
		return errors.New("issuer, jti, sid, subject and issued_before are for revocations")
	case o.All && (o.Route != "" || o.Tenant != ""):
		return errors.New("all leaves nothing for route or tenant to say")
	case !o.All && o.Route == "" && o.Tenant == "":
		return errors.New("a lockdown names a route, a tenant, or all")
	case len(o.Roles) > maxRoles:
		return fmt.Errorf("there are more than %d roles", maxRoles)
	case slices.Contains(o.Roles, ""):
		return errors.New("a role must not be empty")
	}
	for _, r := range o.Roles {
		if err := checkText("roles", r, maxName); err != nil {
			return err
		}
	}
	return nil
}

// expired reports whether an order is to be forgotten at a time.
func (o *Order) expired(now time.Time) bool { return !o.Until.IsZero() && !now.Before(o.Until) }

// settle fills in what an order that is given leaves open.
func (o *Order) settle(id string, keep time.Duration, now time.Time) {
	o.ID = id
	if o.At.IsZero() {
		o.At = now
	}
	o.At = o.At.UTC().Truncate(time.Millisecond) // and without the monotonic clock, which is worth nothing elsewhere
	o.Roles = slices.Clone(o.Roles)
	switch o.Kind {
	case Block:
		o.settleBlock()
		return
	case Lockdown:
		return
	}
	if o.IssuedBefore.IsZero() && (o.Subject != "" || o.Tenant != "") {
		o.IssuedBefore = o.At
	}
	last := now // issue of the last token it calls back
	if o.IssuedBefore.After(last) {
		last = o.IssuedBefore
	}
	o.Until = last.Add(keep).UTC().Truncate(time.Millisecond)
}
