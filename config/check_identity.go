package config

import (
	"maps"
	"slices"
	"strings"
	"time"
)

// identity checks of an issuer what is asked of it beside its keys.
func (k *checker) identity(i *Issuer, path string) {
	if q := i.Introspection; q != nil {
		at := join(path, "introspection")
		k.fetched(join(at, "url"), q.URL)
		if q.Cache.D() > 5*time.Minute {
			k.mistake(join(at, "cache"), "cache is at most 5m, not %s: what the issuer has called back would go on", q.Cache)
		}
	}
	if keep := k.c.Revocation.Keep.D(); i.MaxLifetime.D()+i.Leeway.D() > keep && !k.unread("revocation.keep") {
		k.mistake(join(path, "max_lifetime"), "tokens that live for %s outlive their revocation, which is kept for %s", i.MaxLifetime, k.c.Revocation.Keep)
	}
	k.unique(join(path, "claims.required"), i.Claims.Required)
	for n, field := range i.Claims.Required {
		if i.Claims.of(field) == "" {
			k.mistake(index(join(path, "claims.required"), n), "no claim feeds %s", field)
		}
	}
}

// of gives the claim that feeds a field.
func (c Claims) of(field string) string {
	switch field {
	case "role":
		return c.Role
	case "roles":
		return c.Roles
	case "tenant":
		return c.Tenant
	case "branch":
		return c.Branch
	case "branches":
		return c.Branches
	}
	return field // acr, amr, auth_time
}

// logoutPaths checks where issuers post logout tokens: each has a path of its
// own. It is matched before routes, so a route for it alone would get nothing.
func (k *checker) logoutPaths() {
	taken := map[string]string{}
	for _, name := range slices.Sorted(maps.Keys(k.c.Issuers)) {
		l := k.c.Issuers[name].BackchannelLogout
		if l == nil || l.Path == "" {
			continue
		}
		at := join(join("issuers", name), "backchannel_logout.path")
		switch first, twice := taken[l.Path]; {
		case twice:
			k.mistake(at, "%q is the path of the issuer %s already", l.Path, first)
		case !strings.HasPrefix(l.Path, "/"), strings.HasSuffix(l.Path, "/"), strings.ContainsAny(l.Path, "{}?#%\\;"), strings.Contains(l.Path, "//"), strings.Contains(l.Path, "/."):
			k.mistake(at, "%q is not a plain path; write it like /backchannel-logout", l.Path)
		}
		if taken[l.Path] == "" {
			for n, r := range k.c.Routes {
				if r.Match.Path == l.Path {
					k.mistake(join(index("routes", n), "match.path"), "%q is where the issuer %s posts logout tokens; nothing else gets there", l.Path, name)
				}
			}
		}
		taken[l.Path] = name
	}
}

// introspected checks that there is no choice whom to ask about a token that
// does not say whose it is.
func (k *checker) introspected(a *Authn, path string) {
	first := ""
	for n, name := range a.Issuers {
		i := k.c.Issuers[name]
		if i == nil || i.Introspection == nil || name == first {
			continue
		}
		if first != "" {
			k.mistake(index(join(path, "issuers"), n), "%s has introspection as %s does; of a token that is not a JWT nobody could tell whom to ask", name, first)
			continue
		}
		first = name
	}
}

// stepUp checks what a route asks of an authentication. Both lists end up in a
// challenge, where blanks separate values.
func (k *checker) stepUp(a *Authn, path string) {
	for key, list := range map[string][]string{"acr": a.ACR, "amr": a.AMR} {
		k.unique(join(path, key), list)
		for n, v := range list {
			if v == "" || strings.ContainsFunc(v, func(r rune) bool { return r <= ' ' || r > '~' || r == '"' || r == '\\' }) {
				k.mistake(index(join(path, key), n), "%q cannot stand in a challenge; it needs printable ASCII without blanks and quotes", v)
			}
		}
	}
}

// session checks that a session can end by each of its bounds.
func (k *checker) session(s *Session, path string) {
	if s == nil || k.unreadIn(path, "idle", "max") {
		return
	}
	if s.Idle > s.Max {
		k.mistake(join(path, "idle"), "idle, %s, is longer than max, %s", s.Idle, s.Max)
	}
	for _, role := range slices.Sorted(maps.Keys(s.Roles)) {
		r, at := s.Roles[role], join(join(path, "roles"), role)
		if role == "" {
			k.mistake(at, "a role must not be empty")
		}
		if r.Idle == 0 && r.Max == 0 {
			k.mistake(at, "neither idle nor max: the role has nothing of its own")
		}
		if r.Idle > s.Idle {
			k.mistake(join(at, "idle"), "%s is longer than the route's %s, which holds for every role", r.Idle, s.Idle)
		}
		if r.Max > s.Max {
			k.mistake(join(at, "max"), "%s is longer than the route's %s, which holds for every role", r.Max, s.Max)
		}
	}
}
