package authn

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/gatehouse-dev/gatehouse/middleware/middlewaretest"
)

// garbage are tokens as long as any that is read, of a key and an issuer that
// are known, which nobody has signed: by what they are full of.
func garbage() map[string]string {
	const most = 6000
	fill := func(before, unit, after string) string {
		n := (most - len(before) - len(after)) / len(unit)
		return before + strings.TrimSuffix(strings.Repeat(unit, n), ",") + after
	}
	const issuer, header = `{"iss":"https://auth.example.com","a":`, `{"alg":"RS256","kid":"k1"`
	var names strings.Builder
	for i := 0; names.Len() < most-60; i++ {
		fmt.Fprintf(&names, `"%d":0,`, i)
	}
	out := map[string]string{
		"base64":     strings.Repeat("A", maxToken/3-1) + "." + strings.Repeat("A", maxToken/3-1) + "." + strings.Repeat("A", maxToken/3-1),
		"the header": b64([]byte(fill(header+`,"a":[`, `{"":0},`, `]}`))) + "." + b64([]byte(issuer+`0}`)) + ".AAAA",
	}
	for name, payload := range map[string]string{
		"objects":       fill(issuer+`[`, `{"":0},`, `]}`),
		"arrays":        fill(issuer+`[`, `[0],`, `]}`),
		"deep objects":  fill(issuer+`[`, strings.Repeat(`{"":`, 13)+`{}`+strings.Repeat("}", 13)+",", `]}`),
		"deep arrays":   fill(issuer+`[`, strings.Repeat("[", 14)+strings.Repeat("]", 14)+",", `]}`),
		"open arrays":   fill(issuer, "[", ""),
		"numbers":       fill(issuer+`[`, `0,`, `]}`),
		"escapes":       fill(issuer+`"`, `\n`, `"}`),
		"escaped texts": fill(issuer+`[`, `"\n",`, `]}`),
		"members":       `{` + names.String() + `"iss":"https://auth.example.com"}`,
	} {
		out[name] = b64([]byte(header+"}")) + "." + b64([]byte(payload)) + ".AAAA"
	}
	return out
}

// What a stranger makes up costs as little to refuse as what he signs wrong.
func TestGarbageIsNotBuilt(t *testing.T) {
	s := benchStage(t)
	for name, raw := range garbage() {
		if len(raw) > maxToken || len(raw) < maxToken*9/10 {
			t.Errorf("%s: %d bytes", name, len(raw))
		}
		x := middlewaretest.Exchange(t, "GET", "https://api.example.com/", nil)
		x.Request.Header.Set("Authorization", "Bearer "+raw)
		if n := testing.AllocsPerRun(10, func() {
			if _, err := s.Handle(x, nil); err == nil || errors.Is(err, errLong) {
				t.Errorf("%s: %v", name, err)
			}
		}); n > 250 {
			t.Errorf("%s: %v allocations", name, n)
		}
	}
}

func BenchmarkGarbage(b *testing.B) {
	s := benchStage(b)
	for name, raw := range garbage() {
		b.Run(name, func(b *testing.B) {
			x := middlewaretest.Exchange(b, "GET", "https://api.example.com/", nil)
			x.Request.Header.Set("Authorization", "Bearer "+raw)
			b.ReportAllocs()
			for b.Loop() {
				if _, err := s.Handle(x, nil); err == nil {
					b.Fatal("served")
				}
			}
		})
	}
}

// What is found without reading all is what is found by reading all.
func TestMember(t *testing.T) {
	for _, tt := range []struct {
		text, want string
		fails      bool
	}{
		{`{"iss":"a"}`, "a", false},
		{" {\n\"x\" : [ { \"iss\":\"b\" } ] , \"iss\" :\t\"a\"}", "a", false},
		{`{"x":"iss","iss":"a"}`, "a", false},
		{`{"x":"iss\":\"b\"","iss":"a"}`, "a", false},
		{`{"x":"\\","iss":"a"}`, "a", false},
		{`{"is":"b","isss":"b","iss":"a"}`, "a", false},
		{`{"\u0069s\u0073":"a"}`, "a", false},
		{`{"iss":"https:\/\/a"}`, "https://a", false},
		{`{"iss":""}`, "", false},
		{`{"iss":7}`, "", false},
		{`{"iss":null}`, "", false},
		{`{"x":{"iss":"a"}}`, "", false},
		{`{}`, "", false},
		{`["iss","a"]`, "", true},
		{`"iss"`, "", true},
		{``, "", true},
		{`{`, "", true},
		{`{"iss`, "", true},
		{`{"iss\`, "", true},
		{`{"iss":"a`, "", true},
		{`{"iss":"\`, "", true},
		{`{"x":[[[[`, "", true},
	} {
		got, err := member(tt.text, "iss")
		if got != tt.want || (err != nil) != tt.fails {
			t.Errorf("%s: %q, %v", tt.text, got, err)
		}
		claims, err := Claims([]byte(tt.text))
		if whole, _ := claims["iss"].(string); err == nil && whole != got {
			t.Errorf("%s: %q, and read whole %q", tt.text, got, whole)
		}
	}
}
