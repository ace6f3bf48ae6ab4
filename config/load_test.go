package config

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// TestBad loads every testdata/*.bad.yaml. What must be said about it stands
// in its first lines: # want: LINE:COLUMN: MESSAGE.
func TestBad(t *testing.T) {
	files, err := filepath.Glob("testdata/*.bad.yaml")
	if err != nil || len(files) < 35 {
		t.Fatalf("%d files, %v", len(files), err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".bad.yaml"), func(t *testing.T) {
			data, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			var want []string
			for line := range strings.Lines(string(data)) {
				text, ok := strings.CutPrefix(line, "# want: ")
				if !ok {
					break
				}
				want = append(want, strings.TrimSuffix(text, "\n"))
			}
			c, err := Load(file)
			if c != nil {
				t.Error("a configuration came with the mistakes")
			}
			var mistakes Mistakes
			if !errors.As(err, &mistakes) {
				t.Fatalf("error is %T: %v", err, err)
			}
			var got []string
			for _, m := range mistakes {
				got = append(got, strings.TrimPrefix(m.Error(), file+":"))
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// TestGood loads every testdata/*.good.yaml.
func TestGood(t *testing.T) {
	files, err := filepath.Glob("testdata/*.good.yaml")
	if err != nil || len(files) == 0 {
		t.Fatalf("%d files, %v", len(files), err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".good.yaml"), func(t *testing.T) {
			if _, err := Load(file); err != nil {
				t.Error(err)
			}
		})
	}
}

// TestExample loads the annotated example beside the files it refers to.
func TestExample(t *testing.T) {
	c, err := Load(example(t))
	if err != nil {
		t.Fatal(err)
	}
	if w := c.Warnings(); len(w) > 0 {
		t.Error(w)
	}
	if got := c.Admin.Token.Reveal(); got != "a-token-of-some-length" {
		t.Errorf("admin token %q", got)
	}
}

// example copies gatehouse.yaml to a folder where everything it names exists.
func example(t *testing.T) string {
	t.Helper()
	root := t.TempDir()
	folder := filepath.Join(root, "config")
	data, err := os.ReadFile("gatehouse.yaml")
	if err != nil {
		t.Fatal(err)
	}
	for name, text := range map[string]string{
		"config/gatehouse.yaml":       string(data),
		"config/admin-token":          "a-token-of-some-length\n",
		"config/dev/gateway.pem":      "certificate",
		"config/dev/gateway-key.pem":  "key",
		"policies/rego/employee.rego": "package gatehouse",
	} {
		write(t, filepath.Join(root, name), text)
	}
	return filepath.Join(folder, "gatehouse.yaml")
}

func write(t *testing.T, file, text string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}
