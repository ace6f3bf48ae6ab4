package detect_test

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/gatehouse-dev/gatehouse/middleware"
	"github.com/gatehouse-dev/gatehouse/middleware/guard/detect"
)

func TestPrivilegeEscalation(t *testing.T) {
	type settings = detect.PrivilegeEscalationSettings
	admin := settings{Routes: []string{"admin"}}
	ask := func(subject, route string, status int, code middleware.Code, suspicions ...middleware.Suspicion) func() *detect.Signal {
		return func() *detect.Signal {
			s := answered(status, code, a1, subject)()
			s.Route, s.Suspicions = route, suspicions
			return s
		}
	}
	header := ask("ann", "api", 200, "", middleware.IdentityHeader)
	ann, address := "subject ann;", "address "+a1+";"
	for _, tt := range []struct {
		name  string
		s     settings
		steps []step
	}{
		{"a role in an update of oneself", settings{}, then(step{0, ask("ann", "api", 200, "", middleware.SelfPromotion), ann})},
		{"a game with the algorithm", settings{}, then(step{0, ask("", "api", 401, middleware.TokenInvalid, middleware.AlgorithmGame), address})},
		{"a header that says who", settings{}, then(step{0, header, ann})},
		{"a header that says who, from a stranger", settings{}, then(step{0, ask("", "api", 401, middleware.TokenMissing, middleware.IdentityHeader), address})},
		{"a proxy that sends such headers", settings{IdentityHeader: -1}, then(times(99, 0, header))},
		{"a proxy that sends some", settings{IdentityHeader: 3}, then(times(2, 0, header), step{0, header, ann})},
		{"headers do not add to the rest", settings{Limit: detect.Limit{Threshold: 3}, IdentityHeader: 3}, then(
			times(2, 0, header), times(2, 0, ask("ann", "api", 200, "", middleware.SelfPromotion)), step{0, header, ann},
		)},
		{"a protected member", settings{}, then(times(9, 0, ask("ann", "api", 403, middleware.Forbidden, middleware.ProtectedMember)))},
		{"a protected member, if wanted", settings{ProtectedMember: true}, then(step{0, ask("ann", "api", 403, middleware.Forbidden, middleware.ProtectedMember), ann})},
		{"denied where administrators are", admin, then(step{0, ask("ann", "admin", 403, middleware.Forbidden), ann})},
		{"denied elsewhere", admin, then(times(9, 0, ask("ann", "api", 403, middleware.Forbidden)))},
		{"denied with no such routes", settings{}, then(times(9, 0, ask("ann", "admin", 403, middleware.Forbidden)))},
		{"denied for another reason", admin, then(times(9, 0, ask("ann", "admin", 403, middleware.LockedDown)))},
		{"denied by the upstream", admin, then(times(9, 0, ask("ann", "admin", 403, "")))},
		{"a stranger", admin, then(times(9, 0, ask("", "admin", 403, middleware.Forbidden)))},
		{"a code of the policy", settings{Routes: []string{"x", "admin"}, Codes: []middleware.Code{"role_required"}}, then(
			times(1, 0, ask("ann", "admin", 403, middleware.Forbidden)), step{0, ask("ann", "admin", 403, "role_required"), ann},
		)},
		{"forged tokens are another detector's", settings{}, then(times(9, 0, ask("", "api", 401, middleware.TokenInvalid, middleware.BadSignature, middleware.UnknownKey, middleware.ForgedHeader)))},
		{"one finding in a window", settings{}, then(
			step{0, header, ann}, times(99, 0, header), times(1, 15*time.Minute-1, header), step{1, header, ann},
		)},
	} {
		t.Run(tt.name, func(t *testing.T) { run(t, detect.NewPrivilegeEscalation(tt.s), tt.steps) })
	}
}

func TestPrivilegeEscalationEvidence(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := detect.NewPrivilegeEscalation(detect.PrivilegeEscalationSettings{Limit: detect.Limit{Threshold: 3}, Routes: []string{"api"}})
		denied := answered(403, middleware.Forbidden, a1, "ann")
		promotion := answered(422, middleware.InputRejected, a1, "ann")()
		promotion.Suspicions = []middleware.Suspicion{middleware.SelfPromotion}
		var found []detect.Finding
		for _, s := range []*detect.Signal{denied(), promotion, denied()} {
			found = append(found, d.See(s)...)
		}
		want := []detect.Finding{{
			Target: detect.TargetSubject, Address: ip(a1), Subject: detect.Subject{Issuer: "auth", ID: "ann"}, Count: 3, Threshold: 3, Window: 15 * time.Minute,
			Evidence: [][2]string{{"reasons", "denied: 2, self_promotion: 1"}, {"route", "api"}, {"status", "403"}},
		}}
		if diff := cmp.Diff(want, found, prefixes()); diff != "" {
			t.Error(diff)
		}
	})
}
