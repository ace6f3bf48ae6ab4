package main

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/gatehouse-dev/gatehouse/middleware"
)

func readme(t *testing.T) string {
	t.Helper()
	b, err := os.ReadFile("../../README.md")
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// codeTable is the table of refusals as the README must show it.
func codeTable() string {
	var b strings.Builder
	b.WriteString("| code | status | meaning |\n|---|---|---|\n")
	for _, c := range middleware.Codes() {
		fmt.Fprintf(&b, "| `%s` | %d | %s |\n", c.Code, c.Status, c.Meaning)
	}
	return b.String()
}

func TestReadmeListsEveryCode(t *testing.T) {
	if !strings.Contains(readme(t), codeTable()) {
		t.Errorf("the README's table of refusals is not current; it must be\n%s", codeTable())
	}
}

// TestReadmePolicyLoads loads the policy that the README shows.
func TestReadmePolicyLoads(t *testing.T) {
	_, rest, _ := strings.Cut(readme(t), "```rego\n")
	policy, _, ok := strings.Cut(rest, "```")
	if !ok {
		t.Fatal("the README shows no policy")
	}
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "readme.rego"), []byte(policy), 0o600); err != nil {
		t.Fatal(err)
	}
	var out, errs bytes.Buffer
	if code := run(t.Context(), &env{strings.NewReader(""), &out, &errs}, []string{"policy", "check", dir}); code != exitOK {
		t.Errorf("exit %d: %s%s", code, &out, &errs)
	}
}

// TestReadmeShowsTheDemo runs the demo's requests and holds the README's table
// against what they showed.
func TestReadmeShowsTheDemo(t *testing.T) {
	var out, errs bytes.Buffer
	if code := run(t.Context(), &env{strings.NewReader(""), &out, &errs}, []string{"demo", "--check"}); code != exitOK {
		t.Fatalf("exit %d\n%s%s", code, &out, &errs)
	}
	_, rest, _ := strings.Cut(readme(t), "<!-- demo -->\n```\n")
	shown, _, _ := strings.Cut(rest, "```")
	if shown != out.String() {
		t.Errorf("the README shows\n%s\nthe demo printed\n%s", shown, out.String())
	}
}
