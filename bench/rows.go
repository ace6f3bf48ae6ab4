package main

import (
	"slices"

	"github.com/gatehouse-dev/gatehouse/bench/fixture"
	"github.com/gatehouse-dev/gatehouse/bench/peers"
)

// A row is a workload: what a system has to do, and what it is asked.
type row struct {
	name   string
	title  string
	setup  peers.Setup
	paths  []string // taken in turns
	post   int      // bytes of the body that is sent; 0: a GET
	h2     bool
	fresh  bool     // every token is new: the system is started anew for each turn
	wide   int      // members of the wide record that are masked
	only   []string // the systems that take part; empty: all that can
	beside []beside // what else has its turns here, to be compared with
	smoke  bool     // part of the short form
}

// beside is a system at another row that is measured within the rounds of this
// one: a ratio between two rows is only good where both had the same weather.
type beside struct{ system, row string }

// label is how it stands in the results.
func (b beside) label() string { return b.system + "@" + b.row }

func (r *row) method() string {
	if r.post > 0 {
		return "POST"
	}
	return "GET"
}

// records are the records of the callers.
func records() []string {
	var out []string
	for i := range callers {
		out = append(out, "/employees/"+fixture.ID(i))
	}
	return out
}

// rows are the workloads, in the order of the table.
func rows() []row {
	plain := peers.Setup{}
	tls := peers.Setup{TLS: true}
	jwt := peers.Setup{JWT: true}
	policy := peers.Setup{JWT: true, Policy: true}
	gate := peers.Setup{TLS: true, JWT: true, Rate: true, Policy: true}
	cold := gate
	cold.Forget = true
	mask := peers.Setup{Mask: true}
	chain := peers.Setup{TLS: true, JWT: true, Rate: true, Policy: true, Mask: true, Chain: true}
	list := []string{"/employees/"}
	return []row{
		{name: "plain-1k", title: "plain, 1 KB", setup: plain, paths: []string{"/1k"}, smoke: true},
		{name: "plain-16k", title: "plain, 16 KB", setup: plain, paths: []string{"/16k"}},
		{name: "plain-256k", title: "plain, 256 KB", setup: plain, paths: []string{"/256k"}},
		{name: "post-16k", title: "POST, 16 KB", setup: plain, paths: []string{"/sink"}, post: 16 << 10},
		{name: "tls-1k", title: "TLS 1.3, 1 KB", setup: tls, paths: []string{"/1k"}},
		{name: "tls-16k", title: "TLS 1.3, 16 KB", setup: tls, paths: []string{"/16k"}},
		{name: "tls-256k", title: "TLS 1.3, 256 KB", setup: tls, paths: []string{"/256k"}},
		{name: "h2-1k", title: "HTTP/2 in, 1 KB", setup: tls, paths: []string{"/1k"}, h2: true},
		{name: "jwt-returning", title: "JWT, returning token", setup: jwt, paths: []string{"/1k"}},
		{name: "jwt-fresh", title: "JWT, never seen", setup: jwt, paths: []string{"/1k"}, fresh: true},
		{name: "rate", title: "rate limit", setup: peers.Setup{Rate: true}, paths: []string{"/1k"}},
		{name: "policy", title: "JWT and Rego decision", setup: policy, paths: []string{"/1k"}},
		{name: "gate-warm", title: "gate, returning", setup: gate, paths: []string{"/1k"}, smoke: true},
		{name: "gate-cold", title: "gate, nothing cached", setup: cold, paths: []string{"/1k"}, fresh: true},
		{name: "mask-record", title: "mask, one record", setup: mask, paths: records()},
		{name: "list-plain", title: "list of 100, unmasked", setup: plain, paths: list},
		{name: "mask-list", title: "mask, list of 100", setup: mask, paths: list, beside: []beside{{"gateway", "list-plain"}}, smoke: true},
		{name: "full-record", title: "full chain, one record", setup: chain, paths: records(), beside: []beside{{"caddy", "plain-1k"}}, smoke: true},
		{name: "full-list", title: "full chain, list of 100", setup: chain, paths: list},
		{
			name: "checks", title: "all checks, no body work", setup: peers.Setup{JWT: true, Rate: true, Policy: true, Chain: true}, paths: []string{"/1k"},
			only: []string{"gateway"}, beside: []beside{{"gateway", "plain-1k"}},
		},
	}
}

// takesPart says whether a system is measured in a row.
func (r *row) takesPart(p peers.Peer) bool {
	return p.Can(r.setup) && (len(r.only) == 0 || slices.Contains(r.only, p.Name))
}

// rowNamed is a row by its name.
func rowNamed(name string) *row {
	for _, r := range rows() {
		if r.name == name {
			return &r
		}
	}
	panic("no row is named " + name) // a mistake in rows or goals
}
