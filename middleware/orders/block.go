package orders

import (
	"errors"
	"fmt"
	"net/netip"
	"strings"
	"time"
)

// What a block does.
const (
	// ActionBlock refuses everything. "" means the same.
	ActionBlock = "block"
	// ActionStepUp refuses a subject until it has signed in anew: auth_time later
	// than At. A token that does not tell when is refused until the block ends.
	ActionStepUp = "step_up"
)

// Bounds of a block.
const (
	// widest4 and widest6 are the shortest masks. A slip of the hand must not shut
	// out everybody; who means a larger network gives its parts.
	widest4, widest6 = 8, 32
	// userBits is the longest mask of an IPv6 network with a username: the guard
	// knows who signs in by their /64, and would never ask for less.
	userBits = 64
	// userDigits is the length of a username's digest: 16 bytes in hex.
	userDigits = 32
	// maxLevel is the highest level. One more than any that is kept is a number.
	maxLevel = 1000
	// shortest is how long a block holds at least. Times are kept in milliseconds.
	shortest = time.Second
	// remembered is how long an ended block is kept for its level by default.
	remembered = 24 * time.Hour
)

// Network reads an address or a network as a block has it: masked, without a
// zone, an IPv4 one that is mapped into IPv6 as IPv4.
func Network(text string) (netip.Prefix, error) {
	wrong := errors.New("an address is written 203.0.113.7 or 2001:db8::7, a network 203.0.113.0/24 or 2001:db8::/64, and neither has a zone")
	p, err := netip.ParsePrefix(text)
	if !strings.Contains(text, "/") {
		var a netip.Addr
		if a, err = netip.ParseAddr(text); err == nil && a.Zone() == "" {
			a = a.Unmap()
			return netip.PrefixFrom(a, a.BitLen()), nil
		}
		return netip.Prefix{}, wrong
	}
	if err != nil {
		return netip.Prefix{}, wrong
	}
	if p.Addr().Is4In6() {
		if p.Bits() < 96 {
			return netip.Prefix{}, fmt.Errorf("%s is neither a network of IPv4 nor of IPv6", p)
		}
		p = netip.PrefixFrom(p.Addr().Unmap(), p.Bits()-96)
	}
	return p.Masked(), nil
}

// blockish reports whether an order says something that only blocks do.
func (o *Order) blockish() bool {
	return o.Address != netip.Prefix{} || o.User != "" || o.Action != "" || o.Detector != "" || o.Level != 0 || !o.Ends.IsZero()
}

func (o *Order) checkBlock() error {
	address := o.Address != netip.Prefix{}
	switch {
	case o.JTI != "" || o.SID != "" || o.Tenant != "" || !o.IssuedBefore.IsZero() || o.Route != "" || o.All || len(o.Roles) > 0:
		return errors.New("jti, sid, tenant, issued_before, route, all and roles are for other orders")
	case address == (o.Subject != ""):
		return errors.New("a block names an address or a subject")
	case (o.Issuer == "") != (o.Subject == ""):
		return errors.New("issuer and subject go together")
	case o.User != "" && !address:
		return errors.New("user narrows a block of an address")
	case o.User != "" && !isDigest(o.User):
		return fmt.Errorf("user is a digest of %d hexadecimal digits", userDigits)
	case o.Action != "" && o.Action != ActionBlock && o.Action != ActionStepUp:
		return errors.New("action is block or step_up")
	case o.Action == ActionStepUp && address:
		return errors.New("step_up is for subjects: an address cannot sign in")
	case o.Detector == "" && o.Level != 0, o.Detector != "" && o.Level < 1:
		return errors.New("level, from 1, and detector go together")
	case !o.Ends.IsZero() && !o.Ends.After(o.At):
		return errors.New("ends is not after at")
	case !o.Until.IsZero() && (o.Ends.IsZero() || o.Until.Before(o.Ends)):
		return errors.New("until is before the block ends")
	case address:
		return o.checkAddress()
	}
	return nil
}

func (o *Order) checkAddress() error {
	p := o.Address
	widest := widest6
	if p.Addr().Is4() {
		widest = widest4
	}
	switch {
	case !p.IsValid() || p.Addr().Is4In6() || p != p.Masked():
		return errors.New("address is not in its canonical form")
	case p.Bits() < widest:
		return fmt.Errorf("a block of %s shuts out too many: /%d is the widest", p, widest)
	case o.User != "" && p.Addr().Is6() && p.Bits() > userBits:
		return fmt.Errorf("logins are known by the /%d of their address: give that with user", userBits)
	}
	return nil
}

// isDigest reports whether a text is the digest of a username.
func isDigest(s string) bool {
	for _, c := range []byte(s) {
		if (c < '0' || c > '9') && (c < 'a' || c > 'f') {
			return false
		}
	}
	return len(s) == userDigits
}

// settleBlock fills in what a block leaves open.
func (o *Order) settleBlock() {
	o.Level = min(o.Level, maxLevel)
	if o.Ends.IsZero() {
		return
	}
	o.Ends = o.Ends.UTC().Truncate(time.Millisecond)
	if o.Until.IsZero() {
		o.Until = o.Ends.Add(remembered)
	}
	o.Until = o.Until.UTC().Truncate(time.Millisecond)
}

// ended reports whether a block holds no longer, whether or not it is kept for
// its level.
func (o *Order) ended(now time.Time) bool { return !o.Ends.IsZero() && !now.Before(o.Ends) }

// rank puts what signing in anew helps against last.
func rank(o *Order) int {
	if o.Action == ActionStepUp {
		return 1
	}
	return 0
}

// compareEnds compares when two blocks end. One without an end ends last.
func compareEnds(a, b time.Time) int {
	switch {
	case a.IsZero() && b.IsZero():
		return 0
	case a.IsZero():
		return 1
	case b.IsZero():
		return -1
	}
	return a.Compare(b)
}
