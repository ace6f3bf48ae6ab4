package config

import (
	"path/filepath"
	"strings"
	"testing"
)

func TestExpand(t *testing.T) {
	folder := t.TempDir()
	write(t, filepath.Join(folder, "secret"), "s3cret\n")
	write(t, filepath.Join(folder, "windows"), "s3cret\r\n")
	write(t, filepath.Join(folder, "lines"), "a\n\n")
	write(t, filepath.Join(folder, "dollar"), "${HOST}")
	write(t, filepath.Join(folder, "large"), strings.Repeat("x", maxFile+1))
	env := map[string]string{"HOST": "example.com", "EMPTY": "", "TRICK": "x\nadmin: {}"}
	for _, c := range []struct{ in, want, err string }{
		{in: "plain", want: "plain"},
		{in: "costs $5", want: "costs $5"},
		{in: "$HOST", want: "$HOST"},
		{in: "https://${HOST}:${PORT:-8443}/", want: "https://example.com:8443/"},
		{in: "${EMPTY}", want: ""},
		{in: "${EMPTY:-x}", want: "x"},
		{in: "${NONE:-}", want: ""},
		{in: "${HOST:-x}${HOST}", want: "example.comexample.com"},
		{in: "$${HOST}", want: "${HOST}"},
		{in: "$$${HOST}", want: "$${HOST}"},
		{in: "a$${b} ${HOST}", want: "a${b} example.com"},
		{in: "${TRICK}", want: "x\nadmin: {}"},
		{in: "${file:secret}", want: "s3cret"},
		{in: "${file:windows}", want: "s3cret"},
		{in: "${file:lines}", want: "a\n"},
		{in: "${file:dollar}", want: "${HOST}"},
		{in: "${file:" + folder + "/secret}", want: "s3cret"},
		{in: "${NONE}", err: "the environment variable NONE is not set"},
		{in: "${file:none}", err: `file "none" does not exist`},
		{in: "${file:.}", err: `file "." is not a regular file`},
		{in: "${file:large}", err: `file "large" is larger than 4MiB`},
		{in: "${file:}", err: "${file:} names no file"},
		{in: "${}", err: "${} is none of ${NAME}, ${NAME:-default} and ${file:PATH}"},
		{in: "${1A}", err: "${1A} is none of ${NAME}, ${NAME:-default} and ${file:PATH}"},
		{in: "${HOST", err: `"${HOST" is not closed by }; a literal ${ is written $${`},
	} {
		d := decoder{
			report: &report{}, folder: folder,
			lookup: func(name string) (string, bool) { v, ok := env[name]; return v, ok },
		}
		got, err := d.expand(c.in)
		switch {
		case c.err != "" && (err == nil || err.Error() != c.err):
			t.Errorf("%q: error %v, want %s", c.in, err, c.err)
		case c.err == "" && (err != nil || got != c.want):
			t.Errorf("%q became %q, %v; want %q", c.in, got, err, c.want)
		}
	}
}

// TestSecretsInMistakes gives secrets to fields that are none: the mistakes
// name where the value comes from and never quote it.
func TestSecretsInMistakes(t *testing.T) {
	const planted = `s3cr"t-value`
	folder := t.TempDir()
	write(t, filepath.Join(folder, "secret"), planted+"\n")
	for _, value := range []string{"${SECRET}", "${file:secret}", "http://${SECRET}", "user:${SECRET}@host"} {
		for _, text := range []string{
			"version: %s", "listeners: {public: {address: %s}}", "limits: {body_bytes: %s}", "timeouts: {body: %s}", "log: {level: %s}", "log: {output: %s/x}",
			"trusted_proxies: [%s]", "policies: {path: %s}", "upstreams: {a: {endpoints: [%s]}}", "routes: [{name: %s, match: {path: %s, hosts: [%s]}, upstream: %s}]",
			"store: {redis: {addresses: [%s], tls: %s}}", "issuers: {a: {issuer: %s, jwks_url: %s, algorithms: [%s], leeway: %s}}", "tracing: {otlp: %s, sample: %s}",
			"rate_limits: {a: {key: [%s], rate: %s, mode: %s}}", "masking: {primary: %s}", "admin: {address: %s, client_ca: %s}", "identity_headers: [%s]",
		} {
			r := &report{source: source{file: "x.yaml", at: map[string]mark{}}, wrong: map[string]bool{}}
			lookup := func(string) (string, bool) { return planted, true }
			_, err := r.load([]byte(strings.ReplaceAll(text, "%s", `"`+value+`"`)), folder, lookup)
			if err == nil || strings.Contains(err.Error(), "s3cr") {
				t.Errorf("%s with %s: %v", text, value, err)
			}
		}
	}
	c := &Config{source: source{file: "x.yaml"}}
	c.source.hide(planted[:6], "${SHORT}") // the beginning of the other
	c.source.hide(planted, "${SECRET}")
	if m := c.Mistake("store.redis", "cannot reach %q", planted); m.Message != `cannot reach "${SECRET}"` {
		t.Errorf("a mistake found later says %s", m.Message)
	}
}
