package middleware

import (
	"net/http"
	"testing"
)

func TestAddVary(t *testing.T) {
	for _, tt := range []struct{ have, want string }{
		{"", "Authorization, Cookie"},
		{"*", "*"},
		{"cookie", "cookie, Authorization"},
		{"Authorization,Cookie", "Authorization,Cookie"},
	} {
		h := http.Header{}
		if tt.have != "" {
			h.Set("Vary", tt.have)
		}
		AddVary(h, "Authorization", "Cookie")
		if got := h.Get("Vary"); got != tt.want {
			t.Errorf("%q: got %q, want %q", tt.have, got, tt.want)
		}
	}
}

func TestValidName(t *testing.T) {
	for s, want := range map[string]bool{
		"": false, "X-A": true, "x_a.b!#$%&'*+^`|~9": true, "X A": false, "X-A ": false, "X:A": false,
		"X\r\nA": false, "X\x00": false, "X\x7f": false, "Ä": false, `X"`: false, "X(": false,
	} {
		if got := ValidName(s); got != want {
			t.Errorf("%q: got %v", s, got)
		}
	}
}

func TestValidValue(t *testing.T) {
	for s, want := range map[string]bool{
		"": true, "a b\tc": true, "é\xff": true, "a\r\nb": false, "a\nb": false, "a\rb": false, "a\x00": false, "\x1b[0m": false, "\x7f": false,
	} {
		if got := ValidValue(s); got != want {
			t.Errorf("%q: got %v", s, got)
		}
	}
}
