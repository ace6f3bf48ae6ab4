package gateway

import (
	"context"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/gatehouse-dev/gatehouse/config"
)

// A mistake is told everywhere and changes nothing; mending it takes effect,
// in whatever file it was.
func TestRefusedReload(t *testing.T) {
	w := open(t)
	w.backend("HR", (&witness{}).ServeHTTP)
	w.start(one, masking)
	first := w.g.Plan()
	w.write("rego2/gatehouse.rego", "package gatehouse\n\nallo if true\n")
	w.write("gatehouse.yaml", preamble+one+"policies: {path: rego2}\n")
	if !w.reloader.changed() {
		t.Fatal("the change is not noticed")
	}
	err := w.reloader.Reload(t.Context())
	if err == nil || !strings.Contains(err.Error(), "rego2/gatehouse.rego:3:") {
		t.Fatalf("got %v", err)
	}
	last := w.reloader.Last()
	if last.OK || last.Error != err.Error() || last.Revision != first.Revision() || w.g.Plan() != first {
		t.Errorf("after a mistake: %+v", last)
	}
	if lines := w.log("reload refused; the last good plan goes on"); len(lines) != 1 {
		t.Errorf("logged: %v", lines)
	}
	if got := w.metric("gatehouse_config_last_reload_success"); got != "0" {
		t.Errorf("the metric is %s", got)
	}
	if w.reloader.changed() {
		t.Error("the same mistake would be tried again")
	}
	w.write("rego2/gatehouse.rego", "package gatehouse\n\nallow if true\n")
	if !w.reloader.changed() {
		t.Fatal("mending it is not noticed: the file is not one of the plan in force")
	}
	if err := w.reloader.Reload(t.Context()); err != nil {
		t.Fatal(err)
	}
	last = w.reloader.Last()
	if !last.OK || last.Error != "" || last.Revision == first.Revision() || w.g.Plan() == first {
		t.Errorf("after mending: %+v", last)
	}
	if got := w.metric("gatehouse_config_last_reload_success"); got != "1" {
		t.Errorf("the metric is %s", got)
	}
}

// What changes while a plan is being made is not in it, and must not count as
// seen.
func TestChangeWhileCompiling(t *testing.T) {
	w := open(t)
	w.backend("HR", (&witness{}).ServeHTTP)
	p := w.compile(one, masking)
	w.write("rego/gatehouse.rego", "package gatehouse\n\nallow if false\n")
	w.serve(p)
	if !w.reloader.changed() {
		t.Error("a change between compiling and serving is not noticed")
	}
}

func TestWatch(t *testing.T) {
	w := open(t)
	w.backend("HR", (&witness{}).ServeHTTP)
	w.start(one, masking)
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() {
		defer close(done)
		w.reloader.Watch(ctx, time.Millisecond)
	}()
	first := w.g.Plan()
	w.write("rego/gatehouse.rego", "package gatehouse\n\nallow if false\n")
	eventually(t, "the plan is replaced", func() bool { return w.g.Plan() != first })
	cancel()
	<-done
}

// A reload keeps what the sections it does not touch have open, and opens what
// has changed, a key behind an unchanged name too.
func TestReloadKeeps(t *testing.T) {
	w := open(t)
	w.backend("HR", (&witness{}).ServeHTTP)
	settings := one + "rate_limits: {few: {key: [subject.id], rate: 2/1h}}\n"
	settings = strings.Replace(settings, "    policy:", "    rate_limits: [few]\n    policy:", 1)
	w.start(settings, masking)
	c := w.client(false)
	ask := func() int {
		return do(t, c, w.request("GET", "/api/employees/7", nil, w.as("e2", "staff"))).StatusCode
	}
	first := w.g.Plan()
	got := []int{ask()}
	w.write("rego/gatehouse.rego", "package gatehouse\n\n"+masking+"# changed\n")
	if err := w.reloader.Reload(t.Context()); err != nil {
		t.Fatal(err)
	}
	got = append(got, ask(), ask())
	if want := []int{200, 200, 429}; !slices.Equal(got, want) {
		t.Errorf("a reload forgets what was counted: %v, want %v", got, want)
	}
	next := w.g.Plan()
	if next == first || next.upstreams["hr"] != first.upstreams["hr"] || next.issuers["auth"] != first.issuers["auth"] || next.log != first.log {
		t.Error("what did not change was opened again")
	}
	w.backend("HR", (&witness{}).ServeHTTP)
	w.write("gatehouse.yaml", preamble+settings+"policies: {path: rego}\n")
	if err := w.reloader.Reload(t.Context()); err != nil {
		t.Fatal(err)
	}
	if p := w.g.Plan(); p.upstreams["hr"] == first.upstreams["hr"] || p.issuers["auth"] != first.issuers["auth"] {
		t.Error("an upstream with another address is the same, or an issuer is not")
	}
}

// A new certificate serves new connections from the reload on.
// Policies that have not changed keep their engine: nothing is compiled and
// proven again. Their tests are part of them.
func TestReloadKeepsPolicies(t *testing.T) {
	w := open(t)
	w.backend("HR", (&witness{}).ServeHTTP)
	w.start(one, masking)
	reload := func() any {
		t.Helper()
		if err := w.reloader.Reload(t.Context()); err != nil {
			t.Fatal(err)
		}
		return w.g.Plan().decider
	}
	first := any(w.g.Plan().decider)
	if reload() != first {
		t.Error("a reload without a change makes another engine")
	}
	w.write("rego/gatehouse_test.rego", "package gatehouse_test\n\ntest_nothing if true\n")
	second := reload()
	if second == first {
		t.Error("policies with another test were not tried")
	}
	w.write("rego/gatehouse_test.rego", "package gatehouse_test\n\ntest_nothing if false\n")
	err := w.reloader.Reload(t.Context())
	if err == nil || !strings.Contains(err.Error(), "gatehouse_test.rego:3:") || w.g.Plan().decider != second {
		t.Errorf("a test that fails: %v", err)
	}
	w.write("gatehouse.yaml", preamble+one+"policies: {path: rego, budget: 1m, tests: off}\n")
	if third := reload(); third == second {
		t.Error("other settings have the same engine")
	}
}

func TestReloadCertificate(t *testing.T) {
	w := open(t)
	w.backend("HR", (&witness{}).ServeHTTP)
	w.start(one, masking)
	serial := func() string {
		return do(t, w.client(false), w.request("GET", "/", nil)).TLS.PeerCertificates[0].SerialNumber.String()
	}
	before := serial()
	for _, name := range []string{"gateway.pem", "gateway-key.pem"} {
		if err := os.Remove(filepath.Join(w.dir, "certs", name)); err != nil {
			t.Fatal(err)
		}
	}
	w.certs()
	if err := w.reloader.Reload(t.Context()); err != nil {
		t.Fatal(err)
	}
	if serial() == before {
		t.Error("the old certificate is still served")
	}
}

func TestFixed(t *testing.T) {
	w := open(t)
	w.vars["HR"] = "http://127.0.0.1:1"
	w.write("state/.keep", "")
	base := preamble + plain
	load := func(text string) *config.Config {
		w.write("gatehouse.yaml", text)
		return w.load()
	}
	old := load(base)
	for _, tt := range []struct {
		name, from, to, want string
	}{
		{"nothing", "", "", ""},
		{"what is not bound to a socket", "log: {output", "timeouts: {body: 1s, idle: 2s, upstream: 3s}\nlimits: {body_bytes: 1KiB, body_memory: 1MiB}\nlog: {level: debug, output", ""},
		{"an address", `plain: {address: "127.0.0.1:0"}`, `plain: {address: "127.0.0.1:1"}`, "listeners.plain"},
		{"a listener more", `  plain:`, "  other: {address: \"127.0.0.1:0\"}\n  plain:", "listeners.other"},
		{"a listener less", `  plain: {address: "127.0.0.1:0"}`, "", "listeners"},
		{"TLS where there was none", `plain: {address: "127.0.0.1:0"}`, `plain: {address: "127.0.0.1:0", tls: {certificates: [{cert: certs/gateway.pem, key: certs/gateway-key.pem}]}}`, "listeners.plain"},
		{"the time for a head", "log: {", "timeouts: {header: 1s}\nlog: {", "timeouts.header"},
		{"the time to drain", "log: {", "timeouts: {drain: 1s}\nlog: {", "timeouts.drain"},
		{"the size of a head", "log: {", "limits: {header_bytes: 1KiB}\nlog: {", "limits.header_bytes"},
		{"the admin address", `admin: {address: "127.0.0.1:0"}`, `admin: {address: "127.0.0.1:1"}`, "admin.address"},
		{"where orders are kept", "log: {", "store: {folder: state}\nlog: {", "store.folder"},
		{"TLS of the admin listener", `admin: {address: "127.0.0.1:0"`, `admin: {address: "127.0.0.1:0", certificates: [{cert: certs/gateway.pem, key: certs/gateway-key.pem}]`, "admin.address"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got := fixed(old, load(strings.Replace(base, tt.from, tt.to, 1)))
			switch {
			case tt.want == "" && len(got) > 0:
				t.Errorf("got %v", got)
			case tt.want != "" && (len(got) != 1 || !strings.HasPrefix(got[0].Message, tt.want+" cannot change while the gateway runs") || got[0].Line == 0):
				t.Errorf("got %v, want one about %s", got, tt.want)
			}
		})
	}
}
