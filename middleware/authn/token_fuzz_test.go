package authn

import (
	"encoding/json"
	"maps"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/gatehouse-dev/gatehouse/config"
)

// FuzzToken reads what strangers send. What is accepted has one spelling, which
// is what was sent, and the standard library reads the same claims in it; and
// nothing that was not signed gets any further.
func FuzzToken(f *testing.F) {
	good := encode(f, goodClaims())
	for _, header := range []string{k1, `{"alg":"none"}`, `{"alg":"HS256","typ":"at+jwt"}`, `{"alg":"RS256","kid":"k1","crit":["x"]}`, `{"alg":"RS256","alg":"none"}`, `{"alg":"RS256","typ":"application/JWT","cty":"x"}`, `{"alg":"\u0052S256"}`} {
		for _, payload := range []string{good, `{}`, `{"a":1,"a":2}`, `{"a":"\ud83d\ude00","b":[1e3,-0.5,null,true,{"c":""}]}`, `{"exp":1e400}`} {
			f.Add(b64([]byte(header)) + "." + b64([]byte(payload)) + ".AAAA")
		}
	}
	f.Add(b64([]byte(k1)) + "." + b64([]byte(good)) + ".")
	f.Add(b64([]byte(k1)) + "." + b64([]byte(good)) + ".AB")
	f.Add(b64([]byte(k1)) + "=." + b64([]byte(good)) + ".AAAA")
	f.Add("a.b.c")
	issuer := openIssuer(f, "auth", issuerConfig(func(i *config.Issuer) {
		i.Algorithms, i.Secret = []string{"HS256"}, "0123456789abcdef0123456789abcdef"
	}))
	s := New(route(true, "auth"), map[string]*Issuer{"auth": issuer}, nil).(*Stage)
	f.Fuzz(func(t *testing.T, raw string) {
		parsed, err := parse(raw)
		if err != nil {
			return
		}
		parts := strings.Split(raw, ".")
		header, payload, sig := decoded(t, parts[0]), decoded(t, parts[1]), decoded(t, parts[2])
		if again := b64(header) + "." + b64(payload) + "." + b64(sig); again != raw {
			t.Errorf("%q is another spelling of %q", raw, again)
		}
		if string(parsed.signed) != parts[0]+"."+parts[1] || string(parsed.signature) != string(sig) {
			t.Errorf("%q: signed is %q, signature %q", raw, parsed.signed, parsed.signature)
		}
		if claims, err := claimsOf(parsed.payload); err == nil {
			if want := standard(t, payload); !reflect.DeepEqual(claims, want) {
				t.Errorf("%q is read as %v, by others as %v", payload, claims, want)
			}
			iss, _ := claims["iss"].(string)
			if peeked, err := member(parsed.payload, "iss"); err != nil && iss != "" || peeked != iss {
				t.Errorf("the issuer of %q is %q, and was taken for %q, %v", payload, iss, peeked, err)
			}
		}
		h := standard(t, header)
		if kid, _ := h["kid"].(string); h["alg"] != parsed.alg || kid != parsed.kid {
			t.Errorf("%q is read as %+v", header, parsed)
		}
		for _, n := range slices.Sorted(maps.Keys(h)) {
			if slices.Contains([]string{"crit", "b64", "jku", "jwk", "x5u", "x5c", "enc", "zip"}, n) {
				t.Errorf("a header with %s was taken", n)
			}
		}
		if v, err := s.verify(t.Context(), raw, time.Now()); err == nil {
			t.Errorf("%q is believed: %+v", raw, v)
		}
	})
}

// decoded decodes a segment that was accepted.
func decoded(t *testing.T, s string) []byte {
	b, err := segment(s)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// standard reads JSON as the standard library does.
func standard(t *testing.T, data []byte) (out map[string]any) {
	d := json.NewDecoder(strings.NewReader(string(data)))
	d.UseNumber()
	if err := d.Decode(&out); err != nil || !json.Valid(data) {
		t.Errorf("%q was taken: %v", data, err)
	}
	return out
}
