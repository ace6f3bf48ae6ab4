package config

import "strings"

func (k *checker) listeners() {
	taken := map[string]string{k.c.Admin.Address: "admin"}
	for _, name := range names(k, "listeners", k.c.Listeners) {
		l, path := k.c.Listeners[name], join("listeners", name)
		at := join(path, "address")
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
		if l.TLS != nil {
			k.certificates(join(path, "tls"), l.TLS)
		}
		switch {
		case k.unreadIn(path, "tls", "redirect_to_https", "insecure"):
		case l.TLS != nil && l.RedirectToHTTPS:
			k.mistake(join(path, "redirect_to_https"), "redirect_to_https is for plain listeners; this one has tls")
		case l.TLS == nil && !loopback && !l.RedirectToHTTPS && !l.Insecure:
			k.mistake(at, "plain HTTP beyond loopback; give this listener tls, redirect_to_https: true or insecure: true")
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
