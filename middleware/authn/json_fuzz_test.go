package authn

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

// FuzzClaims compares our reader of JSON with the standard library's.
func FuzzClaims(f *testing.F) {
	for _, s := range []string{
		`{}`, ` { "a" : [ 1 , -2.50e+3 , "x" , null , true , false , { } , [ ] ] } `, `{"a":{"b":{"a":1}},"b":2}`,
		`{"a":1,"\u0061":2}`, `{"a":"\"\\\/\b\f\n\r\t\u00e9\ud83d\ude00"}`, `{"a":"\ud83d"}`, `{"a":"\ude00"}`, `{"a":"\ud83d\ud83d\ude00"}`,
		`{"a":0,"b":-0,"c":1e-400,"d":1e400,"e":0.0}`, `{"a":01}`, `{"a":1}{}`, "{\"a\":\"\xff\"}", "\ufeff{}", `[]`, `null`, `{"a":[[[[[[[[[[[[[[[[]]]]]]]]]]]]]]]]}`,
		`{"a":12345678901234567890123456789012345678901234567890123456789012345}`, `{"a":"\\u"}`, "{\"a\":\"\x1f\"}", "{\"a\":\"\x7f\u2028\"}",
	} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		got, err := Claims(data)
		want, wantErr := oracle(data)
		if (err == nil) != (wantErr == nil) {
			t.Fatalf("%q: %v, the standard library %v", data, err, wantErr)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Fatalf("%q (-want +got):\n%s", data, diff)
		}
	})
}
