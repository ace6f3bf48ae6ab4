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
