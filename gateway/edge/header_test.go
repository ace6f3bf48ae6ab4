package edge

import (
	"bufio"
	"crypto/tls"
	"errors"
	"maps"
	"net/http"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"
)

func code(err error) string {
	var e *Error
	if errors.As(err, &e) {
		return e.Code
	}
	if err != nil {
		return err.Error()
	}
	return ""
}

// What decides something stands once; what is a list may come in pieces.
func TestOnce(t *testing.T) {
	for head, want := range map[string]string{
		"Authorization: Bearer a\r\nAuthorization: Bearer a": HeaderInvalid,
		"authorization: a\r\nAUTHORIZATION: b":               HeaderInvalid,
		"Cookie: a=1\r\nCookie: b=2":                         HeaderInvalid,
		"Content-Type: text/plain\r\nContent-Type: a/b":      HeaderInvalid,
		"Content-Encoding: gzip\r\nContent-Encoding: br":     HeaderInvalid,
		"Origin: https://a\r\nOrigin: null":                  HeaderInvalid,
		"Sec-Fetch-Site: none\r\nSec-Fetch-Site: cross-site": HeaderInvalid,
		"Range: bytes=0-1\r\nRange: bytes=2-3":               HeaderInvalid,
		"X-Purpose: a\xff":                                   HeaderInvalid,
		"X-Purpose: a\r\nX-Purpose: \xe9":                    HeaderInvalid,
		"X-Purpose: a\r\nX-Purpose: b":                       "",
		"X-Purpose: caf\u00e9":                               "",
		"X-Other: \xe9":                                      "", // nobody judges by it
		"Accept: a/b\r\nAccept: c/d":                         "",
		"If-Match: \"a\"\r\nIf-Match: \"b\"":                 "",
		"Cookie: a=1; b=2":                                   "",
		"X-User-Id: a\r\nX-User-Id: b":                       "", // gone
	} {
		if _, err := read1("GET / HTTP/1.1\r\nHost: h\r\n"+head+"\r\n\r\n", false); code(err) != want {
			t.Errorf("%q: got %v, want %q", head, err, want)
		}
	}
}

func TestMethods(t *testing.T) {
	for method, want := range map[string]string{
		"GET": "", "HEAD": "", "POST": "", "PUT": "", "PATCH": "", "DELETE": "", "OPTIONS": "",
		"TRACE": MethodNotAllowed, "get": MethodUnknown, "Get": MethodUnknown, "PROPFIND": MethodUnknown, "BREW": MethodUnknown, "GETX": MethodUnknown, "connect": MethodUnknown, "trace": MethodUnknown,
	} {
		if _, err := read1(method+" / HTTP/1.1\r\nHost: h\r\n\r\n", false); code(err) != want {
			t.Errorf("%s: got %v, want %q", method, err, want)
		}
	}
	// Whatever it is about, and whatever else is wrong.
	for _, target := range []string{"h:443", "127.1:443", "h:0"} {
		if _, err := read1("CONNECT "+target+" HTTP/1.1\r\nHost: h\r\nCookie: a\r\nCookie: b\r\n\r\n", false); code(err) != MethodNotAllowed {
			t.Errorf("CONNECT %s: %v", target, err)
		}
	}
}

// A head of HTTP/2 as net/http brings it: what :authority says must be what
// Host says.
func TestHTTP2(t *testing.T) {
	for _, tt := range []struct {
		path, authority string
		hosts           []string
		want            string
	}{
		{"/a?b", "h", nil, ""},
		{"/a", "h:443", []string{"H.:443"}, ""},
		{"/a", "h", []string{"g"}, PathInvalid},
		{"/a", "h", []string{"h:443"}, PathInvalid},
		{"/a", "h", []string{"h", "h"}, HeaderInvalid},
		{"/a", "h", []string{""}, PathInvalid},
		{"/a", "", nil, ""},
		{"/a", "me@h", nil, PathInvalid},
		{"/a", "h/x", nil, PathInvalid},
		{"/a b", "h", nil, PathInvalid},
		{"/a\rb", "h", nil, PathInvalid},
		{"/a#b", "h", nil, PathInvalid},
		{"a", "h", nil, PathInvalid},
		{"", "h", nil, PathInvalid},
		{"*", "h", nil, PathInvalid},
		{"https://h/a", "h", nil, PathInvalid},
		{"?a", "h", nil, PathInvalid},
	} {
		r := &http.Request{Method: "GET", RequestURI: tt.path, Host: tt.authority, Header: http.Header{}, ProtoMajor: 2, TLS: &tls.ConnectionState{}}
		if tt.hosts != nil {
			r.Header["Host"] = tt.hosts
		}
		if _, err := NewDoor(nil, nil, nil).Read(r); code(err) != tt.want {
			t.Errorf("%+v: %v", tt, err)
		}
		if len(r.Header["Host"]) > 0 {
			t.Errorf("%+v: Host is still there", tt)
		}
	}
}

// Over HTTP/2 net/http leaves blanks around a value where they are; the upstream
// is sent it without them.
func TestBlanks(t *testing.T) {
	for value, want := range map[string]string{" a": HeaderInvalid, "a ": HeaderInvalid, "\ta": HeaderInvalid, "a\t": HeaderInvalid, " ": HeaderInvalid, "": "", "a b\tc": ""} {
		for _, name := range []string{"X-Other", "X-Purpose", "Content-Type"} {
			r := &http.Request{Method: "GET", RequestURI: "/", Host: "h", Header: http.Header{name: {value}}, ProtoMajor: 2, TLS: &tls.ConnectionState{}}
			if _, err := NewDoor(nil, nil, []string{"X-Purpose"}).Read(r); code(err) != want {
				t.Errorf("%s: %q: %v, want %q", name, value, err, want)
			}
		}
	}
}

// variable is the name under which CGI and its descendants know a header.
func variable(name string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case 'a' <= r && r <= 'z':
			return r - 'a' + 'A'
		case 'A' <= r && r <= 'Z', '0' <= r && r <= '9':
			return r
		}
		return '_'
	}, name)
}

// FuzzHeaders holds that under whatever name a server knows a header, nothing
// is left that the gateway keeps to itself, that a header that decides stands
// once, and that what is left is let in as it is.
func FuzzHeaders(f *testing.F) {
	for _, s := range []string{
		"X-User-Id: a", "X_User: a", "X.User.Id: a", "Connection: cookie, x\r\nCookie: a", "Upgrade: h2c\r\nHTTP2-Settings: a\r\nConnection: upgrade", "Cookie: a\r\nCookie: b",
		"Content.Type: a\r\nContent-Type: b", "X-Purpose: \xff", "X-Set~: a", "Forwarded: a", "x-http-method-override: DELETE",
	} {
		f.Add(s)
	}
	door := NewDoor([]string{"X-User-*", "X-Role"}, []string{"X-Set"}, []string{"X-Purpose"})
	hidden := []string{"X_USER", "X_ROLE", "X_SET", "FORWARDED", "X_REAL_IP", "X_REQUEST_ID", "X_HTTP_METHOD_OVERRIDE", "UPGRADE", "HTTP2_SETTINGS", "CONNECTION", "X_ORIGINAL_URL"}
	f.Fuzz(func(t *testing.T, block string) {
		r, err := http.ReadRequest(bufio.NewReader(strings.NewReader("GET /a HTTP/1.1\r\nHost: h\r\n" + block + "\r\n\r\n")))
		if err != nil {
			return
		}
		listed := r.Header.Values("Connection")
		_, err = door.Read(r)
		decided := map[string]int{}
		for name, values := range r.Header {
			v := variable(name)
			if slices.Contains(hidden, v) || strings.HasPrefix(v, "X_USER_") || strings.HasPrefix(v, "X_FORWARDED") || strings.Contains(name, "_") {
				t.Errorf("%q: %s is left", block, name)
			}
			for _, l := range listed {
				for n := range strings.SplitSeq(l, ",") {
					if strings.EqualFold(strings.Trim(n, " \t"), name) {
						t.Errorf("%q: %s is left, and Connection lists it", block, name)
					}
				}
			}
			decided[v] += len(values)
			for _, s := range values {
				if err == nil && name == "X-Purpose" && !utf8.ValidString(s) {
					t.Errorf("%q: a policy would be shown %q", block, s)
				}
			}
		}
		if err != nil {
			return
		}
		for _, name := range []string{"AUTHORIZATION", "COOKIE", "CONTENT_TYPE", "CONTENT_ENCODING", "ORIGIN", "SEC_FETCH_SITE"} {
			if decided[name] > 1 {
				t.Errorf("%q: %s stands %d times", block, name, decided[name])
			}
		}
		before := r.Header.Clone()
		if _, err := door.Read(r); err != nil || !maps.EqualFunc(before, r.Header, slices.Equal) {
			t.Errorf("%q: %v is read as %v, %v", block, before, r.Header, err)
		}
	})
}
