package replay

import (
	"bytes"
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/gatehouse-dev/gatehouse/policies"
	"github.com/gatehouse-dev/gatehouse/policies/compare"
	"github.com/gatehouse-dev/gatehouse/policies/record"
)

// decider is policies in a function.
type decider struct {
	revision string
	decide   func(*policies.Input) *policies.Decision
}

func (d decider) Decide(ctx context.Context, in *policies.Input) (*policies.Decision, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	if out := d.decide(in); out != nil {
		return out, nil
	}
	return nil, errors.New("undecided")
}

func (decider) HeaderNames() []string { return nil }

func (d decider) Revision() string { return d.revision }

// strict lets hr in, and staff with a mask; it cannot decide about nobody.
func strict(in *policies.Input) *policies.Decision {
	switch {
	case in.Subject == nil:
		return nil
	case in.Subject.Role == "hr":
		return &policies.Decision{Allow: true}
	case in.Subject.Role == "staff":
		return &policies.Decision{Allow: true, Mask: []policies.Mask{{Path: "$..salary", Action: "redact"}}}
	}
	return &policies.Decision{}
}

func open(*policies.Input) *policies.Decision { return &policies.Decision{Allow: true} }

func shut(*policies.Input) *policies.Decision { return &policies.Decision{} }

// log records what the strict policies said to somebody of each role.
func log(t *testing.T, roles ...string) *bytes.Buffer {
	t.Helper()
	var out bytes.Buffer
	w := record.Open(record.Options{Output: &out, Queue: len(roles)})
	for _, role := range roles {
		in := &policies.Input{Resource: policies.Resource{Route: "employees"}, Context: policies.Context{RequestID: "q-" + role}}
		if role != "nobody" {
			in.Subject = &policies.Subject{Role: role, Claims: map[string]any{}}
		}
		if role == "hr" {
			in.Body = map[string]any{}
		}
		e := record.Entry{Revision: "r1", Input: in, Decision: strict(in)}
		e.Time = e.Time.AddDate(2026, 0, 0)
		w.Write(e)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return &out
}

func TestRun(t *testing.T) {
	roles := []string{"hr", "staff", "intern", "nobody", "staff"}
	group := func(kind compare.Kind, what, before, after, role string, count int) compare.Group {
		id := "q-" + role
		if role == "nobody" {
			role = ""
		}
		return compare.Group{
			Difference: compare.Difference{Kind: kind, What: what, Before: before, After: after},
			Route:      "employees", Role: role, Count: count, First: id, Last: id,
		}
	}
	for name, tt := range map[string]struct {
		candidate func(*policies.Input) *policies.Decision
		against   func(*policies.Input) *policies.Decision
		want      Report
	}{
		"the same": {strict, nil, Report{Records: 5, Reduced: 1, Before: []string{"r1"}, Differences: []compare.Group{}}},
		"open": {open, nil, Report{
			Records: 5, Different: 4, Opened: 4, Reduced: 1, Before: []string{"r1"}, Differences: []compare.Group{
				group(compare.NewlyAllowed, "", "policy_error", "allowed", "nobody", 1),
				group(compare.NewlyAllowed, "", "forbidden", "allowed", "intern", 1),
				group(compare.NewlyVisible, "$..salary", "redact", "no mask", "staff", 2),
			},
		}},
		"shut": {shut, nil, Report{
			Records: 5, Different: 4, Reduced: 1, Before: []string{"r1"}, Differences: []compare.Group{
				group(compare.NewlyRefused, "", "allowed", "forbidden", "staff", 2),
				group(compare.NewlyRefused, "", "allowed", "forbidden", "hr", 1),
				group(compare.RefusedOther, "", "policy_error", "forbidden", "nobody", 1),
			},
		}},
		"against others": {strict, shut, Report{
			Records: 5, Different: 4, Opened: 3, Reduced: 1, Before: []string{"r0"}, Differences: []compare.Group{
				group(compare.NewlyAllowed, "", "forbidden", "allowed", "staff", 2),
				group(compare.NewlyAllowed, "", "forbidden", "allowed", "hr", 1),
				group(compare.NewlyFailing, "", "forbidden", "policy_error", "nobody", 1),
			},
		}},
	} {
		t.Run(name, func(t *testing.T) {
			var against policies.Decider
			if tt.against != nil {
				against = decider{"r0", tt.against}
			}
			got, err := Run(t.Context(), log(t, roles...), decider{"r2", tt.candidate}, against)
			if err != nil {
				t.Fatal(err)
			}
			tt.want.After = "r2"
			if diff := cmp.Diff(&tt.want, got); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// TestAgeOnRecord: a candidate that shows fields to whom signed in lately judges by
// how long ago that was then.
func TestAgeOnRecord(t *testing.T) {
	fresh := func(in *policies.Input) *policies.Decision {
		if age := in.Subject.AuthAge; age != nil && *age <= 300 {
			return &policies.Decision{Allow: true}
		}
		return &policies.Decision{Allow: true, Mask: []policies.Mask{{Path: "$..health", Action: "drop"}}}
	}
	at := time.Date(2020, 1, 1, 0, 0, 0, 0, time.UTC)
	for age, different := range map[time.Duration]int{0: 0, 300 * time.Second: 0, 301 * time.Second: 1} {
		in := policies.NewInput(&policies.Subject{ID: "u7", AuthTime: at.Add(-age).Unix(), Claims: map[string]any{}}, at)
		in.Context.RequestID = "q"
		var out bytes.Buffer
		w := record.Open(record.Options{Output: &out, Queue: 1})
		w.Write(record.Entry{Time: at, Revision: "r1", Input: in, Decision: open(in)})
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
		got, err := Run(t.Context(), &out, decider{"r2", fresh}, nil)
		if err != nil || got.Records != 1 || got.Different != different {
			t.Errorf("%v: %+v, %v", age, got, err)
		}
	}
}

// TestNothingRecorded: an empty log is an answer, not a success of its own kind.
func TestNothingRecorded(t *testing.T) {
	got, err := Run(t.Context(), strings.NewReader(""), decider{"r2", open}, nil)
	if err != nil || got.Records != 0 || len(got.Differences) != 0 {
		t.Errorf("%+v, %v", got, err)
	}
}

// TestStops: what cannot be read, and who will not wait, end it; half a report
// is none.
func TestStops(t *testing.T) {
	text := log(t, "hr").String() + "{}\n"
	if got, err := Run(t.Context(), strings.NewReader(text), decider{"r2", open}, nil); err == nil || got != nil || !strings.HasPrefix(err.Error(), "line 2: ") {
		t.Errorf("%+v, %v", got, err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if got, err := Run(ctx, log(t, "hr"), decider{"r2", open}, nil); !errors.Is(err, context.Canceled) || got != nil {
		t.Errorf("%+v, %v", got, err)
	}
}
