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

// Whoever says who they are is told from the proxies in front, and from those who
// only write names with an underscore.
func TestClaims(t *testing.T) {
	d := NewDoor([]string{"X-User-*", "x-role", "X-Real-Ip", "X-Forwarded-User"}, []string{"X-Clearance"}, []string{"X-Purpose"})
	for name, want := range map[string]bool{
		"X-User-Id": true, "X-User": true, "x-user-id": true, "X-Role": true, "X-ROLE": true, "X-Clearance": true,
		"X_User_Id": true, "X.Role": true, "X-User_Id": true, "x_clearance": true,
		"X-Forwarded-For": false, "X-Forwarded-User": false, "X-Real-Ip": false, "X-Real-IP": false, "Forwarded": false, "Cf-Connecting-Ip": false,
		"CF-Connecting-IP": false, "X-Request-Id": false, "Remote-User": false, "X_Forwarded_For": false,
		"Session_Id": false, "_": false, "X_Users": false, "X-Users": false, "X-Purpose": false, "X.Purpose": false, "Authorization": false, "Accept": false,
	} {
		for form, h := range map[string]http.Header{
			"alone":         {name: {"x"}},
			"empty":         {name: {""}},
			"in Connection": {textproto.CanonicalMIMEHeaderKey(name): {"x"}, "Connection": {"close, " + name}},
		} {
			head, err := d.Read(&http.Request{Method: "GET", RequestURI: "/", Host: "h", ProtoMajor: 1, Header: h})
			if head.Claims != want || err != nil {
				t.Errorf("%s, %s: %v, want %v (%v)", name, form, head.Claims, want, err)
			}
		}
	}
	head, _ := d.Read(&http.Request{Method: "GET", RequestURI: "/", Host: "h", ProtoMajor: 1, Header: http.Header{"Connection": {"X-Role"}}})
	if head.Claims {
		t.Error("a header that was not sent")
	}
	head, err := d.Read(&http.Request{Method: "get", RequestURI: "/", Host: "h", ProtoMajor: 1, Header: http.Header{"X-Role": {"admin"}}})
	if !head.Claims || err == nil {
		t.Errorf("a request that is refused: %v %v", head.Claims, err)
	}
}
