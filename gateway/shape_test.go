package gateway_test

import (
	"go/ast"
	"go/parser"
	gotoken "go/token"
	"io/fs"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

const module = "github.com/gatehouse-dev/gatehouse"

// home says which rooms may use a library, by the prefix of its import path.
// Replacing a library then touches one room.
func home() map[string][]string {
	return map[string][]string{
		"github.com/open-policy-agent/opa":       {"policies/opa", "policies/opa/bundle", "policies/opa/cases", "policies/opa/memo"},
		"github.com/lestrrat-go/jwx":             {"middleware/authn"},
		"github.com/ulule/limiter":               {"middleware/ratelimit"},
		"github.com/redis/go-redis":              {"middleware/store", "middleware/store/storetest", "middleware/ratelimit", "middleware/orders", "middleware/session"},
		"github.com/microcosm-cc/bluemonday":     {"middleware/sanitize"},
		"github.com/corazawaf/libinjection-go":   {"middleware/sanitize"},
		"github.com/gabriel-vasile/mimetype":     {"middleware/upload"},
		"github.com/klauspost/compress":          {"middleware/mask/coding"},
		"github.com/andybalholm/brotli":          {"middleware/mask/coding"},
		"github.com/vektah/gqlparser":            {"middleware/mask/graphql"},
		"github.com/hashicorp/golang-lru":        {"middleware/mask", "middleware/authz"},
		"github.com/sony/gobreaker":              {"gateway/upstream"},
		"go.yaml.in/yaml":                        {"config"},
		"go.uber.org/zap":                        {"gateway", "cmd/gatehouse", "certs/acme"}, // certmagic logs to it
		"github.com/caddyserver/certmagic":       {"certs/acme"},
		"github.com/mholt/acmez":                 {"certs/acme"},
		"github.com/prometheus/client_golang":    {"gateway/telemetry"},
		"go.opentelemetry.io/otel":               {"gateway/telemetry"},
		"github.com/pires/go-proxyproto":         {"gateway/listen"},
		"golang.org/x/crypto/x509roots/fallback": {"cmd/gatehouse"},
		"golang.org/x/net/idna":                  {"gateway/edge"},
	}
}

// mayImport says which rooms of ours a room may use. Rooms are matched by their
// longest prefix; * stands for one name.
func mayImport() map[string][]string {
	stage := []string{"middleware", "middleware/field", "middleware/internal/*", "middleware/store", "config", "policies"}
	return map[string][]string{
		"config":                    {},
		"config/reference":          {"config"},
		"policies":                  {},
		"policies/compare":          {"policies"},
		"policies/record":           {"policies"},
		"policies/replay":           {"policies", "policies/compare", "policies/record"},
		"policies/opa":              {"policies", "policies/record", "policies/opa/memo"},
		"policies/opa/*":            {"policies", "policies/opa", "policies/opa/*"},
		"policies/opa/memo":         {"policies"},
		"certs":                     {"config"},
		"certs/acme":                {"certs", "config"},
		"certs/acme/acmetest":       {"certs"},
		"middleware":                {"middleware/internal/formdata", "config", "policies"},
		"middleware/field":          {},
		"middleware/internal/*":     {},
		"middleware/mask/redact":    {},
		"middleware/mask/*":         {"middleware/mask/redact"},
		"middleware/middlewaretest": {"middleware", "config", "policies"},
		"middleware/*":              stage,
		"middleware/store":          {"config"},
		"middleware/store/*":        {"middleware/store", "config"},
		"middleware/session":        append([]string{"middleware/orders"}, stage...),
		"middleware/lockdown":       append([]string{"middleware/orders"}, stage...),
		"middleware/guard":          append([]string{"middleware/orders", "middleware/alert", "middleware/guard/detect"}, stage...),
		"middleware/guard/detect":   {"middleware"},
		"middleware/authz":          append([]string{"middleware/mask/redact"}, stage...),
		"middleware/mask":           append([]string{"middleware/mask/*"}, stage...),
		"gateway/telemetry":         {"middleware", "config"},
		"gateway/edge":              {},
		"gateway/wire":              {"middleware/field"},
		"gateway/h1":                {"gateway/wire", "middleware/field"},
		"gateway/listen":            {"gateway/edge"},
		"gateway/upstream":          {"middleware", "middleware/field", "config", "certs", "gateway/upstream/h1"},
		"gateway/upstream/h1":       {"gateway/wire", "middleware/field"},
		"gateway":                   {"gateway/telemetry", "gateway/upstream", "gateway/edge", "gateway/listen", "gateway/h1", "middleware", "middleware/*", "middleware/guard/detect", "policies", "policies/*", "policies/opa/*", "config", "certs", "certs/acme"},
		"gateway/admin":             {"gateway", "middleware/alert", "middleware/authn", "middleware/orders", "middleware/ratelimit", "config", "certs"},
		"cmd/gatehouse/demo":        {"certs", "policies"},
		"cmd/gatehouse":             {"cmd/gatehouse/demo", "gateway", "gateway/admin", "gateway/telemetry", "middleware/*", "policies", "policies/*", "policies/opa/*", "config", "certs"},
	}
}

// TestShape holds the architecture: imports run one way, and every library has
// one home.
func TestShape(t *testing.T) {
	for pkg, imports := range packages(t) {
		allowed, known := ruleOf(pkg)
		if !known {
			t.Errorf("%s: no rule says what this room may import", pkg)
			continue
		}
		for _, i := range imports {
			if inner, ok := strings.CutPrefix(i, module+"/"); ok {
				if inner != pkg && !matchesAny(inner, allowed) {
					t.Errorf("%s may not import %s", pkg, inner)
				}
				continue
			}
			for library, rooms := range home() {
				if (i == library || strings.HasPrefix(i, library+"/")) && !slices.Contains(rooms, pkg) {
					t.Errorf("%s imports %s, whose home is %s", pkg, i, strings.Join(rooms, " and "))
				}
			}
		}
	}
}

// TestParentIsStandardLibraryOnly keeps the contract free of libraries.
func TestParentIsStandardLibraryOnly(t *testing.T) {
	for _, pkg := range []string{"middleware", "policies", "middleware/mask/redact"} {
		for _, i := range packages(t)[pkg] {
			if strings.Contains(strings.Split(i, "/")[0], ".") && !strings.HasPrefix(i, module) {
				t.Errorf("%s imports %s", pkg, i)
			}
		}
	}
}

// TestEveryPackageIsDocumented wants a package comment in every room.
func TestEveryPackageIsDocumented(t *testing.T) {
	documented := map[string]bool{}
	walk(t, func(pkg string, f *ast.File) {
		documented[pkg] = documented[pkg] || f.Doc != nil
	})
	for pkg, ok := range documented {
		if !ok {
			t.Errorf("%s has no package comment", pkg)
		}
	}
}

// TestNoInit keeps start-up in one place: no init functions, anywhere.
func TestNoInit(t *testing.T) {
	walk(t, func(pkg string, f *ast.File) {
		for _, d := range f.Decls {
			if fn, ok := d.(*ast.FuncDecl); ok && fn.Recv == nil && fn.Name.Name == "init" {
				t.Errorf("%s has an init function", pkg)
			}
		}
	})
}

func matchesAny(pkg string, patterns []string) bool {
	for _, p := range patterns {
		if ok, _ := path.Match(p, pkg); ok {
			return true
		}
	}
	return false
}

// ruleOf gives the rule of a room: its own, or one with a *.
func ruleOf(pkg string) ([]string, bool) {
	rules := mayImport()
	if r, ok := rules[pkg]; ok {
		return r, true
	}
	for pattern, r := range rules {
		if ok, _ := path.Match(pattern, pkg); ok {
			return r, true
		}
	}
	return nil, false
}

func packages(t *testing.T) map[string][]string {
	out := map[string][]string{}
	walk(t, func(pkg string, f *ast.File) {
		out[pkg] = append(out[pkg], importsOf(f)...)
	})
	return out
}

func importsOf(f *ast.File) []string {
	var out []string
	for _, i := range f.Imports {
		if p, err := strconv.Unquote(i.Path.Value); err == nil {
			out = append(out, p)
		}
	}
	return out
}

// walk visits every Go file that is not a test. bench is a module of its own:
// nothing here can import it.
func walk(t *testing.T, visit func(pkg string, f *ast.File)) {
	t.Helper()
	root := ".."
	files := gotoken.NewFileSet()
	err := filepath.WalkDir(root, func(p string, e fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if e.IsDir() && (strings.HasPrefix(e.Name(), ".") && p != root || e.Name() == "testdata" || p == filepath.Join(root, "bench")) {
			return filepath.SkipDir
		}
		if e.IsDir() || !strings.HasSuffix(p, ".go") || strings.HasSuffix(p, "_test.go") {
			return nil
		}
		f, err := parser.ParseFile(files, p, nil, parser.ParseComments)
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(root, filepath.Dir(p))
		if err != nil {
			return err
		}
		visit(filepath.ToSlash(rel), f)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}
