package config

import (
	"cmp"
	"maps"
	"slices"
	"strings"
)

// checker looks for what is wrong with values that are well formed each by
// itself: contradictions, references to nothing, and what would be unsafe.
type checker struct {
	*report
	c *Config
}

func (k *checker) config() {
	if v := k.c.Version; v != 0 && v != 1 {
		k.mistake("version", "unknown version %d; the only one is 1", v)
	}
	k.limits()
	k.scanner()
	k.listeners()
	k.admin()
	k.telemetry()
	k.believed("trusted_proxies", k.c.TrustedProxies)
	k.headerNames("identity_headers", k.c.IdentityHeaders, true)
	k.issuers()
	k.upstreams()
	k.overload()
	k.store()
	k.rateLimits()
	k.policies()
	k.alerts()
	k.decisions()
	k.masking()
	k.csrf()
	k.guard()
	k.routes()
}

// names checks the keys of a mapping of named things.
func names[T any](k *checker, section string, m map[string]T) []string {
	sorted := slices.Sorted(maps.Keys(m))
	for _, name := range sorted {
		k.name(join(section, name), name)
	}
	return sorted
}

func (k *checker) name(path, name string) {
	if !isName(name) {
		k.mistake(path, "%q is not a name; names are made of letters, digits, - and _, begin with a letter or digit and have at most 63", name)
	}
}

// isName accepts what can stand in logs, metrics and file names alike.
func isName(s string) bool {
	for i, r := range s {
		alnum := 'a' <= r && r <= 'z' || 'A' <= r && r <= 'Z' || '0' <= r && r <= '9'
		if !alnum && (i == 0 || r != '-' && r != '_') {
			return false
		}
	}
	return s != "" && len(s) <= 63
}

// references checks a list of names of things in a section.
func references[T any](k *checker, path, section, what string, list []string, in map[string]T) {
	k.unique(path, list)
	for i, name := range list {
		reference(k, index(path, i), section, what, name, in)
	}
}

// reference checks one name of a thing in a section. Where the section itself
// could not be read, nothing is known about its names.
func reference[T any](k *checker, path, section, what, name string, in map[string]T) {
	if _, ok := in[name]; ok || k.unread(section) {
		return
	}
	k.mistake(path, "unknown %s %q%s", what, name, instead(name, slices.Sorted(maps.Keys(in))))
}

// unique reports words that a list says twice.
func (k *checker) unique(path string, list []string) {
	for i, s := range list {
		if first := slices.Index(list, s); first < i {
			k.mistake(index(path, i), "%q is listed twice", s)
		}
	}
}

// headerNames checks names of header fields (RFC 9110, section 5.1), with a *
// at the end where wild is set.
func (k *checker) headerNames(path string, list []string, wild bool) {
	for i, name := range list {
		stem := name
		if wild {
			stem = strings.TrimSuffix(name, "*")
		}
		if !isToken(stem) || strings.Contains(stem, "*") {
			k.mistake(index(path, i), "%q is not the name of a header", name)
		}
	}
}

// isToken accepts a token of HTTP (RFC 9110, section 5.6.2).
func isToken(s string) bool {
	for _, r := range s {
		if r <= ' ' || r >= 0x7f || strings.ContainsRune(`"(),/:;<=>?@[\]{}`, r) {
			return false
		}
	}
	return s != ""
}

// Warnings lists what a configuration may say and had better not, in the order
// of the file.
func (c *Config) Warnings() Mistakes {
	r := &report{source: c.source, wrong: map[string]bool{}}
	if out := c.Decisions.Output; out != "" && out == c.Log.Output {
		r.mistake("decisions.output", "the log goes there as well; `gatehouse policy replay` takes only what holds nothing but decisions")
	}
	for key, value := range map[string]string{"tests": c.Policies.Tests, "probes": c.Policies.Probes} {
		if value == "off" {
			r.mistake(join("policies", key), "the policies' %s are off: nothing tries the policies before they decide", key)
		}
	}
	for i, route := range c.Routes {
		path := index("routes", i)
		p := route.Policy
		r.originWarnings(c, route, path)
		if route.Authn != nil && p.Masks != "required" && p.Rows != "required" {
			r.mistake(join(path, "policy"),
				"route %q lets callers in by token but requires neither masks nor rows; "+
					"a policy that forgets them serves everything", route.Name)
		}
		for j, name := range route.RateLimits {
			l := c.RateLimits[name]
			at := index(join(path, "rate_limits"), j)
			if key := subjectKey(l); route.Public && key != "" {
				r.mistake(at, "rate limit %q counts by %s, and a public route has no subject", name, key)
			}
			if l != nil && l.Policy && p.Off {
				r.mistake(at, "rate limit %q takes its rate from policies, which this route does not ask; its own rate holds here", name)
			}
		}
	}
	slices.SortStableFunc(r.mistakes, inFile)
	return r.mistakes
}

// inFile orders mistakes as the file does.
func inFile(a, b Mistake) int {
	return cmp.Or(cmp.Compare(a.Line, b.Line), cmp.Compare(a.Column, b.Column))
}
