package config

import (
	"maps"
	"net/netip"
	"slices"
	"strings"
)

func (k *checker) listeners() {
	taken := map[string]string{k.c.Admin.Address: "admin"}
	for _, name := range names(k, "listeners", k.c.Listeners) {
		l, path := k.c.Listeners[name], join("listeners", name)
		at := join(path, "address")
		if l.TLS != nil {
			k.certificates(join(path, "tls"), l.TLS)
			k.serverNames(join(path, "tls.names"), l.TLS)
		}
		k.acl(l.ACL, join(path, "acl"))
		k.connections(l.Connections, join(path, "connections"))
		k.believed(join(path, "proxy_protocol"), l.ProxyProtocol)
		if l.Address == "" {
			continue // reported as missing
		}
		loopback, ok := k.address(at, l.Address)
		if !ok {
			continue
		}
		if first, ok := taken[l.Address]; ok && !anyPort(l.Address) {
			k.mistake(at, "%q is the address of %s already", l.Address, first)
		}
		taken[l.Address] = path
		switch {
		case k.unreadIn(path, "tls", "redirect_to_https", "insecure"):
		case l.TLS != nil && l.RedirectToHTTPS:
			k.mistake(join(path, "redirect_to_https"), "redirect_to_https is for plain listeners; this one has tls")
		case l.TLS == nil && !loopback && !l.RedirectToHTTPS && !l.Insecure:
			k.mistake(at, "plain HTTP beyond loopback; give this listener tls, redirect_to_https: true or insecure: true")
		}
	}
}

// serverNames checks the names that have TLS options of their own, as the
// listener compares them: lower case, with *. for one label.
func (k *checker) serverNames(path string, t *TLS) {
	for _, name := range slices.Sorted(maps.Keys(t.Names)) {
		at := join(path, name)
		host := strings.TrimPrefix(name, "*.")
		_, err := netip.ParseAddr(strings.Trim(host, "[]"))
		switch {
		case err == nil:
			k.mistake(at, "%q is an address; clients that call one ask for no server name", name)
		case strings.Contains(host, "*"):
			k.mistake(at, "%q: *. at the beginning stands for one label, and * for nothing else", name)
		case strings.HasSuffix(host, "."):
			k.mistake(at, "%q must be written without the dot at the end: %q", name, strings.TrimSuffix(name, "."))
		case !isHost(host):
			k.mistake(at, "%q is not a server name; write it without scheme and port", name)
		case name != strings.ToLower(name):
			k.mistake(at, "%q must be lower case: %q", name, strings.ToLower(name))
		}
	}
}

// anyPort tells whether an address takes any free port, so that two of them
// are not the same.
func anyPort(address string) bool { return strings.HasSuffix(address, ":0") }

func (k *checker) admin() {
	a := k.c.Admin
	loopback, ok := k.address("admin.address", a.Address)
	if a.Token != "" && len(a.Token) < 16 {
		k.mistake("admin.token", "the token has %d characters; it needs at least 16", len(a.Token))
	}
	if len(a.Certificates) > 0 || k.unread("admin.certificates") {
		return
	}
	if ok && !loopback && a.Token != "" {
		k.mistake("admin.address", "a token beyond loopback needs certificates, or it could be read on the way")
	}
	if a.ClientCA != "" {
		k.mistake("admin.client_ca", "client_ca needs certificates")
	}
}

func (k *checker) telemetry() {
	k.share("tracing.sample", k.c.Tracing.Sample)
	if k.c.Tracing.OTLP != "" {
		k.url("tracing.otlp", k.c.Tracing.OTLP)
	}
}
