package edge

import (
	"net/http"
	"net/textproto"
	"testing"
)

func TestStrip(t *testing.T) {
	s := newStrip([]string{"X-User-*", "x-role", "x-tenant-*"}, []string{"X-Clearance"}, []string{"x-purpose"})
	for name, want := range map[string]bool{
		"X-User-Id": false, "x-user-id": false, "X-USER-ID": false, "X-User-": false, "X-User": false, "X-Users": true,
		"X-Role": false, "X-Roles": true, "X-Tenant-Id": false, "X-Clearance": false, "x-clearance": false,
		"X_user_id": false, "X-User_Id": false, "Content_Type": false, "_": false,
		"X-Forwarded-For": false, "X-Forwarded-Anything": false, "Forwarded": false, "X-Real-Ip": false, "X-Real-IP": false,
		"X-Client-IP": false, "True-Client-IP": false, "CF-Connecting-IP": false, "X-Original-URL": false, "X-Rewrite-URL": false,
		"X-HTTP-Method-Override": false, "X-HTTP-Method": false, "X-Method-Override": false, "X-Request-ID": false,
		"Upgrade": false, "HTTP2-Settings": false, "Proxy-Authorization": false, "Proxy-Connection": false,
		"Proxy": false, "Client-Cert": false, "Client-Cert-Chain": false, "X-Ssl-Client-S-Dn": false, "Ssl-Client-Verify": false, "Wl-Proxy-Client-Ip": false,
		"Cf-Connecting-Ipv6": false, "Remote-User": false, "X-Remote-Group": false, "Remote": true, "Client": true, "X.Remote-User": false,
		"X.User.Id": false, "X+Role": false, "X.Clearance": false, "Cf.Connecting-Ip": false, "X-Original-Method": false,
		"X.Purpose": false, "X-Purpose": true, "Content.Type": false, "Content.Length": false, "X.Roles": true, "X.Amz.Meta": true,
		"Authorization": true, "Cookie": true, "Accept": true, "Content-Type": true, "Traceparent": true, "X-Forward": true,
	} {
		h := http.Header{name: {"x"}}
		s.clean(h)
		if _, kept := h[name]; kept != want {
			t.Errorf("%s is kept: %v, want %v", name, kept, want)
		}
	}
}

// The short way for ordinary names must not take a name that the long way would
// read as another one.
func TestOrdinary(t *testing.T) {
	const bytes = "aAzZ0-._\x80"
	names := []string{""}
	for range 4 {
		for _, n := range names {
			for i := range len(bytes) {
				names = append(names, n+bytes[i:i+1])
			}
		}
	}
	for _, n := range names {
		if want := n == textproto.CanonicalMIMEHeaderKey(n) && !odd(n); ordinary(n) != want {
			t.Errorf("%q is ordinary: %v, want %v", n, !want, want)
		}
	}
}
