package gateway_test

import (
	"go/ast"
	"go/parser"
	gotoken "go/token"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func readText(t *testing.T, name string) string {
	t.Helper()
	b, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// function finds a function of a file of this package.
func function(t *testing.T, file, name string) *ast.FuncDecl {
	t.Helper()
	f, err := parser.ParseFile(gotoken.NewFileSet(), file, nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	for _, d := range f.Decls {
		if fn, ok := d.(*ast.FuncDecl); ok && fn.Name.Name == name {
			return fn
		}
	}
	t.Fatalf("%s has no function %s", file, name)
	return nil
}

// TestReadmeListsTheStages holds the table of stages in middleware/README.md
// against the list itself.
func TestReadmeListsTheStages(t *testing.T) {
	var list []string
	ast.Inspect(function(t, "pipeline.go", "stages"), func(n ast.Node) bool {
		lit, ok := n.(*ast.CompositeLit)
		if !ok {
			return true
		}
		for _, e := range lit.Elts {
			list = append(list, stageOf(t, e))
		}
		return false
	})
	const dir = "../middleware/"
	var told []string
	for _, m := range regexp.MustCompile("(?m)^\\| `([a-z]+)` \\| \\[([a-z]+)/\\]\\(([a-z]+)\\) \\|").FindAllStringSubmatch(readText(t, dir+"README.md"), -1) {
		told = append(told, m[1])
		if m[1] != m[2] || m[1] != m[3] {
			t.Errorf("the stage %s is said to be in %s and links to %s", m[1], m[2], m[3])
		}
		if _, err := os.Stat(filepath.Join(dir, m[3])); err != nil {
			t.Error(err)
		}
	}
	if diff := cmp.Diff(list, told); diff != "" {
		t.Errorf("middleware/README.md does not tell the stages in their order (-pipeline.go +README):\n%s", diff)
	}
}

// stageOf names the stage that an element of the list makes: x.New(…), or
// b.x(…) where making it can fail.
func stageOf(t *testing.T, e ast.Expr) string {
	t.Helper()
	if call, ok := e.(*ast.CallExpr); ok {
		if sel, ok := call.Fun.(*ast.SelectorExpr); ok {
			if from, ok := sel.X.(*ast.Ident); ok && sel.Sel.Name == "New" {
				return from.Name
			}
			return sel.Sel.Name
		}
	}
	t.Fatalf("an element of the list is not a call: %T", e)
	return ""
}

// TestReadmeNamesWhatIsFixed holds what needs a restart against the code that
// refuses it.
func TestReadmeNamesWhatIsFixed(t *testing.T) {
	_, section, _ := strings.Cut(readText(t, "README.md"), "### What needs a restart\n")
	section, _, _ = strings.Cut(section, "\n\nOne setting") // the list
	var refused []string
	ast.Inspect(function(t, "server.go", "fixed"), func(n ast.Node) bool {
		call, ok := n.(*ast.CallExpr)
		if !ok || len(call.Args) != 1 {
			return true
		}
		if fn, ok := call.Fun.(*ast.Ident); !ok || fn.Name != "add" {
			return true
		}
		if text, ok := call.Args[0].(*ast.BasicLit); ok {
			key, err := strconv.Unquote(text.Value)
			if err != nil {
				t.Fatal(err)
			}
			refused = append(refused, key)
		}
		return true
	})
	if len(refused) == 0 {
		t.Fatal("nothing is fixed")
	}
	for _, key := range refused {
		if key != "listeners" && !strings.Contains(section, "`"+key+"`") {
			t.Errorf("README.md does not say that %s needs a restart", key)
		}
	}
	for _, m := range regexp.MustCompile("`([a-z]+\\.[a-z_]+)`").FindAllStringSubmatch(section, -1) {
		if !slices.Contains(refused, m[1]) {
			t.Errorf("README.md says that %s needs a restart, which fixed does not refuse", m[1])
		}
	}
}

// TestReadmeLinks finds links to files that are not there.
func TestReadmeLinks(t *testing.T) {
	link := regexp.MustCompile(`\]\(([^)#:]+)(?:#[^)]*)?\)`)
	files, err := filepath.Glob("../*/README.md")
	if err != nil || len(files) == 0 {
		t.Fatal(files, err)
	}
	for _, file := range append(files, "../README.md") {
		for _, m := range link.FindAllStringSubmatch(readText(t, file), -1) {
			if _, err := os.Stat(filepath.Join(filepath.Dir(file), filepath.FromSlash(m[1]))); err != nil {
				t.Errorf("%s: %v", file, err)
			}
		}
	}
}
