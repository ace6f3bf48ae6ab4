package gateway

import (
	"strings"

	"github.com/gatehouse-dev/gatehouse/policies"
)

func brokenPolicies() []broken {
	// Most let everybody in, which loading would refuse.
	const open = one + "policies: {path: rego, budget: 1m, probes: off}\n"
	grant := "allow if true\nall_rows if true\n"
	fault := func(name, policy string) broken {
		return broken{name: "policy/" + name, settings: open, policy: policy, status: 500, code: "policy_error"}
	}
	return []broken{
		{name: "policy/undefined", policy: "allow if input.subject.role == \"nobody\"\n", status: 403, code: "forbidden"},
		fault("conflict", grant+"all_fields if true\naudit := \"detail\" if input.subject.id == \"e2\"\naudit := \"metadata\" if input.subject.role == \"staff\"\n"),
		fault("runtime error", grant+"all_fields if true\ndeny contains {\"code\": \"too_old\", \"message\": \"no\"} if to_number(input.subject.id) > 3\n"),
		fault("mask of an unknown action", grant+"mask contains {\"path\": \"$.salary\", \"action\": input.subject.claims.sub}\n"),
		fault("mask of an unreadable path", grant+"mask contains {\"path\": input.subject.claims.sub, \"action\": \"drop\"}\n"),
		fault("no masks where they are required", grant),
		fault("no rows where they are required", "allow if true\nall_fields if true\n"),
		{
			name: "policy/too slow", status: 500, code: "policy_error",
			settings: one + "policies: {path: rego, budget: 30ms, probes: off}\n",
			policy:   grant + "all_fields if count([1 | some a in hundred; some b in hundred; some c in hundred; some d in hundred]) > 1\n" + "import data.big.hundred\n",
			prepare:  func(w *world) { w.write("rego/big/data.json", `{"hundred": [`+strings.Repeat("1,", 99)+`1]}`) },
		},
		{
			name: "policy/region without an endpoint", settings: open, policy: grant + "all_fields if true\nregion := \"eu\"\n",
			status: 503, code: "upstream_unavailable",
		},
		{
			name: "policy/header without a value", settings: open, policy: grant + "all_fields if true\nheaders[\"X-Branch\"] := {\"input\": \"subject.claims.branch\"}\n",
			status: 403, code: "forbidden",
		},
	}
}

// decideBy makes the plan's pipelines anew around another decider.
func (p *Plan) decideBy(w *world, d policies.Decider) {
	w.t.Helper()
	b := &builder{ctx: w.t.Context(), config: p.config, deps: w.deps, plan: p, decider: d, issuers: p.issuers}
	b.openState()
	p.decider, p.pipelines = d, nil
	for _, r := range p.config.Routes {
		p.pipelines = append(p.pipelines, b.pipeline(r))
	}
	p.router = newRouter(p.pipelines)
	if len(b.mistakes) > 0 {
		w.t.Fatal(b.mistakes)
	}
}
