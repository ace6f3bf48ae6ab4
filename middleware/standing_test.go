package middleware

import (
	"encoding/json"
	"testing"

	"github.com/gatehouse-dev/gatehouse/policies"
)

func TestStanding(t *testing.T) {
	s := &policies.Subject{
		Role: "staff", Roles: []string{"staff"}, Tenant: "acme",
		Claims: map[string]any{"is_admin": true, "permissions": []any{"a", "b"}, "org_id": json.Number("7")},
	}
	few := &policies.Subject{ID: "u1", Claims: map[string]any{}}
	type object = map[string]any
	for _, tt := range []struct {
		name  string
		value any
		s     *policies.Subject
		want  Standing
	}{
		{"name", "admin", s, NoStanding},
		{"rolesOfTheHouseThatIsLarge", "admin", s, NoStanding},
		{"", "admin", s, NoStanding},
		{"role", "staff", s, SameStanding},
		{"ROLE", "Staff", s, SameStanding},
		{"user_role", "admin", s, OtherStanding},
		{"role", "admin", nil, OtherStanding},
		{"role", "admin", few, OtherStanding},
		{"role", json.Number("3"), s, UnknownStanding},
		{"role", true, s, UnknownStanding},
		{"role", nil, s, SameStanding},
		{"role", object{"id": json.Number("3")}, s, UnknownStanding},
		{"role", object{"name": "admin", "id": json.Number("3")}, s, OtherStanding},
		{"role", object{"name": "staff", "label": "who works here"}, s, SameStanding},
		{"role", object{"label": "who works here"}, s, UnknownStanding},
		{"roles", []any{"staff", "admin"}, s, OtherStanding},
		{"roles", []any{object{"name": "staff"}}, s, SameStanding},
		{"roles", []any{}, s, SameStanding},
		{"is-admin", true, s, SameStanding},
		{"isAdmin", true, few, OtherStanding},
		{"is_admin", "true", few, OtherStanding},
		{"is_admin", json.Number("1"), few, OtherStanding},
		{"is_admin", json.Number("0"), few, SameStanding},
		{"is_admin", false, few, SameStanding},
		{"is_superuser", true, s, OtherStanding}, // what the token says is of another flag
		{"permissions", []any{"a"}, s, SameStanding},
		{"permissions", []any{"a", "c"}, s, OtherStanding},
		{"tenant", "acme", s, SameStanding},
		{"tenant", "globex", s, OtherStanding},
		{"tenant_id", json.Number("7"), s, SameStanding},
		{"tenant_id", json.Number("8"), s, OtherStanding}, // the token speaks in numbers
		{"tenant", "globex", few, UnknownStanding},
		{"branch", "lagos", s, UnknownStanding},
	} {
		if got := StandingOf(tt.name, tt.value, tt.s); got != tt.want || NamesStanding(tt.name) != (tt.want != NoStanding) {
			t.Errorf("%s %v: %d, want %d", tt.name, tt.value, got, tt.want)
		}
	}
}
