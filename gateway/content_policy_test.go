package gateway

import (
	"crypto/sha256"
	"encoding/hex"
	"io"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
)

// contentPolicy judges what is in bodies, whatever carries it.
const contentPolicy = `allow if true

all_rows := true

mask contains {"path": "$..ssn", "action": "partial"}
mask contains {"path": "$..salary", "action": "redact"}
mask contains {"path": "$..id", "action": "hash"}

protect contains {"path": "$..role", "action": "reject"} if input.resource.route == "people"
protect contains {"path": "$.tenant", "action": "drop"} if input.resource.route == "people"

# Only what is left of a text is judged.
deny contains {"code": "script", "message": "a script"} if contains(input.body.note, "script")
deny contains {"code": "not_bold", "message": "not the text"} if input.body.note == "<b>x</b>"
deny contains {"code": "form", "message": "a form"} if input.body.kind == ["a", "b"]

# Files are known by what they are.
deny contains {"code": "file_known", "message": "this file"} if {
	some part in input.body.parts
	part.sha256 == "{SUM}"
}

deny contains {"code": "file_large", "message": "too large for this caller"} if {
	some part in input.body.parts
	part.size > 20
	part.name == "notes.txt"
}

deny contains {"code": "field", "message": "this field"} if {
	some part in input.body.parts
	part.field == "kind"
	part.value == "secret"
}
`

const contentRoutes = `
masking: {keys: {k1: "{KEY}"}}
upstreams: {hr: {endpoints: ["{HR}"]}}
routes:
  - {name: people, match: {path: /people/}, upstream: hr, public: true, policy: {masks: required, body: true, bodies: any}, sanitize: {html: strip}, upload: {extensions: [txt], files: 3}}
  - {name: lenient, match: {path: /lenient/}, upstream: hr, public: true, policy: {placeholders: drop}}
  - {name: plain, match: {path: /plain/}, upstream: hr, public: true, policy: on, limits: {body_bytes: 2KiB}}
`

// TestContentPolicyOverTheWire: members that are protected and placeholders that
// come back are found in every carrier, by a policy that sees what is forwarded.
func TestContentPolicyOverTheWire(t *testing.T) {
	w := open(t)
	var got atomic.Value
	got.Store("")
	w.backend("HR", func(rw http.ResponseWriter, r *http.Request) {
		b, _ := io.ReadAll(r.Body)
		text := string(b)
		if _, boundary, ok := strings.Cut(r.Header.Get("Content-Type"), "boundary="); ok {
			text = strings.ReplaceAll(text, boundary, "b")
		}
		got.Store(text)
		rw.Header().Set("Content-Type", "application/json")
		_, _ = io.WriteString(rw, `{"id":7,"name":"Ada","ssn":"123-45-6789","pay":{"salary":10}}`)
	})
	sum := sha256.Sum256([]byte("known file"))
	w.vars["SUM"] = hex.EncodeToString(sum[:])
	w.vars["KEY"] = strings.Repeat("k", 32)
	w.start(contentRoutes, contentPolicy)
	c := w.client(false)

	shown := do(t, c, w.request("GET", "/people/7", nil)).body
	if !strings.Contains(shown, "****6789") || !strings.Contains(shown, "hk1_") || !strings.Contains(shown, "***") {
		t.Fatalf("not masked: %s", shown)
	}
	_, hash, _ := strings.Cut(shown, `"id":"`)
	hash, _, _ = strings.Cut(hash, `"`)

	const (
		json  = "Content-Type: application/json"
		form  = "Content-Type: application/x-www-form-urlencoded"
		parts = "Content-Type: multipart/form-data; boundary=b"
	)
	field := func(name, value string) string {
		return "--b\r\nContent-Disposition: form-data; name=\"" + name + "\"\r\n\r\n" + value + "\r\n"
	}
	file := func(content string) string {
		return "--b\r\nContent-Disposition: form-data; name=\"f\"; filename=\"notes.txt\"\r\nContent-Type: text/plain\r\n\r\n" + content + "\r\n"
	}
	for _, tt := range []struct {
		name, path, media, body string
		status                  int
		answer                  string // is in it
		want                    string // reaches the upstream
	}{
		{"what was shown comes back", "/people/7", json, shown, 422, "/ssn", ""},
		{"what was shown, on a route of another shape", "/plain/x", json, `{"ref":"` + hash + `"}`, 422, "/ref", ""},
		{"placeholder in a form", "/plain/x", form, "employee%5Bssn%5D=****6789", 422, "/employee[ssn]", ""},
		{"placeholder in a part", "/people/x", parts, field("salary", "***") + "--b--\r\n", 422, "/salary", ""},
		{"placeholder in a patch", "/plain/x", "Content-Type: application/json-patch+json", `[{"op":"replace","path":"/ssn","value":"****6789"}]`, 422, "/0/value", ""},
		{"placeholder dropped", "/lenient/x", json, `{"name":"Ada", "ssn":"****6789"}`, 200, "", `{"name":"Ada"}`},
		{"placeholder dropped from a form", "/lenient/x", form, "name=Ada&salary=***", 200, "", "name=Ada"},
		{"prose", "/plain/x", json, `{"note":"***bold*** and ** "}`, 200, "", `{"note":"***bold*** and ** "}`},
		{"more than the route takes", "/plain/x", json, `{"a":"` + strings.Repeat("x", 4096) + `"}`, 413, "body_too_large", ""},

		{"protected in JSON", "/people/7", json, `{"role":"boss"}`, 403, "/role", ""},
		{"protected in a form", "/people/7", form, "employee.Role=boss", 403, "/employee.Role", ""},
		{"protected in a part", "/people/7", parts, field("role", "boss") + "--b--\r\n", 403, "/role", ""},
		{"protected in a patch", "/people/7", "Content-Type: application/json-patch+json", `[{"op":"add","path":"/role","value":"x"}]`, 403, "$..role", ""},
		{"dropped from JSON", "/people/7", json, `{"tenant":"x","a": 1.0}`, 200, "", `{"a": 1.0}`},
		{"dropped from a form", "/people/7", form, "a=%41&tenant=x&a=2", 200, "", "a=%41&a=2"},
		{"dropped from parts", "/people/7", parts, field("tenant", "x") + field("a", "1") + file("hello") + "--b--\r\n", 200, "", field("a", "1") + file("hello") + "--b--\r\n"},
		{"unreadable", "/people/7", "Content-Type: text/csv", "role\nx", 415, "media_type_unsupported", ""},

		{"the policy sees what is left", "/people/7", json, `{"note":"a<script>alert(1)</script>b"}`, 200, "", `{"note":"ab"}`},
		{"the policy does not see what is taken out", "/people/7", json, `{"note":"<b>x</b>"}`, 200, "", `{"note":"x"}`},
		{"the policy sees a form", "/people/7", form, "kind=a&kind=b", 403, `"form"`, ""},
		{"the policy sees another form", "/people/7", form, "kind=b&kind=a", 200, "", "kind=b&kind=a"},
		{"the policy sees a field", "/people/7", parts, field("kind", "secret") + "--b--\r\n", 403, `"field"`, ""},
		{"the policy knows a file", "/people/7", parts, file("known file") + "--b--\r\n", 403, "file_known", ""},
		{"the policy does not take another for it", "/people/7", parts, file("knows file") + "--b--\r\n", 200, "", file("knows file") + "--b--\r\n"},
		{"the policy still knows it", "/people/7", parts, file("known file") + "--b--\r\n", 403, "file_known", ""},
		{"the policy sees its size", "/people/7", parts, file(strings.Repeat("x", 21)) + "--b--\r\n", 403, "file_large", ""},
	} {
		got.Store("")
		a := do(t, c, w.request("PATCH", tt.path, strings.NewReader(tt.body), tt.media))
		if a.StatusCode != tt.status || !strings.Contains(a.body, tt.answer) {
			t.Errorf("%s: %d %s, want %d %s", tt.name, a.StatusCode, a.body, tt.status, tt.answer)
		}
		if got.Load() != tt.want {
			t.Errorf("%s: forwarded %q, want %q", tt.name, got.Load(), tt.want)
		}
	}
}
