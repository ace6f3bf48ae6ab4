package config

import (
	"net/netip"
	"slices"
)

// acl checks the lists of a listener or route. A list that is written and empty
// is never meant: an empty allow would serve everyone.
func (k *checker) acl(a *ACL, path string) {
	if a == nil || k.unread(path) {
		return
	}
	allow, deny := join(path, "allow"), join(path, "deny")
	switch {
	case len(a.Allow) == 0 && k.written(allow):
		k.mistake(allow, "allow is empty, and would serve every address; leave it out if that is meant")
	case len(a.Allow) == 0 && len(a.Deny) == 0:
		k.mistake(path, "acl needs allow or deny; without either it serves every address")
	}
	k.networks(allow, a.Allow)
	k.networks(deny, a.Deny)
	for i, p := range a.Allow {
		if d := slices.IndexFunc(a.Deny, func(d netip.Prefix) bool { return within(p, d) }); d >= 0 {
			k.mistake(index(allow, i), "nothing of %q is served: deny holds %q", p, a.Deny[d])
		}
	}
	if everyone(a.Deny) {
		k.mistake(deny, "deny holds every address; nobody would be served")
	}
}

// networks reports networks that a list says twice. One that lies in another is
// fine: lists are put together from what others publish.
func (k *checker) networks(path string, list []netip.Prefix) {
	seen := map[netip.Prefix]bool{}
	for i, p := range list {
		if seen[p] && p.IsValid() {
			k.mistake(index(path, i), "%q is listed twice", p)
		}
		seen[p] = true
	}
}

// within reports whether all of p lies in q.
func within(p, q netip.Prefix) bool {
	return p.IsValid() && q.IsValid() && q.Bits() <= p.Bits() && q.Contains(p.Addr())
}

// everyone reports whether the networks hold every address there is.
func everyone(list []netip.Prefix) bool {
	whole := func(is4 bool) bool {
		return slices.ContainsFunc(list, func(p netip.Prefix) bool { return p.IsValid() && p.Bits() == 0 && p.Addr().Is4() == is4 })
	}
	return whole(true) && whole(false)
}

// believed checks the networks of those who may say what a client's address is:
// neither everybody, nor a network twice.
func (k *checker) believed(path string, list []netip.Prefix) {
	for i, p := range list {
		if p.IsValid() && p.Bits() == 0 {
			k.mistake(index(path, i), "%q trusts every client to say its own address", p)
		}
	}
	k.networks(path, list)
}

// connections checks the bounds of a listener.
func (k *checker) connections(c Connections, path string) {
	total, one := join(path, "total"), join(path, "per_address")
	if c.Total < 0 {
		k.mistake(total, "total must not be less than 0")
	}
	if c.PerAddress < 0 {
		k.mistake(one, "per_address must not be less than 0")
	}
	if c.Total > 0 && c.PerAddress > c.Total {
		k.mistake(one, "one address may have %d connections, and all together %d", c.PerAddress, c.Total)
	}
}
