package middleware

import (
	"encoding/json"
	"strconv"
	"strings"

	"github.com/gatehouse-dev/gatehouse/policies"
)

// Standing is what a member of a body says about the standing of whoever writes it:
// what they may do, and where they belong.
type Standing uint8

// The standings, by how much is to be thought of them.
const (
	NoStanding      Standing = iota // the member is about something else
	SameStanding                    // what the token says too, or less
	UnknownStanding                 // nothing that can be compared with the token
	OtherStanding                   // something else than the token says
)

// rank is the kind of a member, by its name.
type rank uint8

const (
	noRank rank = iota
	roleRank
	flagRank // of yes and no
	grantRank
	tenantRank
	branchRank
)

// rankOf knows members by the names that frameworks and people give them, in any
// spelling: is_admin, isAdmin, IS-ADMIN.
func rankOf(name string) rank {
	var room [24]byte
	folded := room[:0]
	for i := range len(name) {
		c := name[i]
		switch {
		case c == '_' || c == '-':
			continue
		case 'A' <= c && c <= 'Z':
			c += 'a' - 'A'
		}
		if len(folded) == len(room) {
			return noRank
		}
		folded = append(folded, c)
	}
	switch string(folded) {
	case "role", "roles", "roleid", "roleids", "rolename", "rolenames", "userrole", "userroles", "accesslevel", "usertype", "accounttype":
		return roleRank
	case "admin", "administrator", "superuser", "superadmin", "staff", "root",
		"isadmin", "isadministrator", "issuperuser", "issuperadmin", "isstaff", "isroot":
		return flagRank
	case "permission", "permissions", "scope", "scopes", "privilege", "privileges", "authority", "authorities", "entitlements", "group", "groups", "groupids":
		return grantRank
	case "tenant", "tenants", "tenantid", "tenantids", "org", "orgid", "organization", "organizationid", "organisation", "organisationid", "companyid", "accountid":
		return tenantRank
	case "branch", "branches", "branchid", "branchids":
		return branchRank
	}
	return noRank
}

// NamesStanding reports whether a member of that name is about standing.
func NamesStanding(name string) bool { return rankOf(name) != noRank }

// StandingOf compares a member with what the token of the caller, if there is one,
// says. Whole records are sent back with what stands in them, so the same value is
// nothing, and neither is one that takes something away. A value is of JSON, with
// numbers as json.Number, or a text of a form.
//
// A number that stands for a role cannot be compared with the role's name, nor can
// a tenant where the token names none.
func StandingOf(name string, value any, s *policies.Subject) Standing {
	r := rankOf(name)
	if r == noRank {
		return NoStanding
	}
	ours := standings(r, name, s)
	if r == flagRank {
		ours = append(ours, "false", "0", "no", "off")
	}
	return compare(value, ours, r)
}

// standings are the texts of the token that a member of a kind may hold.
func standings(r rank, name string, s *policies.Subject) []string {
	if s == nil {
		return nil
	}
	var out []string
	switch r {
	case roleRank, grantRank:
		out = append(append(out, s.Role), s.Roles...)
	case tenantRank:
		out = append(out, s.Tenant)
	case branchRank:
		out = append(append(out, s.Branch), s.Branches...)
	}
	for claim, v := range s.Claims {
		if rankOf(claim) == r && (r != flagRank || folded(claim) == folded(name)) {
			out = texts(out, v)
		}
	}
	return out
}

// texts adds the texts of a claim. Scopes are one text with blanks between (RFC
// 8693, section 4.2).
func texts(out []string, v any) []string {
	switch v := v.(type) {
	case string:
		out = append(append(out, v), strings.Fields(v)...)
	case json.Number:
		out = append(out, v.String())
	case bool:
		out = append(out, strconv.FormatBool(v))
	case []any:
		for _, e := range v {
			out = texts(out, e)
		}
	}
	return out
}

// compare gives the worst of what a value holds. An object stands for what one of
// its members names, {"id": 3, "name": "staff"}.
func compare(v any, ours []string, r rank) Standing {
	switch v := v.(type) {
	case nil:
		return SameStanding
	case bool:
		if r != flagRank {
			return UnknownStanding
		}
		return compareText(strconv.FormatBool(v), ours, r)
	case json.Number:
		if got := compareText(v.String(), ours, r); got == SameStanding || r == flagRank || numbered(ours) {
			return got
		}
		return UnknownStanding
	case string:
		return compareText(v, ours, r)
	case []any:
		worst := SameStanding
		for _, e := range v {
			worst = max(worst, compare(e, ours, r))
		}
		return worst
	case map[string]any:
		named := UnknownStanding
		for name, e := range v {
			switch got := compare(e, ours, r); {
			case e == nil:
			case got == SameStanding:
				return got
			case names(name):
				named = max(named, got)
			}
		}
		return named
	}
	return UnknownStanding
}

// names reports whether a member names the object that it is of.
func names(name string) bool {
	switch folded(name) {
	case "name", "code", "slug", "key", "value":
		return true
	}
	return NamesStanding(name)
}

func compareText(text string, ours []string, r rank) Standing {
	if text = folded(text); text == "" {
		return SameStanding
	}
	known := false
	for _, o := range ours {
		if o = folded(o); o == text {
			return SameStanding
		}
		known = known || o != ""
	}
	if !known && (r == tenantRank || r == branchRank) {
		return UnknownStanding
	}
	return OtherStanding
}

// numbered reports whether the token speaks in numbers.
func numbered(ours []string) bool {
	for _, o := range ours {
		if _, err := strconv.ParseInt(o, 10, 64); err == nil {
			return true
		}
	}
	return false
}

// folded gives the form in which "Team Lead" and team_lead are the same.
func folded(s string) string {
	return strings.ToLower(strings.Map(func(c rune) rune {
		if c == '_' || c == '-' || c == ' ' {
			return -1
		}
		return c
	}, s))
}
