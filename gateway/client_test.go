package gateway

import (
	"crypto/tls"
	"testing"
)

func TestTLSVersion(t *testing.T) {
	for want, s := range map[string]*tls.ConnectionState{"": nil, "1.2": {Version: tls.VersionTLS12}, "1.3": {Version: tls.VersionTLS13}} {
		if got := tlsVersion(s); got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}

func TestNewID(t *testing.T) {
	a, b := newID(), newID()
	if a == b || len(a) != 32 {
		t.Errorf("%q, %q", a, b)
	}
}
