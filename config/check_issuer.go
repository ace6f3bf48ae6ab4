package config

import (
	"strings"
	"time"
)

func (k *checker) issuers() {
	for _, name := range names(k, "issuers", k.c.Issuers) {
		i, path := k.c.Issuers[name], join("issuers", name)
		k.keySource(i, path)
		k.algorithms(i, path)
		k.unique(join(path, "audiences"), i.Audiences)
		for n, a := range i.Audiences {
			if a == "" {
				k.mistake(index(join(path, "audiences"), n), "an audience must not be empty")
			}
		}
		if i.Leeway.D() > time.Minute {
			k.mistake(join(path, "leeway"), "leeway is at most 60s, not %s", i.Leeway)
		}
		k.identity(i, path)
		if i.Claims.Subject == "" {
			k.mistake(join(path, "claims.subject"), "subject must not be empty")
		}
	}
	k.logoutPaths()
}

// keySource checks that the issuer's keys come from exactly one place, and
// that nobody can change them on the way.
func (k *checker) keySource(i *Issuer, path string) {
	keys := []string{"jwks_url", "jwks_file", "discovery", "secret"}
	if k.unreadIn(path, keys...) {
		return
	}
	var sources []string
	for _, key := range keys {
		at := join(path, key)
		if k.written(at) && (key != "discovery" || i.Discovery) {
			sources = append(sources, key)
		}
	}
	switch {
	case len(sources) == 0 && i.Introspection != nil:
		if i.BackchannelLogout != nil {
			k.mistake(join(path, "backchannel_logout"), "logout tokens are JWTs, and this issuer has no keys to check them with")
		}
		return
	case len(sources) == 0:
		k.mistake(join(path, "jwks_url"), "one of jwks_url, jwks_file, discovery and secret is required")
		return
	case len(sources) > 1:
		k.mistake(join(path, sources[1]), "%s; an issuer's keys come from one place", strings.Join(sources, " and "))
		return
	}
	switch sources[0] {
	case "jwks_url":
		k.fetched(join(path, "jwks_url"), i.JWKSURL)
	case "discovery":
		if i.Issuer != "" {
			k.fetched(join(path, "issuer"), i.Issuer)
		}
	case "jwks_file":
		if i.JWKSFile == "" {
			k.mistake(join(path, "jwks_file"), "jwks_file must not be empty")
		}
	case "secret":
		if n := len(i.Secret); n < 32 {
			k.mistake(join(path, "secret"), "the secret has %d bytes; it needs at least 32", n)
		}
	}
	if i.CA != "" && i.JWKSURL == "" && !i.Discovery && i.Introspection == nil {
		k.mistake(join(path, "ca"), "ca is for jwks_url, discovery and introspection")
	}
}

// fetched checks an address that keys are fetched from.
func (k *checker) fetched(path, text string) {
	if u := k.url(path, text); u != nil && plain(u) {
		k.mistake(path, "%q is plain http beyond loopback; what it answers could be changed on the way", text)
	}
}

// algorithms keeps HMAC and public keys apart: a public key that is taken for
// a shared secret lets anybody sign (RFC 8725, section 2.1).
func (k *checker) algorithms(i *Issuer, path string) {
	at := join(path, "algorithms")
	k.unique(at, i.Algorithms)
	if k.unreadIn(path, "algorithms", "secret", "jwks_url", "jwks_file", "discovery") {
		return
	}
	keys := k.written(join(path, "secret")) || k.written(join(path, "jwks_url")) || k.written(join(path, "jwks_file")) || i.Discovery
	switch {
	case len(i.Algorithms) == 0 && (keys || i.Introspection == nil):
		k.mistake(at, "algorithms is required")
	case len(i.Algorithms) > 0 && !keys && i.Introspection != nil:
		k.mistake(at, "algorithms are for keys, and this issuer has none")
		return
	}
	hmac := k.written(join(path, "secret"))
	for n, a := range i.Algorithms {
		switch {
		case strings.HasPrefix(a, "HS") && !hmac:
			k.mistake(index(at, n), "%s needs a secret, and this issuer has public keys", a)
		case a != "" && !strings.HasPrefix(a, "HS") && hmac:
			k.mistake(index(at, n), "%s needs public keys, and this issuer has a secret; use HS256, HS384 or HS512", a)
		}
	}
}
