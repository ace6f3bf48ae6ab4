package compare

import (
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/gatehouse-dev/gatehouse/policies"
)

// pass is a decision that lets a request pass, with more said by change.
func pass(change func(*policies.Decision)) Answer {
	d := &policies.Decision{Allow: true}
	if change != nil {
		change(d)
	}
	return Answer{d}
}

func refuse(codes ...string) Answer {
	d := &policies.Decision{Allow: true}
	for _, c := range codes {
		d.Deny = append(d.Deny, policies.Denial{Code: c})
	}
	d.Allow = len(codes) > 0
	return Answer{d}
}

func masked(list ...policies.Mask) Answer {
	return pass(func(d *policies.Decision) { d.Mask = list })
}

func mask(path, action string) policies.Mask { return policies.Mask{Path: path, Action: action} }

func exposed(paths ...string) Answer {
	return pass(func(d *policies.Decision) { d.Expose = paths })
}

func filtered(rows ...policies.Row) Answer {
	return pass(func(d *policies.Decision) { d.Rows = rows })
}

func row(path string, where ...policies.Condition) policies.Row {
	return policies.Row{Path: path, Where: where}
}

func guarded(path, action string) Answer {
	return pass(func(d *policies.Decision) { d.Protect = []policies.Protect{{Path: path, Action: action}} })
}

func required(list ...policies.Require) Answer {
	return pass(func(d *policies.Decision) { d.Require = list })
}

func told(name string, v policies.Value) Answer {
	return pass(func(d *policies.Decision) { d.Headers = map[string]policies.Value{name: v} })
}

func rated(limit string, perMinute int64) Answer {
	return pass(func(d *policies.Decision) {
		d.RateLimits = map[string]policies.Rate{limit: {Count: perMinute, Per: time.Minute}}
	})
}

// TestAnswers goes through the kinds. There is what is told of a change, and
// what of its opposite.
func TestAnswers(t *testing.T) {
	tenant := policies.Condition{Field: "tenant", Op: "eq", Input: "subject.tenant"}
	acme := policies.Condition{Field: "tenant", Op: "eq", Value: "acme"}
	branch := policies.Condition{Field: "branch", Op: "in", Input: "subject.branches"}
	for name, tt := range map[string]struct {
		before, after Answer
		there, back   []string
	}{
		"the same": {masked(mask("$.a", "null")), masked(mask("$.a", "null")), nil, nil},
		"let in": {
			refuse("too_late"), masked(mask("$.a", "null")),
			[]string{"newly allowed: too_late -> allowed"},
			[]string{"newly refused: allowed -> too_late"},
		},
		"no grant":   {refuse(), pass(nil), []string{"newly allowed: forbidden -> allowed"}, []string{"newly refused: allowed -> forbidden"}},
		"failing":    {Answer{}, pass(nil), []string{"newly allowed: policy_error -> allowed"}, []string{"newly failing: allowed -> policy_error"}},
		"both fail":  {Answer{}, Answer{}, nil, nil},
		"fails late": {Answer{}, refuse("late"), []string{"refused otherwise: policy_error -> late"}, []string{"newly failing: late -> policy_error"}},
		"code":       {refuse("a"), refuse("b"), []string{"refused otherwise: a -> b"}, []string{"refused otherwise: b -> a"}},
		"unmasked": {
			masked(mask("$..salary", "redact")), masked(),
			[]string{"newly visible $..salary: redact -> no mask"},
			[]string{"newly hidden $..salary: no mask -> redact"},
		},
		"weaker mask": {
			masked(mask("$.a", "drop")), masked(mask("$.a", "partial")),
			[]string{"newly visible $.a: drop -> partial"},
			[]string{"newly hidden $.a: partial -> drop"},
		},
		"the strictest counts": {
			masked(mask("$.a", "drop"), mask("$.a", "hash")), masked(mask("$.a", "hash"), mask("$.a", "drop")), nil, nil,
		},
		"a show": {
			masked(mask("$..a", "drop")), masked(mask("$..a", "drop"), mask("$.mine", "show")),
			[]string{"newly visible $.mine: no mask -> show"},
			[]string{"newly hidden $.mine: show -> no mask"},
		},
		"a show beside a mask": {
			masked(mask("$.a", "drop")), masked(mask("$.a", "show"), mask("$.a", "drop")),
			[]string{"newly visible $.a: drop -> show"},
			[]string{"newly hidden $.a: show -> drop"},
		},
		"buckets": {
			masked(policies.Mask{Path: "$.a", Action: "generalize", Bucket: 100}), masked(policies.Mask{Path: "$.a", Action: "generalize", Bucket: 10}),
			[]string{"newly visible $.a: generalize by 100 -> generalize by 10"},
			[]string{"newly hidden $.a: generalize by 10 -> generalize by 100"},
		},
		"classes say nothing": {
			masked(policies.Mask{Path: "$.a", Action: "drop", Class: "pii"}), masked(mask("$.a", "drop")), nil, nil,
		},
		"all fields": {
			pass(nil), pass(func(d *policies.Decision) { d.AllFields = true }),
			[]string{"newly visible all_fields: not said -> said"},
			[]string{"newly hidden all_fields: said -> not said"},
		},
		"all fields beside masks": {
			masked(mask("$.a", "drop")),
			pass(func(d *policies.Decision) { d.AllFields, d.Mask = true, []policies.Mask{mask("$.a", "drop")} }), nil, nil,
		},
		"exposed": {
			exposed("$.a"), exposed("$.a", "$.b"),
			[]string{"newly visible $.b: not on the allow list -> on the allow list"},
			[]string{"newly hidden $.b: on the allow list -> not on the allow list"},
		},
		"no allow list": {
			exposed("$.a"), pass(nil),
			[]string{"newly visible the allow list: in force -> gone"},
			[]string{"newly hidden the allow list: none -> in force"},
		},
		"rows": {
			filtered(row("$[*]", tenant)), pass(nil),
			[]string{"rows loosened $[*]: tenant eq subject.tenant -> nothing"},
			[]string{"rows tightened $[*]: nothing -> tenant eq subject.tenant"},
		},
		"one condition less": {
			filtered(row("$[*]", tenant, branch)), filtered(row("$[*]", tenant)),
			[]string{"rows loosened $[*]: tenant eq subject.tenant and branch in subject.branches -> tenant eq subject.tenant"},
			[]string{"rows tightened $[*]: tenant eq subject.tenant -> tenant eq subject.tenant and branch in subject.branches"},
		},
		"other rows": {
			filtered(row("$[*]", tenant)), filtered(row("$[*]", acme)),
			[]string{"rows loosened $[*]: tenant eq subject.tenant -> tenant eq …", "rows tightened $[*]: tenant eq subject.tenant -> tenant eq …"},
			[]string{"rows loosened $[*]: tenant eq … -> tenant eq subject.tenant", "rows tightened $[*]: tenant eq … -> tenant eq subject.tenant"},
		},
		"other value": {
			filtered(row("$", acme)), filtered(row("$", policies.Condition{Field: "tenant", Op: "eq", Value: "globex"})),
			[]string{"rows loosened $: tenant eq … -> tenant eq …", "rows tightened $: tenant eq … -> tenant eq …"},
			[]string{"rows loosened $: tenant eq … -> tenant eq …", "rows tightened $: tenant eq … -> tenant eq …"},
		},
		"the filter of another path": {
			filtered(row("$.a[*]", tenant), row("$.b[*]", tenant)), filtered(row("$.b[*]", tenant)),
			[]string{"rows loosened $.a[*]: tenant eq subject.tenant -> nothing"},
			[]string{"rows tightened $.a[*]: nothing -> tenant eq subject.tenant"},
		},
		"all rows": {
			pass(nil), pass(func(d *policies.Decision) { d.AllRows = true }),
			[]string{"rows loosened all_rows: not said -> said"},
			[]string{"rows tightened all_rows: said -> not said"},
		},
		"writable": {
			guarded("$.pay", "reject"), guarded("$.pay", "drop"),
			[]string{"newly writable $.pay: reject -> drop"},
			[]string{"newly protected $.pay: drop -> reject"},
		},
		"unprotected": {
			guarded("$.pay", "drop"), pass(nil),
			[]string{"newly writable $.pay: drop -> nothing"},
			[]string{"newly protected $.pay: nothing -> drop"},
		},
		"a factor less": {
			required(policies.Require{AMR: []string{"otp"}}, policies.Require{ACR: "gold"}), required(policies.Require{ACR: "gold"}),
			[]string{"weaker auth: acr gold, amr otp -> acr gold"},
			[]string{"stronger auth: acr gold -> acr gold, amr otp"},
		},
		"an older login": {
			required(policies.Require{MaxAge: 60}), required(policies.Require{MaxAge: 600}),
			[]string{"weaker auth: max_age 60 -> max_age 600"},
			[]string{"stronger auth: max_age 600 -> max_age 60"},
		},
		"the same in two entries": {
			required(policies.Require{AMR: []string{"otp"}, MaxAge: 60}),
			required(policies.Require{AMR: []string{"otp"}}, policies.Require{MaxAge: 60}, policies.Require{MaxAge: 90}), nil, nil,
		},
		"headers": {
			told("X-Role", policies.Value{Input: "subject.role"}), told("X-Role", policies.Value{Text: "admin"}),
			[]string{"headers changed X-Role: subject.role -> …"},
			[]string{"headers changed X-Role: … -> subject.role"},
		},
		"no header": {
			told("X-Role", policies.Value{}), pass(nil),
			[]string{"headers changed X-Role: … -> nothing"},
			[]string{"headers changed X-Role: nothing -> …"},
		},
		"a higher rate": {
			rated("per-user", 50), rated("per-user", 60),
			[]string{"rate changed per-user: 50/1m -> 60/1m"},
			[]string{"rate lowered per-user: 60/1m -> 50/1m"},
		},
		"no rate": {
			rated("per-user", 50), pass(nil),
			[]string{"rate changed per-user: 50/1m -> the limit's own"},
			[]string{"rate changed per-user: the limit's own -> 50/1m"},
		},
		"the same rate": {rated("per-user", 50), rated("per-user", 50), nil, nil},
		"region": {
			pass(func(d *policies.Decision) { d.Region = "eu" }), pass(nil),
			[]string{"region changed: eu -> nothing"},
			[]string{"region changed: nothing -> eu"},
		},
		"audit": {
			pass(func(d *policies.Decision) { d.Audit = "detail" }), pass(func(d *policies.Decision) { d.Audit = "metadata" }),
			[]string{"audit lowered: detail -> metadata"},
			[]string{"audit raised: metadata -> detail"},
		},
		"classified": {
			pass(nil), pass(func(d *policies.Decision) { d.Classified = []string{"$.iban"} }),
			[]string{"newly classified $.iban"},
			[]string{"declassified $.iban"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			if diff := cmp.Diff(tt.there, texts(Answers(tt.before, tt.after))); diff != "" {
				t.Errorf("there (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(tt.back, texts(Answers(tt.after, tt.before))); diff != "" {
				t.Errorf("and back (-want +got):\n%s", diff)
			}
		})
	}
}

func texts(list []Difference) []string {
	var out []string
	for _, d := range list {
		out = append(out, d.String())
	}
	return out
}

// TestDangerFirst holds the order in which differences are told.
func TestDangerFirst(t *testing.T) {
	before := pass(func(d *policies.Decision) {
		d.Mask = []policies.Mask{mask("$.b", "drop"), mask("$.a", "drop")}
		d.Rows = []policies.Row{row("$[*]", policies.Condition{Field: "x", Op: "exists"})}
		d.Require = []policies.Require{{ACR: "gold"}}
	})
	after := pass(func(d *policies.Decision) {
		d.Mask = []policies.Mask{mask("$.c", "drop")}
		d.Protect = []policies.Protect{{Path: "$.p", Action: "drop"}}
	})
	var got []Kind
	for _, d := range Answers(before, after) {
		got = append(got, d.Kind)
	}
	want := []Kind{NewlyVisible, NewlyVisible, RowsLoosened, WeakerAuth, NewlyHidden, NewlyProtected}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

// TestOpens divides the kinds in those that give more and those that do not.
func TestOpens(t *testing.T) {
	closing := []Kind{NewlyRefused, NewlyFailing, NewlyHidden, RowsTightened, NewlyProtected, StrongerAuth, RateLowered, AuditRaised, Declassified, RefusedOther}
	for _, k := range Kinds() {
		if k.Opens() == slices.Contains(closing, k) {
			t.Errorf("%s opens: %v", k, k.Opens())
		}
	}
	if !Kind("of_another_version").Opens() {
		t.Error("a kind that nobody knows is taken for harmless")
	}
}
