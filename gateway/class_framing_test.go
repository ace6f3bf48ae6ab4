package gateway

import (
	"slices"
	"strings"
	"testing"
)

// framingClasses are the ways to make two programs disagree about where a
// message ends.
func framingClasses() []failure {
	h1 := []proto{plainH1, tlsH1}
	framing := func(cases func() []framed) func(*testing.T, proto) int {
		return func(t *testing.T, p proto) int { t.Helper(); return tryFraming(t, p, cases()) }
	}
	only := func(cases []framed, words ...string) func() []framed {
		return func() []framed {
			return slices.DeleteFunc(cases, func(f framed) bool {
				return !slices.ContainsFunc(words, func(w string) bool { return strings.Contains(f.name, w) })
			})
		}
	}
	answers := func(t *testing.T, p proto) int { t.Helper(); return tryAnswers(t, p) }
	return []failure{
		{"A30a", "CL.TE, TE.CL and spellings of Transfer-Encoding (CVE-2025-22871 and the suite it belongs to)", h1, framing(encodings)},
		{"A30b", "CL.0, 0.CL, TE.0 and spellings of Content-Length", h1, framing(lengths)},
		{"A30c", "chunks that end in a bare LF (CVE-2025-22871)", h1, framing(only(chunks(), "LF", "CR"))},
		{"A30d", "chunk extensions (CVE-2023-39326) and sizes", h1, framing(chunks)},
		{"A30e", "odd heads: bare LF, obs-fold, versions, hosts, expectations, previous knowledge of HTTP/2", h1, framing(heads)},
		{"A30f", "HTTP/2 that cannot be said in HTTP/1.1", []proto{tlsH2}, func(t *testing.T, _ proto) int { t.Helper(); return tryTranslation(t) }},
		{"C29b", "response splitting: what policies and clients say never becomes a header (CVE-2020-15111)", nil, func(t *testing.T, p proto) int { t.Helper(); return tryHostile(t, p) }},
		{"C31", "upgrades, by request and by answer (CVE-2024-23326); answers that are more than one, or left over for the next request", nil, answers},
	}
}
