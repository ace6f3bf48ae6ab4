package upstream

import (
	"context"
	"net"
	"net/netip"
	"slices"
	"strings"
	"time"
)

const (
	defaultResolve = 30 * time.Second
	lookupTimeout  = 5 * time.Second
	// mostAddresses bounds the targets of one name, whatever a name server says.
	mostAddresses = 256
)

// lookup gives the addresses of a name, the best ones first.
type lookup func(ctx context.Context, host string) ([]netip.Addr, error)

// system asks the resolver of the system.
func system(ctx context.Context, host string) ([]netip.Addr, error) {
	return net.DefaultResolver.LookupNetIP(ctx, "ip", host)
}

// followed reports whether the addresses of an endpoint are looked up: an address
// is one already, and what localhost is every dial finds out, for both kinds of
// addresses.
func (e *endpoint) followed() bool {
	host := strings.ToLower(strings.TrimSuffix(e.url.Hostname(), "."))
	_, err := netip.ParseAddr(host)
	return err != nil && host != "localhost" && !strings.HasSuffix(host, ".localhost")
}

// port is where the endpoint listens.
func (e *endpoint) port() string {
	switch port := e.url.Port(); {
	case port != "":
		return port
	case e.url.Scheme == "https":
		return "443"
	}
	return "80"
}

// follow looks up the addresses of an endpoint, now and once every interval,
// until the upstream is closed. A look-up that fails, or finds nothing, leaves
// the addresses that were good.
func (u *Upstream) follow(e *endpoint, interval time.Duration, look lookup) {
	timer := time.NewTimer(interval)
	defer timer.Stop()
	for {
		ctx, cancel := context.WithTimeout(u.ctx, lookupTimeout)
		found, err := look(ctx, e.url.Hostname())
		cancel()
		if err == nil {
			if found = preferred(found); len(found) > 0 {
				u.move(e, found)
			}
		}
		timer.Reset(jittered(interval))
		select {
		case <-u.ctx.Done():
			return
		case <-timer.C:
		}
	}
}

// preferred are the addresses of the kind that comes first, each once, in an
// order that does not change from one look-up to the next. The resolver sorts by
// what can be reached from here (RFC 6724): a server with addresses of both
// kinds would get its requests twice, and half of them in vain where this machine
// has no IPv6.
func preferred(found []netip.Addr) []netip.Addr {
	var out []netip.Addr
	for _, a := range found {
		if a = a.Unmap(); a.IsValid() && !a.IsUnspecified() && a.Is4() == found[0].Unmap().Is4() {
			out = append(out, a)
		}
	}
	slices.SortFunc(out, netip.Addr.Compare)
	out = slices.Compact(out)
	return out[:min(len(out), mostAddresses)]
}

// move makes the addresses that were found the targets of an endpoint. Those
// that it has already stay as they are; those that are gone drain.
func (u *Upstream) move(e *endpoint, found []netip.Addr) {
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.closed {
		return
	}
	now, wanted := time.Now(), map[string]bool{}
	for _, a := range found {
		wanted[net.JoinHostPort(a.String(), e.port())] = true
	}
	var targets, gone []*target
	first := true // nothing was looked up before: no start is slower than the others'
	for _, t := range u.targets {
		if t.endpoint == e && !wanted[t.address] {
			gone = append(gone, t)
			continue
		}
		if t.endpoint == e {
			first = false
			delete(wanted, t.address)
		}
		targets = append(targets, t)
	}
	first = first && len(gone) == 1 && gone[0].unresolved()
	if len(gone) == 0 && len(wanted) == 0 {
		return
	}
	for address := range wanted {
		t := u.open(e, address)
		if !first {
			u.ramp(t, now)
		}
		targets = append(targets, t)
	}
	u.sort(targets)
	u.targets = targets
	for _, t := range gone {
		u.leaving = append(u.leaving, leaving{t, now.Add(u.drain)})
	}
	u.arrange(now)
	for _, t := range gone {
		t.retire()
	}
}

// unresolved reports whether the target is a name that was not looked up yet.
func (t *target) unresolved() bool { return t.followed() && t.address == t.byName() }

// sort brings targets into the order of the configuration, and those of one
// endpoint into that of their addresses.
func (u *Upstream) sort(targets []*target) {
	slices.SortFunc(targets, func(a, b *target) int {
		if a.endpoint == b.endpoint {
			return strings.Compare(a.address, b.address)
		}
		return slices.Index(u.endpoints, a.endpoint) - slices.Index(u.endpoints, b.endpoint)
	})
}
