package config

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.yaml.in/yaml/v4"
)

func load(t *testing.T, file string) *Config {
	t.Helper()
	c, err := Load(file)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// TestDefaultsAreFilledIn loads as little as possible and looks for the rest.
func TestDefaultsAreFilledIn(t *testing.T) {
	c := load(t, "testdata/minimal.good.yaml")
	want := Default()
	want.Version = 1
	want.Listeners = map[string]*Listener{"local": {Address: "127.0.0.1:0"}}
	want.Upstreams = map[string]*Upstream{"echo": {
		Connections: Pool{Idle: 256, IdleTimeout: Duration(30 * time.Second)},
		Endpoints:   []Endpoint{{URL: "http://127.0.0.1:9080", Weight: 1}},
		Protocol:    "auto", Resolve: Duration(30 * time.Second), Balance: "round_robin",
	}}
	want.Routes = []*Route{{
		Name: "all", Match: Match{Path: "/"}, Upstream: "echo", Public: true,
		RateCost: 1,
		CSRF:     CSRF{Mode: "auto"},
		Policy:   Policy{Off: true, Stated: true, Masks: "optional", Rows: "optional", Bodies: "json", Placeholders: "reject"},
		Mask: Mask{Buffer: "stream", Max: 8 << 20, Unclassified: "off", OracleParameters: []string{
			"ordering", "order", "order_by", "sort", "sort_by", "fields", "select",
			"include", "exclude", "expand", "columns", "filter", "where", "having", "and", "or",
			"group_by", "distinct", "apply", "compute",
			"sort_field", "sort_column", "sort_key", "order_field", "order_column", "group", "aggregate", "projection", "attributes",
		}},
		Timeouts: want.Timeouts, Limits: want.Limits, Priority: "normal",
		Audit: "metadata",
	}}
	c.source = source{}
	if diff := cmp.Diff(want, c, cmp.AllowUnexported(Config{}, source{})); diff != "" {
		t.Error(diff)
	}
}

// TestCompletion looks at the defaults that depend on other values.
func TestCompletion(t *testing.T) {
	c := load(t, "testdata/full.good.yaml")
	first, last := c.Routes[0], c.Routes[3]
	if got := first.Timeouts; got.Upstream.D() != 3*time.Second || got.Body.D() != 30*time.Second || got.Drain.D() != 5*time.Second {
		t.Errorf("timeouts of the first route: %+v", got)
	}
	if first.Limits.BodyBytes != 2<<20 || first.Limits.HeaderBytes != 16<<10 || last.Limits != c.Limits {
		t.Errorf("limits: %+v, %+v", first.Limits, last.Limits)
	}
	if first.Authn.ForwardToken || !c.Routes[1].Authn.ForwardToken {
		t.Error("forward_token is not as written, or not true by default")
	}
	fields := map[string]SanitizeField{
		"/bio":             {HTML: "ugc", SQLInjection: "off"},
		"/people/*/a.b~1c": {HTML: "reject", SQLInjection: "reject"},
		"query:q":          {HTML: "report", SQLInjection: "off"},
		"query:page":       {HTML: "off", SQLInjection: "reject"},
		"header:x-note":    {HTML: "reject", SQLInjection: "report"},
	}
	if diff := cmp.Diff(fields, first.Sanitize.Fields); diff != "" {
		t.Error(diff)
	}
	if last.Sanitize.HTML != "strip" || len(last.Sanitize.MediaTypes) != 4 || len(last.CORS.Methods) != 3 {
		t.Errorf("sections without keys: %+v, %+v", last.Sanitize, last.CORS)
	}
	for name, want := range map[string]int{"smooth": 20, "default-burst": 5, "window": 0, "exact": 0} {
		if got := c.RateLimits[name].Burst; got != want {
			t.Errorf("burst of %s is %d, want %d", name, got, want)
		}
	}
	for i, want := range []Policy{
		{Stated: true, Body: true, Masks: "required", Rows: "required", Bodies: "any", Placeholders: "drop"},
		{Stated: true, Masks: "optional", Rows: "optional", Bodies: "json", Placeholders: "reject"},
		{Stated: true, Masks: "optional", Rows: "optional", Bodies: "json", Placeholders: "reject"},
		{Stated: true, Off: true, Masks: "optional", Rows: "optional", Bodies: "json", Placeholders: "reject"},
	} {
		if got := c.Routes[i].Policy; got != want {
			t.Errorf("policy %d: %+v", i, got)
		}
	}
	if got := c.Store.Redis.Password.Reveal(); got != "a password" {
		t.Errorf("password %q", got)
	}
}

// TestPathsAreAbsolute because a reload must not depend on where it happens.
func TestPathsAreAbsolute(t *testing.T) {
	c := load(t, "testdata/full.good.yaml")
	folder, err := filepath.Abs("testdata")
	if err != nil {
		t.Fatal(err)
	}
	for got, want := range map[string]string{
		c.Listeners["public"].TLS.Certificates[0].Key: "dev/gateway-key.pem",
		c.Log.Output:                "gatehouse.log",
		c.Issuers["filed"].JWKSFile: "dev/jwks.json",
		c.Store.Redis.CA:            "dev/ca.pem",
		c.Policies.Path:             "rego",
		c.Policies.Data:             "dev",
	} {
		if got != filepath.Join(folder, want) {
			t.Errorf("%s is %s", want, got)
		}
	}
	var files []string
	for _, f := range c.Files() {
		rel, err := filepath.Rel(folder, f)
		if err != nil {
			t.Fatal(err)
		}
		files = append(files, rel)
	}
	want := []string{
		"full.good.yaml", "dev/gateway.pem", "dev/gateway-key.pem", "dev/ca.pem", "dev/admin-token", "dev/jwks.json",
	}
	if diff := cmp.Diff(want, files); diff != "" {
		t.Error(diff)
	}
}

func TestMistake(t *testing.T) {
	c := load(t, "testdata/full.good.yaml")
	for path, want := range map[string]string{
		"routes[0].upstream":                         "71:15",
		"routes[1].upstream":                         "105:15",
		"routes[1].session.idle":                     "103:5", // the route, which says nothing of it
		"issuers.filed.jwks_file":                    "36:72",
		"listeners.public.tls.certificates[0].cert":  "9:17",
		"listeners.public.tls.certificates":          "8:7",
		"listeners.public.tls.certificates[7].cert":  "8:7",
		"routes[0].sanitize.fields./people/*/a.b~1c": "88:35",
		"nothing.like.it":                            "2:1",
	} {
		m := c.Mistake(path, "is %s", "wrong")
		if got := m.Error(); got != "testdata/full.good.yaml:"+want+": is wrong" {
			t.Errorf("%s: %s, want %s", path, got, want)
		}
	}
	if got := new(Config).Mistake("routes[0]", "x"); got.Line != 0 || got.Message != "x" {
		t.Errorf("without a file: %+v", got)
	}
}

func TestWarnings(t *testing.T) {
	var got []string
	for _, w := range load(t, "testdata/warnings.good.yaml").Warnings() {
		got = append(got, strings.TrimPrefix(w.Error(), "testdata/warnings.good.yaml:"))
	}
	want := []string{
		"13:31: the policies' tests are off: nothing tries the policies before they decide",
		"13:44: the policies' probes are off: nothing tries the policies before they decide",
		`15:5: route "neither" lets callers in by token but requires neither masks nor rows; a policy that forgets them serves everything`,
		`23:13: route "off" lets callers in by token but requires neither masks nor rows; a policy that forgets them serves everything`,
		`34:19: rate limit "per-user" counts by subject.id, and a public route has no subject`,
		"41:5: a cookie carries the token and csrf is off: any site can make changes in the name of its visitors",
		`42:22: "http://app.example.com" comes in plain text: whoever is on the way can write its pages, and read with its users' credentials`,
		"48:5: pages of other origins can change nothing by cookie unless headers and expose_headers list X-CSRF-Token",
		`49:84: rate limit "plans" counts by subject.role, and a public route has no subject`,
		`49:84: rate limit "plans" takes its rate from policies, which this route does not ask; its own rate holds here`,
		"50:21: the log goes there as well; `gatehouse policy replay` takes only what holds nothing but decisions",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

// TestWrittenAgain reads what yaml.Marshal writes: off must stay off.
func TestWrittenAgain(t *testing.T) {
	c := load(t, "testdata/minimal.good.yaml")
	out, err := yaml.Marshal(c.Routes[0])
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(string(out), "\npolicy: \"off\"\n") {
		t.Errorf("%s", out)
	}
	whole(t, load(t, "testdata/full.good.yaml"))
}

func TestNoFile(t *testing.T) {
	folder := t.TempDir()
	write(t, filepath.Join(folder, "large.yaml"), strings.Repeat("#", maxFile+1))
	for name, want := range map[string]string{
		"none.yaml": "does not exist", "": "is not a regular file", "large.yaml": "is larger than 4MiB",
	} {
		file := filepath.Join(folder, name)
		_, err := Load(file)
		var m Mistakes
		if !errors.As(err, &m) || err.Error() != file+": "+want {
			t.Errorf("%v", err)
		}
	}
}

// TestReadmeLoads takes the README at its word.
func TestReadmeLoads(t *testing.T) {
	readme, err := os.ReadFile("README.md")
	if err != nil {
		t.Fatal(err)
	}
	blocks := strings.Split(string(readme), "```yaml\n")[1:]
	if len(blocks) == 0 {
		t.Fatal("no blocks")
	}
	for _, b := range blocks {
		text, _, _ := strings.Cut(b, "```")
		file := filepath.Join(t.TempDir(), "gatehouse.yaml")
		write(t, file, text)
		load(t, file)
	}
}
