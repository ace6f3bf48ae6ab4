package config

import (
	"maps"
	"slices"
)

func (k *checker) policies() {
	k.headerNames("policies.headers", k.c.Policies.Headers, false)
	if k.c.Policies.Path != "" || k.unread("policies.path") {
		return
	}
	for i, r := range k.c.Routes {
		if !r.Policy.Off && !k.unread(join(index("routes", i), "policy")) {
			k.mistake("policies.path", "path is required: route %q is decided by policy", r.Name)
			return
		}
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
