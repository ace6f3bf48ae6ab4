package detect_test

import (
	"crypto/sha256"
	"fmt"
	"net/netip"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/gatehouse-dev/gatehouse/middleware"
	"github.com/gatehouse-dev/gatehouse/middleware/guard/detect"
)

// name is the digest of a username.
func name(s string) (d detect.Digest) {
	h := sha256.Sum256([]byte(s))
	copy(d[:], h[:])
	return d
}

// ip is the network of an address.
func ip(s string) netip.Prefix {
	a := netip.MustParseAddr(s)
	bits := 32
	if a.Is6() {
		bits = 64
	}
	p, _ := a.Prefix(bits)
	return p
}

// names shows digests as what they stand for.
func names(users ...string) map[detect.Digest]string {
	m := map[detect.Digest]string{{}: "nobody"}
	for _, u := range users {
		m[name(u)] = u
	}
	return m
}

// show says whom findings are about, "" where there are none.
func show(found []detect.Finding, known map[detect.Digest]string) (s string) {
	for _, f := range found {
		switch f.Target {
		case detect.TargetAddress:
			s += "address " + f.Address.Addr().String() + ";"
		case detect.TargetUser:
			s += "user " + known[f.User] + " at " + f.Address.Addr().String() + ";"
		case detect.TargetSubject:
			s += "subject " + f.Subject.ID + ";"
		}
	}
	return s
}

// login is the signal of a login from an address with usernames.
func login(status int, addr string, users ...string) *detect.Signal {
	s := &detect.Signal{Time: time.Now(), Address: ip(addr), Route: "login", Method: "POST", Status: status, Login: true, Clear: len(users) == 1}
	for _, u := range users {
		s.Users = append(s.Users, name(u))
	}
	return s
}

// step is one signal, and what it is to lead to.
type step struct {
	after time.Duration
	s     func() *detect.Signal
	want  string
}

func fails(addr string, users ...string) func() *detect.Signal {
	return func() *detect.Signal { return login(401, addr, users...) }
}

func enters(addr string, users ...string) func() *detect.Signal {
	return func() *detect.Signal { return login(204, addr, users...) }
}

// times repeats a step that leads to nothing.
func times(n int, every time.Duration, s func() *detect.Signal) (steps []step) {
	for range n {
		steps = append(steps, step{every, s, ""})
	}
	return steps
}

func then(parts ...any) (steps []step) {
	for _, p := range parts {
		switch p := p.(type) {
		case step:
			steps = append(steps, p)
		case []step:
			steps = append(steps, p...)
		}
	}
	return steps
}

// run shows the steps to a detector, under a clock that only they move.
func run(t *testing.T, d detect.Detector, steps []step) {
	t.Helper()
	known := names("ann", "bob", "cy", "dan", "eve", "ann@example.com")
	synctest.Test(t, func(t *testing.T) {
		var got, want []string
		for _, s := range steps {
			time.Sleep(s.after)
			got, want = append(got, show(d.See(s.s()), known)), append(want, s.want)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Error(diff)
		}
	})
}

// signIns are of many users at once.
func signIns(n int) (steps []step) {
	for i := range n {
		steps = append(steps, times(1, 0, enters(a1, fmt.Sprint("user", i)))...)
	}
	return steps
}

const a1, a2 = "192.0.2.1", "192.0.2.2"

func TestAuthFailures(t *testing.T) {
	annAt1 := "user ann at " + a1 + ";"
	perAddress := detect.AuthFailuresSettings{PerAddress: true}
	for _, tt := range []struct {
		name  string
		s     detect.AuthFailuresSettings
		steps []step
	}{
		{"five in 899 s", detect.AuthFailuresSettings{}, then(
			times(4, 0, fails(a1, "ann")), step{899 * time.Second, fails(a1, "ann"), annAt1},
		)},
		{"five in 901 s", detect.AuthFailuresSettings{}, then(
			times(1, 0, fails(a1, "ann")), times(3, 300*time.Second, fails(a1, "ann")), step{time.Second, fails(a1, "ann"), ""},
		)},
		{"to the nanosecond", detect.AuthFailuresSettings{}, then(
			times(4, 0, fails(a1, "ann")), step{15*time.Minute - 1, fails(a1, "ann"), annAt1},
		)},
		{"as old as the window is out of it", detect.AuthFailuresSettings{}, then(
			times(4, 0, fails(a1, "ann")), step{15 * time.Minute, fails(a1, "ann"), ""},
		)},
		{"a window that slides", detect.AuthFailuresSettings{}, then(
			times(2, 0, fails(a1, "ann")), times(2, 10*time.Minute, fails(a1, "ann")), // the first two are over
			times(1, 4*time.Minute, fails(a1, "ann")), times(1, 0, fails(a1, "ann")), step{0, fails(a1, "ann"), annAt1},
		)},
		{"other users and other addresses", detect.AuthFailuresSettings{}, then(
			times(4, 0, fails(a1, "ann")), times(4, 0, fails(a2, "ann")), step{0, fails(a1, "ann"), annAt1},
		)},
		{"what led to a finding is forgotten", detect.AuthFailuresSettings{}, then(
			times(4, 0, fails(a1, "ann")), step{0, fails(a1, "ann"), annAt1},
			times(40, time.Second, fails(a1, "ann")), // quiet
			times(4, 15*time.Minute-40*time.Second, fails(a1, "ann"))[:1],
			times(3, 0, fails(a1, "ann")), step{0, fails(a1, "ann"), annAt1},
		)},
		{"a success forgives", detect.AuthFailuresSettings{}, then(
			times(4, 0, fails(a1, "ann")), times(1, 0, enters(a1, "ann")),
			times(4, 0, fails(a1, "ann")), step{0, fails(a1, "ann"), annAt1},
		)},
		{"a success forgives nobody else, and nowhere else", detect.AuthFailuresSettings{}, then(
			times(4, 0, fails(a1, "ann")), times(1, 0, enters(a1, "bob")), times(1, 0, enters(a2, "ann")),
			step{0, fails(a1, "ann"), annAt1},
		)},
		{"a success that is not clear forgives nobody", detect.AuthFailuresSettings{}, then(
			times(4, 0, fails(a1, "ann")), times(1, 0, enters(a1, "ann", "bob")), step{0, fails(a1, "ann"), annAt1},
		)},
		{"each name counts", detect.AuthFailuresSettings{}, then(
			times(2, 0, fails(a1, "ann", "bob")), times(2, 0, fails(a1, "bob", "ann")),
			step{0, fails(a1, "ann"), annAt1}, step{0, fails(a1, "ann", "bob"), "user bob at " + a1 + ";"},
		)},
		{"a name that stands there twice counts once", detect.AuthFailuresSettings{}, then(
			times(4, 0, fails(a1, "ann", "ann")), step{0, fails(a1, "ann"), annAt1},
		)},
		{"nobody's name is one name", detect.AuthFailuresSettings{}, then(
			times(4, 0, fails(a1)), step{0, fails(a1), "user nobody at " + a1 + ";"},
		)},
		{"three names from one address", detect.AuthFailuresSettings{}, then(
			times(2, 0, fails(a1, "ann")), times(2, 0, fails(a1, "bob")), step{0, fails(a1, "cy"), "address " + a1 + ";"},
		)},
		{"two names are not enough", detect.AuthFailuresSettings{}, then(
			times(4, 0, fails(a1, "ann")), times(4, 0, fails(a1, "bob")),
		)},
		{"one fails often, two once", detect.AuthFailuresSettings{}, then(
			times(3, 0, fails(a1, "ann")), times(1, 0, fails(a1, "bob")), step{0, fails(a1, "cy"), "address " + a1 + ";"},
		)},
		{"as many as sign in there", detect.AuthFailuresSettings{}, then(
			times(1, 0, enters(a1, "u1")), times(1, 0, enters(a1, "u2")), times(2, 0, enters(a1, "u3")), times(1, 0, enters(a1, "u4")),
			times(2, 0, fails(a1, "ann")), times(2, 0, fails(a1, "bob")), times(2, 0, fails(a1, "cy")), step{0, fails(a1, "dan"), "address " + a1 + ";"},
		)},
		{"but no more than a crowd", detect.AuthFailuresSettings{Crowd: 4}, then(
			signIns(100), times(2, 0, fails(a1, "ann")), times(2, 0, fails(a1, "bob")), times(2, 0, fails(a1, "cy")), step{0, fails(a1, "dan"), "address " + a1 + ";"},
		)},
		{"who signed in long ago", detect.AuthFailuresSettings{}, then(
			signIns(100), times(1, 15*time.Minute, fails(a1, "ann")), times(3, 0, fails(a1, "bob")), step{0, fails(a1, "cy"), "address " + a1 + ";"},
		)},
		{"one who signs in often is one", detect.AuthFailuresSettings{}, then(
			times(100, 0, enters(a1, "mallory")), times(2, 0, fails(a1, "ann")), times(2, 0, fails(a1, "bob")), step{0, fails(a1, "cy"), "address " + a1 + ";"},
		)},
		{"two names of one person are one", detect.AuthFailuresSettings{}, then(
			times(2, 0, fails(a1, "ann", "ann@example.com")), times(2, 0, fails(a1, "bob")),
			times(1, 0, fails(a1, "ann@example.com", "ann")), step{0, fails(a1, "cy"), "address " + a1 + ";"},
		)},
		{"who got in does not count for the address", detect.AuthFailuresSettings{}, then(
			times(2, 0, fails(a1, "ann")), times(2, 0, fails(a1, "bob")), times(1, 0, enters(a1, "bob")),
			times(1, 0, fails(a1, "cy")), times(1, 0, fails(a1, "cy")), step{0, fails(a1, "eve"), "address " + a1 + ";"},
		)},
		{"per address, whoever", perAddress, then(
			times(4, 0, fails(a1, "ann")), step{0, fails(a1, "ann"), "address " + a1 + ";"},
			times(4, 0, fails(a2, "ann")), times(1, 0, enters(a2, "bob")), step{0, fails(a2), "address " + a2 + ";"},
		)},
		{"a network of IPv6 is one", perAddress, then(
			times(2, 0, fails("2001:db8::1", "ann")), times(2, 0, fails("2001:db8::2", "ann")), times(4, 0, fails("2001:db8:0:1::1", "ann")),
			step{0, fails("2001:db8::ffff:0:0:3", "ann"), "address 2001:db8::;"},
		)},
		{"only 401 on login routes", detect.AuthFailuresSettings{}, then(
			times(9, 0, func() *detect.Signal { return login(403, a1, "ann") }),
			times(9, 0, func() *detect.Signal { return login(500, a1, "ann") }),
			times(9, 0, func() *detect.Signal { s := login(401, a1, "ann"); s.Login = false; return s }),
		)},
		{"its own settings", detect.AuthFailuresSettings{Limit: detect.Limit{Threshold: 2, Window: time.Minute, Quiet: time.Second}, Distinct: 2}, then(
			times(1, 0, fails(a1, "ann")), times(1, time.Minute, fails(a1, "ann")), step{0, fails(a1, "bob"), "address " + a1 + ";"},
			step{0, fails(a1, "ann"), annAt1}, times(1, time.Second, fails(a1, "ann")), step{0, fails(a1, "ann"), annAt1},
		)},
	} {
		t.Run(tt.name, func(t *testing.T) { run(t, detect.NewAuthFailures(tt.s), tt.steps) })
	}
}

// prefixes compares them as they are.
func prefixes() cmp.Option { return cmp.Comparer(func(a, b netip.Prefix) bool { return a == b }) }

// A finding says what an analyst wants to know, and names nobody.
func TestEvidence(t *testing.T) {
	d := detect.NewAuthFailures(detect.AuthFailuresSettings{})
	var found []detect.Finding
	for _, u := range []string{"ann", "bob", "cy", "bob", ""} {
		s := login(401, a1, u)
		if u == "" {
			s = login(401, a1)
		}
		found = append(found, d.See(s)...)
	}
	want := []detect.Finding{{
		Target: detect.TargetAddress, Address: ip(a1), Count: 5, Threshold: 5, Window: 15 * time.Minute,
		Evidence: [][2]string{{"usernames", "4"}, {"signed_in", "0"}, {"route", "login"}},
	}}
	if diff := cmp.Diff(want, found, prefixes()); diff != "" {
		t.Error(diff)
	}
}

func suspicious(addr string, s ...middleware.Suspicion) func() *detect.Signal {
	return func() *detect.Signal {
		return &detect.Signal{Time: time.Now(), Address: ip(addr), Route: "api", Method: "GET", Status: 401, Code: middleware.TokenInvalid, Suspicions: s}
	}
}

func TestTokenFailures(t *testing.T) {
	bad := suspicious(a1, middleware.BadSignature)
	for _, tt := range []struct {
		name  string
		l     detect.Limit
		steps []step
	}{
		{"ten in 299 s", detect.Limit{}, then(times(9, 0, bad), step{299 * time.Second, bad, "address " + a1 + ";"})},
		{"ten in 301 s", detect.Limit{}, then(times(9, 0, bad), step{301 * time.Second, bad, ""})},
		{"of all kinds", detect.Limit{Threshold: 3}, then(
			times(1, 0, bad), times(1, 0, suspicious(a1, middleware.UnknownKey)), times(5, 0, suspicious(a2, middleware.UnknownKey))[:2],
			step{0, suspicious(a1, middleware.ForgedHeader), "address " + a1 + ";"},
		)},
		{"one token is one", detect.Limit{Threshold: 3}, then(
			times(2, 0, suspicious(a1, middleware.ForgedHeader, middleware.BadSignature)), step{0, bad, "address " + a1 + ";"},
		)},
		{"neither expired tokens nor what others count", detect.Limit{Threshold: 1}, then(
			times(20, 0, func() *detect.Signal {
				return &detect.Signal{Time: time.Now(), Address: ip(a1), Status: 401, Code: middleware.TokenExpired}
			}),
			times(20, 0, suspicious(a1, middleware.IdentityHeader, middleware.AlgorithmGame)),
		)},
	} {
		t.Run(tt.name, func(t *testing.T) { run(t, detect.NewTokenFailures(tt.l), tt.steps) })
	}
}

func TestCredentialStuffing(t *testing.T) {
	user := func(i int) string { return fmt.Sprint("user", i) }
	many := func(from, to int, every time.Duration) (steps []step) {
		for i := from; i < to; i++ {
			steps = append(steps, times(1, every, fails(a1, user(i)))...)
		}
		return steps
	}
	for _, tt := range []struct {
		name  string
		steps []step
	}{
		{"ten names", then(many(0, 9, 0), step{899 * time.Second, fails(a1, user(9)), "address " + a1 + ";"})},
		{"ten names in 901 s", then(many(0, 9, 0), step{901 * time.Second, fails(a1, user(9)), ""})},
		{"one name, often", then(many(0, 9, 0), times(50, 0, fails(a1, user(3))), times(9, 0, fails(a2, user(9))), step{0, fails(a1, user(9)), "address " + a1 + ";"})},
		{"the newest failure of a name counts", then(
			many(0, 9, 0), times(1, 10*time.Minute, fails(a1, user(0))), many(1, 9, 0), step{10 * time.Minute, fails(a1, user(9)), "address " + a1 + ";"},
		)},
		{"who signs in after all", then(
			many(0, 9, 0), times(1, 0, enters(a1, user(4))), many(9, 10, 0), times(1, 0, enters(a1, user(20))), step{0, fails(a1, user(10)), "address " + a1 + ";"},
		)},
		{"nobody's name is none", then(many(0, 9, 0), times(5, 0, fails(a1)), step{0, fails(a1, user(9)), "address " + a1 + ";"})},
		{"then anew", then(many(0, 9, 0), step{0, fails(a1, user(9)), "address " + a1 + ";"}, many(0, 20, 0),
			times(1, 15*time.Minute, fails(a1, user(0))), many(1, 9, 0), step{0, fails(a1, user(9)), "address " + a1 + ";"})},
	} {
		t.Run(tt.name, func(t *testing.T) { run(t, detect.NewCredentialStuffing(detect.Limit{}), tt.steps) })
	}
}

func answered(status int, code middleware.Code, addr, subject string) func() *detect.Signal {
	return func() *detect.Signal {
		s := &detect.Signal{Time: time.Now(), Address: ip(addr), Route: "api", Method: "GET", Status: status, Code: code}
		if subject != "" {
			s.Subject = detect.Subject{Issuer: "auth", ID: subject}
		}
		return s
	}
}

func TestAPIAbuse(t *testing.T) {
	missing := answered(404, "", a1, "ann")
	for _, tt := range []struct {
		name  string
		steps []step
	}{
		{"fifty in 299 s", then(times(49, 0, missing), step{299 * time.Second, missing, "subject ann;"})},
		{"fifty in 301 s", then(times(49, 0, missing), step{301 * time.Second, missing, ""})},
		{"a subject wherever from", then(times(49, 0, missing), step{0, answered(403, middleware.Forbidden, a2, "ann"), "subject ann;"})},
		{"subjects of one address", then(times(49, 0, missing), times(49, 0, answered(404, "", a1, "bob")), times(49, 0, answered(404, "", a1, "")),
			step{0, answered(429, middleware.RateLimited, a1, ""), "address " + a1 + ";"})},
		{"a good answer is none", then(times(200, 0, answered(200, "", a1, "ann")), times(200, 0, answered(503, "", a1, "ann")), times(200, 0, answered(304, "", a1, "ann")))},
	} {
		t.Run(tt.name, func(t *testing.T) { run(t, detect.NewAPIAbuse(detect.Limit{}), tt.steps) })
	}
}

// A browser tab that polls does not block itself, and neither do those whom an
// operator's order keeps out, nor an office in which somebody forgot a password.
func TestAPIAbuseSpares(t *testing.T) {
	spared := map[middleware.Code]bool{
		middleware.TokenMissing: true, middleware.TokenExpired: true, middleware.SessionIdle: true, middleware.SessionExpired: true,
		middleware.SessionRevoked: true, middleware.StepUpRequired: true, middleware.LockedDown: true, middleware.AddressBlocked: true,
	}
	for _, c := range middleware.Codes() {
		if c.Status/100 != 4 {
			continue
		}
		found := 0
		d := detect.NewAPIAbuse(detect.Limit{})
		for range 50 {
			found += len(d.See(answered(c.Status, c.Code, a1, "")()))
		}
		if (found == 0) != spared[c.Code] {
			t.Errorf("%s: %d findings", c.Code, found)
		}
	}
	run(t, detect.NewAPIAbuse(detect.Limit{}), then(times(200, 0, fails(a1, "ann"))))
}

func TestEscalation(t *testing.T) {
	own := detect.Escalation{Steps: []time.Duration{time.Minute, time.Hour}}
	for _, tt := range []struct {
		e     detect.Escalation
		level int
		want  time.Duration
	}{
		{detect.Escalation{}, 0, time.Hour},
		{detect.Escalation{}, 1, time.Hour},
		{detect.Escalation{}, 2, 4 * time.Hour},
		{detect.Escalation{}, 3, 24 * time.Hour},
		{detect.Escalation{}, 99, 24 * time.Hour},
		{own, 1, time.Minute},
		{own, 3, time.Hour},
	} {
		if got := tt.e.For(tt.level); got != tt.want {
			t.Errorf("%v: level %d: %s, want %s", tt.e, tt.level, got, tt.want)
		}
	}
}
