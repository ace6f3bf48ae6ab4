package config

import "strings"

func (k *checker) routes() {
	taken := map[string]string{}
	for i, r := range k.c.Routes {
		path := index("routes", i)
		at := join(path, "name")
		if first, ok := taken[r.Name]; ok {
			k.mistake(at, "%q is the name of the route in line %d already", r.Name, k.closest(first).line)
		} else if r.Name != "" {
			k.name(at, r.Name)
			taken[r.Name] = at
		}
		if r.Upstream != "" {
			reference(k, join(path, "upstream"), "upstreams", "upstream", r.Upstream, k.c.Upstreams)
		}
		references(k, join(path, "rate_limits"), "rate_limits", "rate limit", r.RateLimits, k.c.RateLimits)
		k.rateCost(r, path)
		k.entry(r, path)
		k.loginUsername(r, path)
		k.session(r.Session, join(path, "session"))
		k.match(r.Match, join(path, "match"))
		k.rewrite(r, path)
		k.upgrade(r, path)
		k.acl(r.ACL, join(path, "acl"))
		k.cors(r.CORS, join(path, "cors"))
		k.sanitize(r.Sanitize, join(path, "sanitize"))
		k.upload(r.Upload, join(path, "upload"))
		k.mask(r.Mask, join(path, "mask"))
		for _, key := range []string{"timeouts.header", "timeouts.drain", "limits.header_bytes", "limits.header_fields", "limits.cookies", "limits.streams", "limits.body_memory"} {
			if at := join(path, key); k.written(at) {
				k.mistake(at, "%s holds for the whole gateway; it cannot be set per route", key)
			}
		}
	}
	k.conflicts()
}

// entry checks who is let in: a route without a token, or without a policy,
// is never one by accident.
func (k *checker) entry(r *Route, path string) {
	authn := join(path, "authn")
	switch {
	case k.unreadIn(path, "authn", "public", "policy"):
	case r.Authn == nil && !r.Public:
		k.mistake(authn, "route %q needs authn, or public: true where no token is needed", r.Name)
	case r.Authn != nil && r.Public:
		k.mistake(join(path, "public"), "a route is either public or has authn")
	case r.Public && !r.Policy.Stated:
		k.mistake(join(path, "public"), "a public route must say policy: on or policy: off")
	}
	if r.Authn != nil {
		references(k, join(authn, "issuers"), "issuers", "issuer", r.Authn.Issuers, k.c.Issuers)
		k.introspected(r.Authn, authn)
		k.stepUp(r.Authn, authn)
	}
	k.cookieToken(r, path)
	if r.Session != nil && r.Authn == nil && r.Public {
		k.mistake(join(path, "session"), "session needs authn")
	}
}

// rewrite checks that what is stripped is there to be stripped.
func (k *checker) rewrite(r *Route, path string) {
	prefix, at := r.Rewrite.StripPrefix, join(path, "rewrite.strip_prefix")
	if prefix == "" || r.Match.Path == "" {
		return
	}
	bare := strings.TrimSuffix(prefix, "/")
	switch {
	case !strings.HasPrefix(prefix, "/"):
		k.mistake(at, "%q does not begin with /", prefix)
	case strings.Contains(prefix, "{"):
		k.mistake(at, "%q has a {name}; only fixed text can be stripped", prefix)
	case r.Match.Path != bare && !strings.HasPrefix(r.Match.Path, bare+"/"):
		k.mistake(at, "%q does not begin with %q, whole segments", r.Match.Path, prefix)
	}
}
