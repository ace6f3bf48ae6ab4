package main

import (
	"fmt"
	"net/url"
	"os"
	"regexp"
	"strings"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
)

// keepOrder makes the id of the order that the last command told of a variable.
func keepOrder(ts *testscript.TestScript, _ bool, args []string) {
	m := regexp.MustCompile(`(?m)^order (\w+) lifts with: `).FindStringSubmatch(ts.ReadFile("stdout"))
	if len(args) != 1 || m == nil {
		ts.Fatalf("usage: order VAR, behind a command that has given one")
	}
	of(ts).set(ts, args[0], m[1])
}

// signedOut makes what an issuer posts when somebody signs out (OpenID Connect
// Back-Channel Logout 1.0, section 2.5): `signedout FILE sid=desk-4`. `key=other`
// signs with somebody else's key.
func signedOut(ts *testscript.TestScript, _ bool, args []string) {
	w, now := of(ts), time.Now()
	if len(args) < 2 {
		ts.Fatalf("usage: signedout FILE CLAIM=VALUE…")
	}
	claims := map[string]any{
		"iss": "https://auth.gatehouse.example", "aud": "web", "iat": now.Unix(), "exp": now.Add(2 * time.Minute).Unix(), "jti": fmt.Sprint(now.UnixNano()),
		"events": map[string]any{"http://schemas.openid.net/event/backchannel-logout": map[string]any{}},
	}
	signer := w.issuer
	for _, a := range args[1:] {
		if k, v, _ := strings.Cut(a, "="); k == "key" {
			signer = newScriptIssuer(ts)
		} else {
			claims[k] = v
		}
	}
	signed := segment(ts, map[string]any{"alg": "ES256", "typ": "logout+jwt", "kid": "k1"}) + "." + segment(ts, claims)
	token := signed + "." + encodeSegment(signer.sign(ts, signed))
	ts.Check(os.WriteFile(ts.MkAbs(args[0]), []byte(url.Values{"logout_token": {token}}.Encode()), 0o600))
}
