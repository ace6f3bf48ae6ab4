package orders

import (
	"net/netip"
	"strings"
	"testing"
	"time"
)

// alice is the digest of a username.
const alice = "0123456789abcdef0123456789abcdef"

// blockRecords are some as Redis and the file have them.
var blockRecords = []string{
	`{"order":{"id":"K","kind":"block","address":"203.0.113.0/24","at":"2026-01-01T00:00:00Z"}}`,
	`{"order":{"id":"L","kind":"block","address":"2001:db8::/64","user":"` + alice + `","detector":"auth_failures","level":2,"ends":"2026-01-01T01:00:00Z","by":"guard","at":"2026-01-01T00:00:00Z","until":"2026-01-02T00:00:00Z"}}`,
	`{"order":{"id":"M","kind":"block","issuer":"a","subject":"u","action":"step_up","at":"2026-01-01T00:00:00Z"}}`,
}

func network(t testing.TB, text string) netip.Prefix {
	t.Helper()
	p, err := Network(text)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func TestNetwork(t *testing.T) {
	for text, want := range map[string]string{
		"203.0.113.7":           "203.0.113.7/32",
		"203.0.113.7/24":        "203.0.113.0/24",
		"2001:DB8::7":           "2001:db8::7/128",
		"2001:db8::7/64":        "2001:db8::/64",
		"::ffff:203.0.113.7":    "203.0.113.7/32",
		"::ffff:1.2.3.0/120":    "1.2.3.0/24",
		"::ffff:1.2.3.4/96":     "0.0.0.0/0", // too wide, which Check says
		"0.0.0.0/0":             "0.0.0.0/0",
		"::/0":                  "::/0",
		"::ffff:1.2.3.0/95":     "",
		"::ffff:1.2.3.0/0":      "",
		"fe80::1%eth0":          "",
		"fe80::1%eth0/64":       "",
		"::ffff:1.2.3.4%1":      "",
		"203.0.113.7/33":        "",
		"203.0.113.007":         "",
		"203.0.113":             "",
		"203.0.113.7/":          "",
		"203.0.113.7/24/24":     "",
		" 203.0.113.7":          "",
		"example.com":           "",
		"":                      "",
		"/":                     "",
		"203.0.113.7\n":         "",
		"203.0.113.7-203.0.114": "",
	} {
		p, err := Network(text)
		got := ""
		if err == nil {
			got = p.String()
		}
		if got != want {
			t.Errorf("%q: %q, want %q (%v)", text, got, want, err)
		}
	}
}

func TestCheckBlock(t *testing.T) {
	now := time.Now()
	address := network(t, "203.0.113.7")
	six := network(t, "2001:db8::/64")
	wide := func(text string) Order { return Order{Address: netip.MustParsePrefix(text)} }
	for _, tt := range []struct {
		name string
		o    Order
		want string // in the error; "" where it may be given
	}{
		{"address", Order{Address: address}, ""},
		{"address, the action by name", Order{Address: address, Action: ActionBlock}, ""},
		{"one of IPv6", Order{Address: network(t, "2001:db8::7")}, ""},
		{"loopback", Order{Address: network(t, "::1")}, ""},
		{"user", Order{Address: address, User: alice}, ""},
		{"user of IPv6", Order{Address: six, User: alice}, ""},
		{"subject", Order{Issuer: "a", Subject: "u"}, ""},
		{"subject, step-up", Order{Issuer: "a", Subject: "u", Action: ActionStepUp}, ""},
		{"by a detector", Order{Address: address, Detector: "auth_failures", Level: 1, Ends: now.Add(time.Hour)}, ""},
		{"remembered for a week", Order{Address: address, Ends: now.Add(time.Hour), Until: now.Add(7 * day)}, ""},
		{"widest", wide("10.0.0.0/8"), ""},
		{"widest of IPv6", wide("2001:db8::/32"), ""},
		{"a level beyond any", Order{Address: address, Detector: "d", Level: 1 << 40}, ""},

		{"nothing", Order{}, "names an address or a subject"},
		{"both", Order{Address: address, Issuer: "a", Subject: "u"}, "names an address or a subject"},
		{"subject of nobody", Order{Subject: "u"}, "go together"},
		{"issuer with an address", Order{Address: address, Issuer: "a"}, "go together"},
		{"issuer alone", Order{Issuer: "a"}, "names an address or a subject"},
		{"user of nowhere", Order{Issuer: "a", Subject: "u", User: alice}, "narrows a block of an address"},
		{"a name", Order{Address: address, User: "alice"}, "32 hexadecimal digits"},
		{"a digest in capitals", Order{Address: address, User: strings.ToUpper(alice)}, "32 hexadecimal digits"},
		{"user of one IPv6 address", Order{Address: network(t, "2001:db8::7"), User: alice}, "known by the /64"},
		{"another action", Order{Address: address, Action: "tarpit"}, "block or step_up"},
		{"step-up of an address", Order{Address: address, Action: ActionStepUp}, "cannot sign in"},
		{"level of nobody", Order{Address: address, Level: 1}, "go together"},
		{"detector without a level", Order{Address: address, Detector: "d"}, "go together"},
		{"negative level", Order{Address: address, Detector: "d", Level: -1}, "go together"},
		{"everybody", wide("0.0.0.0/0"), "shuts out too many"},
		{"everybody of IPv6", wide("::/0"), "shuts out too many"},
		{"half of everybody", wide("0.0.0.0/1"), "shuts out too many"},
		{"too wide", wide("10.0.0.0/7"), "/8 is the widest"},
		{"too wide, IPv6", wide("2001:db8::/31"), "/32 is the widest"},
		{"everybody, mapped", wide("::ffff:0.0.0.0/96"), "canonical"},
		{"mapped", wide("::ffff:1.2.3.0/120"), "canonical"},
		{"not masked", wide("203.0.113.7/24"), "canonical"},
		{"no network", Order{Address: netip.PrefixFrom(netip.MustParseAddr("203.0.113.7"), 33)}, "canonical"},
		{"ended", Order{Address: address, Ends: now.Add(-time.Hour)}, "less than 1s ahead"},
		{"ends at once", Order{Address: address, Ends: now.Add(time.Millisecond)}, "less than 1s ahead"},
		{"ends before it began", Order{Address: address, At: now.Add(4 * time.Minute), Ends: now.Add(time.Minute)}, "ends is not after at"},
		{"forgotten before it ends", Order{Address: address, Ends: now.Add(time.Hour), Until: now.Add(time.Minute)}, "until is before"},
		{"forgotten and no end", Order{Address: address, Until: now.Add(time.Hour)}, "until is before"},
		{"year", Order{Address: address, Ends: time.Date(10000, 1, 1, 0, 0, 0, 0, time.UTC)}, "years"},
		{"token", Order{Address: address, JTI: "j"}, "are for other orders"},
		{"tenant", Order{Address: address, Tenant: "t"}, "are for other orders"},
		{"roles", Order{Address: address, Roles: []string{"admin"}}, "are for other orders"},
		{"a line of its own", Order{Address: address, Reason: "\x1b[2Jall is well"}, "control character"},
		{"a detector's line", Order{Address: address, Detector: "a\nb", Level: 1}, "control character"},

		{"a lockdown of an address", Order{Kind: Lockdown, All: true, Address: address}, "are for blocks"},
		{"a revocation that ends", Order{Kind: Revocation, Tenant: "t", Ends: now.Add(time.Hour)}, "are for blocks"},
	} {
		if tt.o.Kind == "" {
			tt.o.Kind = Block
		}
		err := tt.o.Check()
		if got := ""; err != nil {
			got = err.Error()
			if tt.want == "" || !strings.Contains(got, tt.want) {
				t.Errorf("%s: %s, want %q", tt.name, got, tt.want)
			}
		} else if tt.want != "" {
			t.Errorf("%s: it may be given, want %q", tt.name, tt.want)
		}
	}
}

// Whoever writes to Redis may write anything. What could not be given is left out.
func TestDecodeBlock(t *testing.T) {
	for _, line := range blockRecords {
		if _, err := decode([]byte(line)); err != nil {
			t.Errorf("%s: %v", line, err)
		}
	}
	for about, want := range map[string]string{
		`"address":"0.0.0.0/0"`:                                                  "too many",
		`"address":"::/0"`:                                                       "too many",
		`"address":"::ffff:0.0.0.0/96"`:                                          "canonical",
		`"address":"203.0.113.7/24"`:                                             "canonical",
		`"address":"203.0.113.7"`:                                                "not the JSON of an order",
		`"address":"203.0.113.0/99"`:                                             "not the JSON of an order",
		`"address":"fe80::%eth0/64"`:                                             "not the JSON of an order",
		`"address":"203.0.113.0/24","user":"alice"`:                              "hexadecimal",
		`"address":"203.0.113.0/24","level":-1`:                                  "go together",
		`"address":"203.0.113.0/24","detector":"d","level":1001`:                 "level is more",
		`"address":"203.0.113.0/24","detector":"d","level":99999999999999999999`: "not the JSON of an order",
		`"address":"203.0.113.0/24","ends":"2026-01-01T01:00:00Z"`:               "forgotten one day",
		`"address":"203.0.113.0/24","ends":"2025-01-01T01:00:00Z","until":"2027-01-01T01:00:00Z"`: "not after at",
		`"address":"203.0.113.0/24","ends":"2026-01-01T01:00:00Z","until":"2026-01-01T00:30:00Z"`: "until is before",
		`"address":"203.0.113.0/24","curse":1`:                                                    "not the JSON of an order",
		`"subject":"u"`:                                                                           "go together",
	} {
		_, err := decode([]byte(`{"order":{"id":"A","kind":"block","at":"2026-01-01T00:00:00Z",` + about + `}}`))
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", about, err, want)
		}
	}
}
