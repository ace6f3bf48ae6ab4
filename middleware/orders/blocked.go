package orders

import (
	"hash/maphash"
	"net/netip"
	"slices"
	"time"
)

// netKey is whom a block of addresses is about: a network, or one username of it.
type netKey struct {
	first [16]byte // address of the network; IPv4 as mapped into IPv6
	bits  uint8    // of the mask, as of IPv6
	user  string   // "" for everybody
}

// netKeyOf reports whether the index of networks is where an order belongs.
func netKeyOf(o *Order) (netKey, bool) {
	if o.Kind != Block || !o.Address.IsValid() {
		return netKey{}, false
	}
	return keyOfNet(o.Address, o.User), true
}

func keyOfNet(p netip.Prefix, user string) netKey {
	bits := p.Bits()
	if p.Addr().Is4() {
		bits += 96
	}
	return netKey{p.Addr().As16(), uint8(bits), user}
}

func (k *netKey) by() by {
	if k.user != "" {
		return byUser
	}
	return byNetwork
}

// netBucket depends on the username as well: those that one address has tried must
// not all be copied when it tries one more.
func (v *view) netBucket(k *netKey) int {
	return int((maphash.Bytes(v.seed, k.first[:]) ^ maphash.String(v.seed, k.user)) % buckets)
}

// The families of networks with masks of their own.
const (
	family4 = iota
	family6
	family4User
	family6User
	families
)

func familyOf(a netip.Addr, user string) int {
	f := family6
	if a.Is4() {
		f = family4
	}
	if user != "" {
		f += family4User
	}
	return f
}

// length is how many orders there are with a mask of this length. A lookup asks
// for the network of each length that there is: seldom more than two.
type length struct {
	bits  int
	count int
}

// measure counts a mask.
func (e *edit) measure(k *netKey, n int) {
	a, bits := netip.AddrFrom16(k.first).Unmap(), int(k.bits)
	if a.Is4() {
		bits -= 96
	}
	f := familyOf(a, k.user)
	list := slices.Clone(e.lengths[f])
	i, found := slices.BinarySearchFunc(list, bits, func(l length, bits int) int { return l.bits - bits })
	if !found {
		list = slices.Insert(list, i, length{bits: bits})
	}
	if list[i].count += n; list[i].count == 0 {
		list = slices.Delete(list, i, i+1)
	}
	e.lengths[f] = list
}

// blocks counts blocks, those included that are kept for their level.
func (v *view) blocks() int { return v.count[byNetwork] + v.count[byUser] + v.count[byBlocked] }

// blocked gives the block in force that ends last, of the networks that have a
// mask of at most so many bits.
func (v *view) blocked(a netip.Addr, bits int, user string) (found *Order) {
	for _, l := range v.lengths[familyOf(a, user)] {
		if l.bits > bits {
			break
		}
		p, err := a.Prefix(l.bits)
		if err != nil {
			return found // of no address
		}
		k := keyOfNet(p, user)
		list := v.networks[v.netBucket(&k)][k]
		if len(list) == 0 || list[0].ended(time.Now()) {
			continue // the first is the one that ends last
		}
		if found == nil || compareEnds(list[0].Ends, found.Ends) > 0 {
			found = list[0]
		}
	}
	return found
}

// BlockedAddress gives a block of an address, or of a network that it is in; of
// several the one that ends last, nil where there is none. Those of a username are
// for [Book.BlockedUser] to tell.
func (b *Book) BlockedAddress(a netip.Addr) *Order {
	if b == nil {
		return nil
	}
	v := b.view.Load()
	if v.count[byNetwork] == 0 {
		return nil
	}
	a = a.Unmap().WithZone("")
	return v.blocked(a, a.BitLen(), "")
}

// BlockedUser gives a block of logins on a username from a network, or from one
// that it is in. The network is an IPv4 address or the /64 of an IPv6 one, the
// user a digest in hex.
func (b *Book) BlockedUser(from netip.Prefix, user string) *Order {
	if b == nil || user == "" {
		return nil
	}
	v := b.view.Load()
	if v.count[byUser] == 0 {
		return nil
	}
	return v.blocked(from.Addr(), from.Bits(), user)
}

// BlockedSubject gives a block of a subject who signed in at a time, zero where
// nobody knows. One that signing in anew does not help against comes first.
func (b *Book) BlockedSubject(issuer, subject string, authenticated time.Time) *Order {
	if b == nil {
		return nil
	}
	v := b.view.Load()
	if v.count[byBlocked] == 0 || subject == "" {
		return nil
	}
	for _, o := range v.get(key{byBlocked, issuer, subject}) {
		if (o.Action != ActionStepUp || !authenticated.After(o.At)) && !o.ended(time.Now()) {
			return o
		}
	}
	return nil
}

// LastBlock gives the highest level of the blocks by detectors that are known of a
// target: those of the same address and user, or of the same issuer and subject,
// whether or not they still hold. What was lifted or is forgotten counts no more.
func (b *Book) LastBlock(target *Order) (level int, ok bool) {
	if b == nil {
		return 0, false
	}
	v, now := b.view.Load(), time.Now()
	var list []*Order
	if k, is := netKeyOf(target); is {
		list = v.networks[v.netBucket(&k)][k]
	} else if target.Subject != "" {
		list = v.get(key{byBlocked, target.Issuer, target.Subject})
	}
	for _, o := range list {
		if o.Detector != "" && !o.expired(now) {
			level, ok = max(level, o.Level), true
		}
	}
	return level, ok
}
