package config

import (
	"net/mail"
	"net/netip"
	"slices"
	"strings"
)

// certificates looks whether a listener with TLS has something to show.
func (k *checker) certificates(path string, t *TLS) {
	if t.ACME != nil {
		k.acme(join(path, "acme"), t.ACME)
		return
	}
	if len(t.Certificates) == 0 && !k.unreadIn(path, "acme") {
		k.mistake(join(path, "certificates"), "certificates is required, or acme")
	}
}

func (k *checker) acme(path string, a *ACME) {
	k.unique(join(path, "domains"), a.Domains)
	for i, d := range a.Domains {
		k.domain(index(join(path, "domains"), i), d)
	}
	if !a.Agree {
		k.mistake(join(path, "agree"), "acme needs agree: true, which says that you agree to the authority's terms of service")
	}
	if u := k.url(join(path, "directory"), a.Directory); u != nil && plain(u) {
		k.mistake(join(path, "directory"), "%q can be changed on the way; use https", a.Directory)
	}
	if m, err := mail.ParseAddress(a.Email); a.Email != "" && (err != nil || m.Address != a.Email) {
		k.mistake(join(path, "email"), "%q is not an address; write it like ops@example.com", a.Email)
	}
	at := join(path, "challenges")
	k.unique(at, a.Challenges)
	if k.written(at) && len(a.Challenges) == 0 {
		k.mistake(at, "challenges must not be empty")
	}
	if i := slices.Index(a.Challenges, "http-01"); i >= 0 && !k.redirects() {
		k.mistake(index(at, i), "http-01 is answered by a plain listener with redirect_to_https: true, and there is none")
	}
}

// redirects tells whether a listener redirects to https, or may be meant to.
func (k *checker) redirects() bool {
	for name, l := range k.c.Listeners {
		if l.RedirectToHTTPS || k.unread(join(join("listeners", name), "redirect_to_https")) {
			return true
		}
	}
	return false
}

// domain accepts a host name as certificates have it (RFC 1123): in lower case,
// without a dot at the end, each label of letters, digits and hyphens.
func (k *checker) domain(path, name string) {
	canonical := strings.TrimSuffix(strings.ToLower(name), ".")
	_, notAddress := netip.ParseAddr(name)
	switch {
	case strings.HasPrefix(name, "*"):
		k.mistake(path, "%q is a wildcard, which needs a challenge in the DNS; list the names, or give certificates", name)
	case strings.ContainsFunc(name, func(r rune) bool { return r > 0x7e }):
		k.mistake(path, "%q is not ASCII; write it as the DNS has it, such as xn--bcher-kva.example", name)
	case notAddress == nil || !isHost(canonical) || strings.Contains(name, "_"):
		k.mistake(path, "%q is not a host name", name)
	case name != canonical:
		k.mistake(path, "%q is written %q", name, canonical)
	}
}
