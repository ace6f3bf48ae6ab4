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

func TestEncoded(t *testing.T) {
	for value, want := range map[string]bool{"gzip": true, "identity": false, " Identity ": false, "": true, "identity, br": true} {
		if got := Encoded(http.Header{"Content-Encoding": {value}}); got != want {
			t.Errorf("%q: %v", value, got)
		}
	}
	if Encoded(http.Header{}) || !Encoded(http.Header{"Content-Encoding": {"identity", "br"}}) {
		t.Error("each of several counts, and none is none")
	}
}

func TestIsUTF8(t *testing.T) {
	for charset, want := range map[string]bool{"": true, "UTF-8": true, "utf8": true, "US-ASCII": true, "utf-7": false, "utf-16": false, "latin1": false} {
		if got := IsUTF8(charset); got != want {
			t.Errorf("%q: %v", charset, got)
		}
	}
}
