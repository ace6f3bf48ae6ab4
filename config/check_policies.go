package config

import (
	"maps"
	"slices"
	"strings"
)

func (k *checker) policies() {
	for name, n := range map[string]int{"entries": k.c.Policies.Memo.Entries, "audit_every": k.c.Policies.Memo.AuditEvery} {
		if n == 0 || n < -1 || n > 1<<24 {
			k.mistake("policies.memo."+name, "%s is between 1 and %d, or -1 for none", name, 1<<24)
		}
	}
	k.headerNames("policies.headers", k.c.Policies.Headers, false)
	p := k.c.Policies
	if p.Coverage < 0 || p.Coverage > 100 {
		k.mistake("policies.coverage", "coverage is a percentage, from 0 to 100")
	} else if p.Coverage > 0 && p.Tests == "off" {
		k.mistake("policies.coverage", "coverage is that of the tests, which are off")
	}
	k.bundle(p)
	k.share("policies.shadow_sample", p.ShadowSample)
	if p.ShadowData != "" && p.Shadow == "" && !k.unread("policies.shadow") {
		k.mistake("policies.shadow_data", "shadow_data is for the policies of shadow, which are not named")
	}
	if p.Path != "" || p.Bundle != nil || k.unreadIn("policies", "path", "bundle") {
		return
	}
	for i, r := range k.c.Routes {
		if !r.Policy.Off && !k.unread(join(index("routes", i), "policy")) {
			k.mistake("policies.path", "path is required: route %q is decided by policy", r.Name)
			return
		}
	}
}

func (k *checker) bundle(p Policies) {
	if p.Bundle == nil {
		return
	}
	if p.Path != "" || p.Data != "" {
		k.mistake("policies.bundle", "policies come from a bundle or from folders (path, data), not from both")
	}
	names(k, "policies.bundle.keys", p.Bundle.Keys)
	if !strings.Contains(p.Bundle.Source, "://") {
		return
	}
	if u := k.url("policies.bundle.source", p.Bundle.Source); u != nil && plain(u) {
		k.mistake("policies.bundle.source", "%q: only https keeps others from holding bundles back", p.Bundle.Source)
	}
}

// decisions keeps records of decisions apart from the other log: who reads them
// back takes nothing else for one.
func (k *checker) decisions() {
	d := k.c.Decisions
	k.share("decisions.sample", d.Sample)
	if d.Output != "" && d.Output != "stdout" && d.Output != "stderr" && d.Output == k.c.Log.Output {
		k.mistake("decisions.output", "the log is written to this file already")
	}
}

// share checks a part of a whole.
func (k *checker) share(path string, v float64) {
	if v < 0 || v > 1 {
		k.mistake(path, "%s is a share from 0 to 1, not %v", path[strings.LastIndexByte(path, '.')+1:], v)
	}
}

func (k *checker) masking() {
	m := k.c.Masking
	ids := names(k, "masking.keys", m.Keys)
	for _, id := range ids {
		if n := len(m.Keys[id]); n < 32 {
			k.mistake(join("masking.keys", id), "key %q has %d bytes; it needs at least 32", id, n)
		}
	}
	k.nationalIDs("masking.national_ids", m.NationalIDs)
	switch {
	case k.unread("masking.keys") || k.unread("masking.primary"):
	case m.Primary == "" && len(ids) > 1:
		k.mistake("masking.primary", "primary is required where there is more than one key")
	case m.Primary != "" && !slices.Contains(ids, m.Primary):
		k.mistake("masking.primary", "unknown key %q%s", m.Primary, instead(m.Primary, slices.Sorted(maps.Keys(m.Keys))))
	}
}
