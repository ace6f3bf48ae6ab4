package policies

import (
	"encoding/json"
	"math"
	"reflect"
	"testing"
	"time"
)

func TestLookup(t *testing.T) {
	in := &Input{
		Subject: &Subject{
			ID: "u7", Issuer: "auth", Role: "hr", Roles: []string{"hr"}, Tenant: "t1", Branches: []string{}, AuthTime: 17, AuthAge: new(int64(0)),
			Claims: map[string]any{
				"department": map[string]any{"code": "d1", "cost": json.Number("1.50")}, "groups": []any{"a", json.Number("2")},
				"mixed": []any{"a", map[string]any{}}, "null": nil, "flag": false, "empty": "",
			},
		},
		Action: Action{Method: "GET", Name: "read"},
		Resource: Resource{
			Route: "r", Host: "h", Path: "/a", Params: map[string]string{"id": "7"}, Query: map[string][]string{"page": {"1", "2"}},
		},
		Context: Context{
			Time: Time{Hour: 0, Weekday: "monday", Date: "2026-11-22"}, ClientAddress: "192.0.2.1", Listener: "public", TLS: "1.3",
			Headers: map[string][]string{"x-purpose": {"audit"}}, RequestID: "q1",
		},
	}
	tests := []struct {
		name string
		want any // nil where there is no value
	}{
		{"subject.id", "u7"},
		{"subject.issuer", "auth"},
		{"subject.role", "hr"},
		{"subject.roles", []any{"hr"}},
		{"subject.tenant", "t1"},
		{"subject.branch", nil},
		{"subject.branches", []any{}},
		{"subject.acr", nil},
		{"subject.amr", nil},
		{"subject.auth_time", json.Number("17")},
		{"subject.auth_age", json.Number("0")},
		{"subject.claims.department.code", "d1"},
		{"subject.claims.department.cost", json.Number("1.50")},
		{"subject.claims.department", nil},
		{"subject.claims.groups", []any{"a", json.Number("2")}},
		{"subject.claims.groups.a", nil},
		{"subject.claims.mixed", nil},
		{"subject.claims.null", nil},
		{"subject.claims.flag", false},
		{"subject.claims.absent", nil},
		{"action.method", "GET"},
		{"action.name", "read"},
		{"resource.route", "r"},
		{"resource.host", "h"},
		{"resource.path", "/a"},
		{"resource.params.id", "7"},
		{"resource.params.other", nil},
		{"resource.query.page", []any{"1", "2"}},
		{"resource.query.other", nil},
		{"context.client_address", "192.0.2.1"},
		{"context.listener", "public"},
		{"context.tls", "1.3"},
		{"context.request_id", "q1"},
		{"context.headers.x-purpose", []any{"audit"}},
		{"context.time.hour", json.Number("0")},
		{"context.time.weekday", "monday"},
		{"context.time.date", "2026-11-22"},
		{"subject", nil},
		{"body.x", nil},
		{"", nil},
	}
	for _, tt := range tests {
		got, ok := in.Lookup(tt.name)
		if ok != (tt.want != nil) || ok && !reflect.DeepEqual(got, tt.want) {
			t.Errorf("%s: %v, %v; want %v", tt.name, got, ok, tt.want)
		}
	}
	nobody := &Input{}
	if v, ok := nobody.Lookup("subject.id"); ok {
		t.Errorf("a value of nobody: %v", v)
	}
	if v, ok := (*Input)(nil).Lookup("subject.id"); ok {
		t.Errorf("a value of no question: %v", v)
	}
}

// An empty claim names nothing: a row of tenant "" is not everybody's.
func TestLookupOfEmptyValues(t *testing.T) {
	in := &Input{Subject: &Subject{Claims: map[string]any{"tenant": ""}}}
	for _, name := range []string{"subject.tenant", "subject.id", "subject.claims.tenant"} {
		if v, ok := in.Lookup(name); ok {
			t.Errorf("%s: %q", name, v)
		}
	}
}

func TestCheckName(t *testing.T) {
	for name, ok := range map[string]bool{
		"subject.id": true, "subject.claims.a": true, "subject.claims.a.b.c": true, "resource.params.id": true, "context.time.hour": true,
		"subject.rolle": false, "subject": false, "subject.claims": false, "subject.claims.": false, "subject.claims.a..b": false,
		"resource.params": false, "resource.params.": false, "resource.params.a.b": false, "context.headers.a.b": false, "subject.id.x": false, "": false,
		"input.subject.id": false, "resource.segments": false,
	} {
		if err := CheckName(name); (err == nil) != ok {
			t.Errorf("%q: %v", name, err)
		}
	}
	for _, n := range Names() {
		if err := CheckName(n); err != nil {
			t.Errorf("%q is listed: %v", n, err)
		}
	}
}

// FuzzLookup holds that whatever is resolved was a valid name, and that no name
// panics.
func FuzzLookup(f *testing.F) {
	for _, n := range Names() {
		f.Add(n)
	}
	in := &Input{Subject: &Subject{ID: "u", Claims: map[string]any{"x": "y"}}, Resource: Resource{Params: map[string]string{"x": "1"}}}
	f.Fuzz(func(t *testing.T, name string) {
		if _, ok := in.Lookup(name); ok && CheckName(name) != nil {
			t.Errorf("%q is resolved and is not a name", name)
		}
	})
}

func TestActionName(t *testing.T) {
	for method, want := range map[string]string{
		"GET": "read", "HEAD": "read", "POST": "create", "PUT": "update", "PATCH": "update", "DELETE": "delete", "OPTIONS": "other", "get": "other",
	} {
		if got := ActionName(method); got != want {
			t.Errorf("%s: %s", method, got)
		}
	}
}

// TestAuthAge: how old a sign-in is belongs to a question. The subject, which
// requests share, is left as it is.
func TestAuthAge(t *testing.T) {
	now := time.Unix(1_800_000_000, 999)
	tests := []struct {
		name     string
		authTime int64
		want     *int64
	}{
		{"this very second", now.Unix(), new(int64(0))},
		{"a while ago", now.Unix() - 301, new(int64(301))},
		{"within what clocks may differ", now.Unix() + 30, new(int64(0))},
		{"the beginning of time", 1, new(now.Unix() - 1)},
		{"not said", 0, nil},
		{"before there was time", -1, nil},
		{"so long ago that a difference would not fit", math.MinInt64, nil},
		{"so far ahead", math.MaxInt64, new(int64(0))},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s := &Subject{ID: "u7", AuthTime: tt.authTime, AuthAge: new(int64(7))}
			before := *s
			in := NewInput(s, now)
			if !reflect.DeepEqual(in.Subject.AuthAge, tt.want) {
				t.Errorf("%v, want %v", in.Subject.AuthAge, tt.want)
			}
			if in.Subject == s || *s.AuthAge != 7 || !reflect.DeepEqual(before, *s) || in.Subject.ID != "u7" {
				t.Error("the question does not have a subject of its own")
			}
		})
	}
	if in := NewInput(nil, now); in.Subject != nil || in.Context.Time != Moment(now) {
		t.Errorf("nobody: %+v", in)
	}
}

// A question about somebody is one piece of memory, like one about nobody.
func TestNewInputAllocations(t *testing.T) {
	s := &Subject{ID: "u7", AuthTime: 1}
	now := time.Unix(1_800_000_000, 0)
	nobody := testing.AllocsPerRun(100, func() { NewInput(nil, now) })
	if somebody := testing.AllocsPerRun(100, func() { NewInput(s, now) }); somebody != nobody {
		t.Errorf("%v allocations, and %v without a subject", somebody, nobody)
	}
}
