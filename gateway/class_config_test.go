package gateway

import (
	"context"
	"strings"
	"testing"

	"github.com/gatehouse-dev/gatehouse/policies/opa/bundle"
)

// sound are settings with nothing wrong in them, which the tests below spoil in
// one place.
const sound = preamble + `
upstreams: {hr: {endpoints: ["http://127.0.0.1:9"]}}
rate_limits: {few: {key: [client.address], rate: 5/s}}
policies: {path: rego, budget: 5s, tests: "off"}
routes:
  - {name: r, match: {path: /a/}, upstream: hr, authn: {issuers: [auth]}, policy: "on", rate_limits: [few]}
`

// spoiled holds that sound settings are taken, and that none is with one text in
// place of another.
func spoiled(t *testing.T, changes [][2]string) int {
	t.Helper()
	w := open(t)
	w.write("rego/gatehouse.rego", "package gatehouse\n\nallow if input.subject.role == \"staff\"\n")
	if err := w.tries(sound); err != nil {
		t.Fatal(err)
	}
	for _, c := range changes {
		text := strings.Replace(sound, c[0], c[1], 1)
		if text == sound {
			t.Fatalf("%q is not in the settings", c[0])
		}
		if err := w.tries(text); err == nil {
			t.Errorf("%s was taken", c[1])
		}
	}
	return len(changes)
}

// unresolved: what is named and not there stops the gateway, or the reload.
func unresolved(t *testing.T, _ proto) int {
	return spoiled(t, [][2]string{
		{"issuers: [auth]", "issuers: [other]"},
		{"issuers: [auth]", "issuers: []"},
		{"authn: {issuers: [auth]}, ", ""},
		{"authn: {issuers: [auth]}", "authn: {}"},
		{"authn: {issuers: [auth]}", "authn: null"},
		{"authn: {issuers: [auth]}", "public: false"},
		{"authn: {issuers: [auth]}", "public: true, authn: {issuers: [auth]}"},
		{"upstream: hr", "upstream: other"},
		{"upstream: hr", `upstream: ""`},
		{"rate_limits: [few]", "rate_limits: [many]"},
		{"path: rego", "path: nowhere"},
		{"path: rego", "path: certs"},
		{"gateway-key.pem", "other-key.pem"},
		{"certs/gateway.pem", "certs/nowhere.pem"},
		{`"{ISSUER}/jwks.json"`, `"${GATEHOUSE_CLASS_UNSET}"`},
		{`"{ISSUER}/jwks.json"`, `"${file:nowhere}"`},
		{"issuer: https://auth.example.com", `issuer: ""`},
		{"jwks_url:", "jwks_file: nowhere # "},
		{"algorithms: [ES256]", "algorithms: []"},
		{"algorithms: [ES256]", "algorithms: [none]"},
		{"audiences: [erp]", "audiences: []"},
		{"address: 127.0.0.1:0\n    tls:", "address: 127.0.0.1:0\n    acl: {allow: [office]}\n    tls:"},
		{"gateway-key.pem}]}", "gateway-key.pem}], client_ca: certs/nowhere.pem}"},
		{"gateway-key.pem}]}", `gateway-key.pem}], client_ca: "${GATEHOUSE_CLASS_UNSET}"}`},
		{`admin: {address: "127.0.0.1:0"}`, `admin: {address: "127.0.0.1:0", token: "${file:nowhere}"}`},
		{`admin: {address: "127.0.0.1:0"}`, `admin: {address: "127.0.0.1:0", client_ca: certs/ca.pem}`},
		{"policies: {path: rego, budget: 5s, tests: \"off\"}\n", ""},
		{"http://127.0.0.1:9", "${GATEHOUSE_CLASS_UNSET}"},
		{"http://127.0.0.1:9", "http://192.0.2.1:9"},
	})
}

// unknownKeys: a key that does nothing is a mistake, wherever it stands.
func unknownKeys(t *testing.T, _ proto) int {
	n := spoiled(t, [][2]string{
		{"policy: \"on\"", "polcy: \"off\""},
		{"policy: \"on\"", "Policy: \"on\""},
		{"policy: \"on\"", "policy: {bodies: true}"},
		{"policy: \"on\"", "policy: \"maybe\""},
		{"authn:", "auth:"},
		{"issuers: [auth]}, p", "issuers: [auth], optional: true}, p"},
		{"match: {path: /a/}", "match: {path: /a/, method: [GET]}"},
		{"match: {path: /a/}", "match: {path: /a/, path: /b/}"},
		{"match: {path: /a/}", "match: {prefix: /a/}"},
		{"rate_limits: [few]", "rate_limit: [few]"},
		{"rate: 5/s", "rates: 5/s, rate: 5/s"},
		{"budget: 5s", "buget: 5s"},
		{"version: 1", "version: 2"},
		{"version: 1", "version: 1\nversion: 1"},
		{"version: 1", "versions: 1"},
		{"log:", "logs:"},
		{"log: {output: access.log}", "log: {outputs: access.log}"},
		{"algorithms:", "algs:"},
		{"audiences:", "audience:"},
		{"tls: {", "tsl: {"},
		{"certificates:", "certs:"},
		{"endpoints:", "endpoint:"},
		{"version: 1", "version: 1\nadmin_api: {}"},
		{"version: 1", "version: 1\ndebug: true"},
		{"version: 1", "version: 1\nskip_auth: [\"^/\"]"},
		{"version: 1", "version: 1\n<<: {log: {}}"},
		{"version: 1", "version: 1\n---\nroutes: []"},
		{"name: r,", "name: r, Public: true,"},
		{"name: r,", "name: r, insecure: true,"},
		{"upstream: hr", "upstream: hr, upstreams: [hr]"},
	})
	w := open(t)
	for _, rule := range []string{
		"alow if true", "Allow if true", "denny contains {\"code\": \"x\", \"message\": \"y\"} if true", "default allow := \"yes\"", "masks contains {\"path\": \"$.a\", \"action\": \"drop\"} if true", "mask contains {\"path\": \"$.a\", \"acton\": \"drop\"} if true", "mask contains {\"path\": \"$.a\", \"action\": \"blur\"} if true", "mask contains {\"path\": \"$[\", \"action\": \"drop\"} if true",
		"row contains {} if true", "rows contains {\"path\": \"$\", \"were\": []} if true", "header[\"X-A\"] := \"b\"", "headers[\"X-A\"] := {\"input\": \"subject.nobody\"}", "headers[\"Authorization\"] := \"Bearer x\"", "headers[\"X-Forwarded-For\"] := \"127.0.0.1\"", "headers[\"Host\"] := \"x\"", "headers[\"Content-Length\"] := \"0\"", "headers[\"Transfer-Encoding\"] := \"chunked\"", "headers[\"X_A\"] := \"b\"", "headers[input.resource.path] := \"b\"", "requires contains {} if true", "allow if input.subject.rolle == \"x\"", "allow if input.user.role == \"x\"", "allow if inptu.subject.role == \"x\"",
	} {
		w.write("rego/gatehouse.rego", "package gatehouse\n\n"+rule+"\n")
		n++
		if err := w.tries(sound); err == nil {
			t.Errorf("a policy with %s was taken", rule)
		}
	}
	return n
}

// unboxedPolicies: a policy judges what it is asked, and does nothing else.
func unboxedPolicies(t *testing.T, _ proto) int {
	w, n := open(t), 0
	for _, expression := range []string{
		`http.send({"method": "GET", "url": "http://127.0.0.1:9"}).status_code == 200`, `net.lookup_ip_addr("localhost")`, `opa.runtime().env.HOME`, `rego.parse_module("x", "package x")`, `count(with_send) with http.send as count`, `x := http.send with input as {}`, `http.send({"method": "GET", "url": "file:///etc/passwd"})`, `time.now_ns() > 0`, `rand.intn("x", 2) == 1`, `uuid.rfc4122("x")`, `trace("x")`, `data.gatehouse.allow`, `io.jwt.decode("x")`, `providers.aws.sign_req({}, {}, 0)`, `graph.reachable(http.send({}), [])`, `walk(opa.runtime(), [p, v])`, `x := data.http.send`, `count(x) with count as http.send`,
	} {
		w.write("rego/gatehouse.rego", "package gatehouse\n\nallow if "+expression+"\n")
		n++
		err := w.tries(sound)
		if err == nil && !harmless(expression) {
			t.Errorf("%s was taken", expression)
		}
	}
	for _, text := range []string{"package gatehouse\n\nimport data.http\n\nallow if http.send({})\n", "package http\n\nsend := 1\n", "package gatehouse\n\nallow if true\n\nallow = false if true with data.x as 1 else := true\n", "package system.authz\n\nallow if http.send({})\n"} {
		w.write("rego/gatehouse.rego", text)
		n++
		if err := w.tries(sound); err == nil && strings.Contains(text, "send(") {
			t.Errorf("%q was taken", text)
		}
	}
	return n
}

// harmless are built-in functions that reach nothing.
func harmless(expression string) bool {
	return strings.HasPrefix(expression, "time.") || strings.HasPrefix(expression, "io.jwt.decode") || strings.HasPrefix(expression, "rand.") || strings.HasPrefix(expression, "uuid.") || strings.HasPrefix(expression, "trace(") || strings.HasPrefix(expression, "x := data.") || strings.HasPrefix(expression, "providers.")
}

// injectedRules: what is a value stays one, in settings, paths, claims and
// queries.
func injectedRules(t *testing.T, p proto) int {
	t.Setenv("GATEHOUSE_CLASS_VALUE", "x\", public: true, policy: \"off\"}\n  - {name: evil, match: {path: /}, upstream: hr, public: true, policy: \"off\"}\n#")
	w, backend := open(t), newScribe(t)
	w.vars["HR"] = "http://" + backend.Addr().String()
	w.start(preamble+`
upstreams: {hr: {endpoints: ["{HR}"]}}
identity_headers: ["X-${GATEHOUSE_CLASS_SUFFIX:-User}-*"]
policies: {path: rego, budget: 5s, tests: "off"}
routes:
  - {name: pattern, match: {path: "/a.*/b$/"}, upstream: hr, public: true, policy: "off"}
  - {name: allow-if-true, match: {path: "/named/{id}"}, upstream: hr, authn: {issuers: [auth]}, policy: "on"}
  - {name: data, match: {path: "/data/{id}"}, upstream: hr, authn: {issuers: [auth]}, policy: "on"}
`, `allow if input.subject.role == concat("", ["st", "aff"])`+"\n"+`allow if input.resource.params.id == sprintf("%s", [input.subject.tenant])`)
	n := 0
	for _, value := range []string{`staff" if true #`, `" or true or "`, "staff\nallow if true", `staff } allow { true`, `%s`, `data.gatehouse.allow`, `{{.}}`, `${HOME}`, `staff|boss`, `.*`, `st[a]ff`, `staff*`, `input.subject.role`, `"+"`, `\u0073taff`} {
		token := "Bearer " + w.issuer.token(w.issuer.kid, map[string]any{"sub": "u1", "role": value, "tenant": "acme"})
		for _, target := range []string{"/data/1", "/named/1", "/named/allow", "/data/true", "/data/data.gatehouse.allow"} {
			o := w.ask(p, raw{target: target + "?role=staff&allow=true", headers: [][2]string{bearer(token)}})
			n++
			if got := backend.seen(); len(got) > 0 || o.status != 403 && o.status != 401 {
				t.Errorf("a role of %q at %s: %v", value, target, o)
			}
		}
	}
	for _, target := range []string{"/abc/b/", "/a.*/b/", "/axx/b$/", "/a/b/", "/a./b$/", "/a.*/b"} {
		if o := w.ask(p, raw{target: target}); o.status < 400 || len(backend.seen()) > 0 {
			t.Errorf("%s: %v", target, o)
		}
		n++
	}
	w.write("rego/gatehouse.rego", "package gatehouse\n\nallow if input.subject.role == \"staff\"\n")
	w.write("gatehouse.yaml", strings.Replace(sound, "127.0.0.1:9\"]", "127.0.0.1:9\"], ca: \"${GATEHOUSE_CLASS_VALUE}\"", 1))
	if err := w.reloader.Reload(context.Background()); err == nil {
		t.Error("a value that closes a bracket was taken")
	}
	if o := w.ask(p, raw{target: "/anything"}); o.code() != "route_unknown" {
		t.Errorf("a value became a route: %v", o)
	}
	return n + 1
}

// foreignBundles: a gateway that decides by a bundle goes on with it where the
// next one is not from the same hand, not whole, or older.
func foreignBundles(t *testing.T, p proto) int {
	w, backend := open(t), newScribe(t)
	w.vars["HR"] = "http://" + backend.Addr().String()
	public, private := keyPair(t)
	_, stranger := keyPair(t)
	w.write("key.pem", public)
	w.write("cache/.keep", "")
	made := func(serial int64, key, id, rule string) []byte {
		t.Helper()
		b, err := bundle.Build(map[string][]byte{"gatehouse.rego": []byte("package gatehouse\n\n" + rule + "\n")}, serial, []byte(key), id)
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	const staff, all = `allow if input.subject.role == "staff"`, `allow if true`
	w.write("bundle.tar.gz", string(made(5, private, "k", staff)))
	w.start(preamble+`
upstreams: {hr: {endpoints: ["{HR}"]}}
policies: {bundle: {source: bundle.tar.gz, keys: {k: key.pem}, cache: cache}, budget: 5s}
routes: [{name: r, match: {path: /}, upstream: hr, authn: {issuers: [auth]}}]
`, "")
	guest := bearer("Bearer " + w.issuer.token(w.issuer.kid, map[string]any{"sub": "u1", "role": "guest"}))
	good := made(6, private, "k", all)
	n := 0
	for name, packed := range map[string][]byte{
		"another key": made(6, stranger, "k", all), "a key that is not known": made(6, private, "other", all), "an older one": made(4, private, "k", all), "the same number": made(5, private, "k", all), "half of one": good[:len(good)/2], "nothing": {}, "a page": []byte("<html>"),
	} {
		w.write("bundle.tar.gz", string(packed))
		n++
		if err := w.reloader.Reload(context.Background()); err == nil {
			t.Errorf("%s was taken", name)
		}
		if o := w.ask(p, raw{target: "/", headers: [][2]string{guest}}); o.code() != "forbidden" || len(backend.seen()) > 0 {
			t.Errorf("%s: %v", name, o)
		}
	}
	w.write("bundle.tar.gz", string(good))
	if err := w.reloader.Reload(context.Background()); err != nil {
		t.Errorf("the next one: %v", err)
	}
	if o := w.ask(p, raw{target: "/", headers: [][2]string{guest}}); o.status != 200 {
		t.Errorf("the next one does not decide: %v", o)
	}
	return n + 1
}
