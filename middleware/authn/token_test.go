package authn

import (
	"encoding/base64"
	"testing"
)

// Every byte string has one spelling, and segment reads that alone.
func TestSegment(t *testing.T) {
	strict := base64.RawURLEncoding.Strict()
	const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_=+/ \r\n.\x00\xc3"
	read := 0
	for _, head := range []string{"", "A", "_-", "AQI", "AQID"} {
		for i := range len(alphabet) {
			s := head + alphabet[i:i+1]
			want, wantErr := strict.DecodeString(s)
			if b64(want) != s {
				wantErr = base64.CorruptInputError(0) // line breaks were skipped
			}
			got, err := segment(s)
			if (err == nil) != (wantErr == nil) || err == nil && string(got) != string(want) {
				t.Errorf("%q: %q, %v; want %q, %v", s, got, err, want, wantErr)
			}
			if err == nil {
				read++
			}
		}
	}
	if want := 4 + 16 + 64; read != want {
		t.Errorf("%d were read, want %d", read, want)
	}
}
