package redact

import (
	"encoding/json"
	"strings"
	"testing"
)

// ring makes a keyring whose secrets are named after their ids.
func ring(t *testing.T, primary string, ids ...string) *Keyring {
	t.Helper()
	secrets := map[string]string{}
	for _, id := range ids {
		secrets[id] = strings.Repeat("the secret of "+id+" ", 3)
	}
	k, err := NewKeyring(primary, secrets)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

// TestRotation follows one field through the change of the primary key: k1 at
// first, then k2 beside it, then k2 alone.
func TestRotation(t *testing.T) {
	first, both, second := ring(t, "k1", "k1"), ring(t, "k2", "k1", "k2"), ring(t, "k2", "k2")
	answer := func(keys *Keyring) (out struct {
		SSN  string
		Pay  string
		Mail string
	},
	) {
		t.Helper()
		plan, err := Compile(Spec{Rules: rules(t, "$.ssn tokenize", "$.pay tokenize", "$.mail hash")}, Options{Keys: keys, Tenant: "acme"})
		if err != nil {
			t.Fatal(err)
		}
		got, _, err := appendBoth(t, nil, []byte(`{"ssn":"123-45-6789","pay":5.20e3,"mail":"ann@example.com"}`), plan, Limits{})
		if err == nil {
			err = json.Unmarshal(got, &out)
		}
		if err != nil {
			t.Fatal(err)
		}
		return out
	}
	old, moved, alone := answer(first), answer(both), answer(second)
	if moved != alone {
		t.Errorf("the key that is not primary matters: %+v and %+v", moved, alone)
	}
	for _, v := range []string{old.SSN, old.Pay, old.Mail} {
		if !strings.HasPrefix(v[1:], "k1_") {
			t.Errorf("%s does not say k1", v)
		}
	}
	for _, v := range []string{moved.SSN, moved.Pay, moved.Mail} {
		if !strings.HasPrefix(v[1:], "k2_") {
			t.Errorf("%s does not say k2", v)
		}
	}
	if again := answer(both); again != moved {
		t.Errorf("the same answer is masked as %+v and as %+v", moved, again)
	}
	if old.Mail[len("hk1_"):] == moved.Mail[len("hk2_"):] {
		t.Error("the hash is the same under both keys")
	}

	for _, tt := range []struct {
		name         string
		keys         *Keyring
		field, token string
		want         string // or, after "!", what the error says
	}{
		{"old", both, "ssn", old.SSN, `"123-45-6789"`},
		{"old number, in its spelling", both, "pay", old.Pay, `5.20e3`},
		{"new", both, "ssn", moved.SSN, `"123-45-6789"`},
		{"new number", both, "pay", moved.Pay, `5.20e3`},
		{"old, before", first, "ssn", old.SSN, `"123-45-6789"`},
		{"new, with k1 retired", second, "ssn", moved.SSN, `"123-45-6789"`},
		{"old, with k1 retired", second, "ssn", old.SSN, `!key "k1" is not among the keys`},
		{"new, before k2 is there", first, "ssn", moved.SSN, `!key "k2" is not among the keys`},
		{"old, said to be new", both, "ssn", "tk2_" + old.SSN[len("tk1_"):], "!token of another"},
		{"another secret under the same id", testKeys(t, "k1"), "ssn", old.SSN, "!token of another"},
		{"another field", both, "pay", old.SSN, "!token of another"},
		{"hash", both, "mail", old.Mail, "!not a token"},
		{"no key at all", nil, "ssn", old.SSN, "!is not among the keys"},
		{"an empty id", both, "ssn", "t_" + old.SSN[len("tk1_"):], `!key "" is not among the keys`},
	} {
		got, err := tt.keys.Detokenize("acme", tt.field, tt.token)
		reason, fails := strings.CutPrefix(tt.want, "!")
		switch {
		case fails && (err == nil || !strings.Contains(err.Error(), reason) || got != nil):
			t.Errorf("%s: %s, %v; want the error %q", tt.name, got, err, reason)
		case !fails && (err != nil || string(got) != tt.want):
			t.Errorf("%s: %s, %v; want %s", tt.name, got, err, tt.want)
		case err != nil && strings.Contains(err.Error(), tt.token):
			t.Errorf("%s: the error tells the token", tt.name)
		}
		if _, err := tt.keys.Detokenize("globex", tt.field, tt.token); err == nil {
			t.Errorf("%s: another tenant may have it", tt.name)
		}
	}
}
