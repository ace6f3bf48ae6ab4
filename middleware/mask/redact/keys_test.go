package redact

import (
	"strings"
	"testing"
)

func testKeys(t testing.TB, primary string) *Keyring {
	t.Helper()
	k, err := NewKeyring(primary, map[string]string{
		"k1": strings.Repeat("first secret ", 4), "k2": strings.Repeat("second secret ", 4),
	})
	if err != nil {
		t.Fatal(err)
	}
	return k
}

func maskOne(t testing.TB, keys *Keyring, tenant, path string, a Action, value string) string {
	t.Helper()
	p, err := Compile(Spec{Rules: []Rule{{Path: path, Action: a}}}, Options{Keys: keys, Tenant: tenant})
	if err != nil {
		t.Fatal(err)
	}
	out, _, err := appendBoth(t, nil, []byte(`{"v":`+value+`}`), p, Limits{})
	if err != nil {
		t.Fatal(err)
	}
	return strings.TrimSuffix(strings.TrimPrefix(string(out), `{"v":`), "}")
}

func TestNewKeyring(t *testing.T) {
	long := strings.Repeat("x", 32)
	tests := []struct {
		name, primary string
		secrets       map[string]string
		ok            bool
	}{
		{"none", "", nil, true},
		{"one", "", map[string]string{"a": long}, true},
		{"several", "b", map[string]string{"a": long, "b": long}, true},
		{"several without primary", "", map[string]string{"a": long, "b": long}, false},
		{"primary unknown", "c", map[string]string{"a": long}, false},
		{"primary without keys", "c", nil, false},
		{"short", "", map[string]string{"a": long[1:]}, false},
		{"underscore", "", map[string]string{"a_b": long}, false},
		{"empty id", "", map[string]string{"": long}, false},
	}
	for _, tt := range tests {
		if _, err := NewKeyring(tt.primary, tt.secrets); (err == nil) != tt.ok {
			t.Errorf("%s: %v", tt.name, err)
		}
	}
	for _, a := range []Action{Hash, Tokenize} {
		if _, err := Compile(Spec{Rules: []Rule{{Path: "$.a", Action: a}}}, Options{}); err == nil {
			t.Errorf("%v compiled without a key", a)
		}
	}
}

func TestHash(t *testing.T) {
	k := testKeys(t, "k1")
	base := maskOne(t, k, "t1", "$.v", Hash, `"1"`)
	if !strings.HasPrefix(base, `"hk1_`) || len(base) != len(`"hk1_"`)+22 {
		t.Errorf("hash is %s", base)
	}
	same := []string{
		maskOne(t, k, "t1", "$..V", Hash, `"\u0031"`),
		maskOne(t, k, "t1", "$.v[*]", Hash, `"1"`),
	}
	for _, s := range same {
		if s != base {
			t.Errorf("%s and %s differ", s, base)
		}
	}
	different := map[string]string{
		"type":   maskOne(t, k, "t1", "$.v", Hash, `1`),
		"tenant": maskOne(t, k, "t2", "$.v", Hash, `"1"`),
		"class":  maskOne(t, k, "t1", "$.*", Hash, `"1"`),
		"key":    maskOne(t, testKeys(t, "k2"), "t1", "$.v", Hash, `"1"`),
		"value":  maskOne(t, k, "t1", "$.v", Hash, `"2"`),
	}
	for what, s := range different {
		if s[5:] == base[5:] {
			t.Errorf("another %s has the same hash", what)
		}
	}
	if a, b := maskOne(t, k, "t1", "$.v", Hash, `1.50e1`), maskOne(t, k, "t1", "$.v", Hash, `15`); a != b {
		t.Errorf("15 in two spellings: %s and %s", a, b)
	}
	for in, want := range map[string]string{`null`: `null`, `true`: `"***"`, `"\ud800"`: `"***"`} {
		if got := maskOne(t, k, "t1", "$.v", Hash, in); got != want {
			t.Errorf("hash of %s is %s, want %s", in, got, want)
		}
	}
}

func TestTokenize(t *testing.T) {
	old, ring := testKeys(t, "k1"), testKeys(t, "k2")
	for in, want := range map[string]string{
		`"O\u0027Neil \"x\" €"`: `"O'Neil \"x\" €"`, `1.50e1`: `1.50e1`, `""`: `""`, `"\u0080"`: "\"\u0080\"",
	} {
		token := maskOne(t, old, "t1", "$.v", Tokenize, in)
		got, err := ring.Detokenize("t1", "V", strings.Trim(token, `"`))
		if err != nil || string(got) != want {
			t.Errorf("%s: got %s, %v; want %s", in, got, err, want)
		}
	}
	token := strings.Trim(maskOne(t, old, "t1", "$.v", Tokenize, `"abc"`), `"`)
	if again := strings.Trim(maskOne(t, old, "t1", "$.v", Tokenize, `"abc"`), `"`); again != token {
		t.Error("equal values have different tokens")
	}
	if longer := strings.Trim(maskOne(t, old, "t1", "$.v", Tokenize, `"abcdefgh"`), `"`); len(longer) != len(token) {
		t.Error("the token tells the length of a short value")
	}
	last := token[:len(token)-2] + "AA"
	for _, bad := range []struct{ name, tenant, field, token string }{
		{"tenant", "t2", "v", token},
		{"field", "t1", "w", token},
		{"key", "t1", "v", strings.Replace(token, "tk1_", "tk2_", 1)},
		{"unknown key", "t1", "v", strings.Replace(token, "tk1_", "tk3_", 1)},
		{"bytes", "t1", "v", last},
		{"prefix", "t1", "v", "x" + token[1:]},
		{"short", "t1", "v", "tk1_AAAA"},
	} {
		if got, err := ring.Detokenize(bad.tenant, bad.field, bad.token); err == nil {
			t.Errorf("another %s: detokenized to %s", bad.name, got)
		}
	}
}

func TestPartialAndGeneralize(t *testing.T) {
	tests := []struct {
		action   Action
		in, want string
	}{
		{Partial, `"12345678"`, `"****5678"`},
		{Partial, `"123456789012345"`, `"****2345"`},
		{Partial, `"1234567"`, `"***"`},
		{Partial, `"ééééabcé"`, `"****abcé"`},
		{Partial, `"1234\"\\\n\u0001"`, `"****\"\\\u000a\u0001"`},
		{Partial, `"ada@example.com"`, `"a***@example.com"`},
		{Partial, `"é@x.org"`, `"é***@x.org"`},
		{Partial, `"a@b"`, `"***"`},
		{Partial, `"@example.com"`, `"****.com"`},
		{Partial, `"a@b@example.com"`, `"****.com"`},
		{Partial, `4111111111111111`, `"****1111"`},
		{Partial, `1234567`, `"***"`},
		{Partial, `-12345678`, `"***"`},
		{Partial, `true`, `"***"`},
		{Partial, `null`, `null`},
		{Partial, `"\ud8001234567"`, `"***"`},
		{Generalize, `"1990-05-17"`, `"1990"`},
		{Generalize, `"1990-05-17T10:00:00Z"`, `"1990"`},
		{Generalize, `"1990-05"`, `"1990"`},
		{Generalize, `"1990"`, `"1990"`},
		{Generalize, `"1234-5678-9012-3456"`, `"***"`},
		{Generalize, `"1990-13-01"`, `"***"`},
		{Generalize, `"1990-00"`, `"***"`},
		{Generalize, `"17.05.1990"`, `"***"`},
		{Generalize, `52345.67`, `52000`},
		{Generalize, `5.2e4`, `52000`},
		{Generalize, `-1`, `-1000`},
		{Generalize, `-0.0`, `0`},
		{Generalize, `999`, `0`},
		{Generalize, `999999999999999`, `999999999999000`},
		{Generalize, `1e15`, `"***"`},
		{Generalize, `1e-9999999999`, `"***"`},
		{Generalize, `1e99999999999999999999`, `"***"`},
		{Generalize, `false`, `"***"`},
	}
	for _, tt := range tests {
		got := maskOne(t, nil, "", "$.v", tt.action, tt.in)
		if got != tt.want {
			t.Errorf("%v of %s is %s, want %s", tt.action, tt.in, got, tt.want)
		}
		if again := maskOne(t, nil, "", "$.v", tt.action, got); again != got {
			t.Errorf("%v of %s is %s", tt.action, got, again)
		}
	}
	p := compile(t, Spec{Rules: []Rule{{Path: "$", Action: Generalize, Bucket: 0.1}}})
	if got, _, _ := appendBoth(t, nil, []byte(`0.3`), p, Limits{}); string(got) != "0.3" {
		t.Errorf("0.3 in buckets of 0.1 is %s", got)
	}
}
