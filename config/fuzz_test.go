package config

import (
	"encoding/hex"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"go.yaml.in/yaml/v4"
)

// contains looks for a secret as it is and in hexadecimal.
func contains(text, secret string) bool {
	return strings.Contains(text, secret) || strings.Contains(text, hex.EncodeToString([]byte(secret)))
}

// FuzzLoad feeds any bytes to the loader. It must not panic, every mistake must
// have a message and a place in the file, and what loads must be complete and
// must not show its secrets when it is written again.
func FuzzLoad(f *testing.F) {
	files, err := filepath.Glob("testdata/*.yaml")
	if err != nil {
		f.Fatal(err)
	}
	for _, file := range append(files, "gatehouse.yaml") {
		data, err := os.ReadFile(file)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(data)
	}
	folder, err := filepath.Abs("testdata")
	if err != nil {
		f.Fatal(err)
	}
	unset := func(string) (string, bool) { return "", false }
	f.Fuzz(func(t *testing.T, data []byte) {
		r := &report{source: source{file: "f", at: map[string]mark{}}, wrong: map[string]bool{}}
		c, err := r.load(data, folder, unset)
		if err != nil {
			if c != nil {
				t.Error("a configuration came with the mistakes")
			}
			for _, m := range err.(Mistakes) {
				if m.Message == "" || m.Line > 1+breaks(data) {
					t.Errorf("mistake %v", m)
				}
			}
			return
		}
		whole(t, c)
	})
}

// breaks counts at least the line breaks of YAML, in any encoding.
func breaks(data []byte) int {
	n := 0
	for _, b := range data {
		if b == '\n' || b == '\r' || b == 0x85 || b == 0xa8 || b == 0xa9 {
			n++
		}
	}
	return n
}

// whole checks what holds for every configuration that loads.
func whole(t *testing.T, c *Config) {
	t.Helper()
	out, err := yaml.Marshal(c)
	if err != nil {
		t.Fatal(err)
	}
	secrets := []Secret{c.Admin.Token}
	for _, i := range c.Issuers {
		secrets = append(secrets, i.Secret)
	}
	for _, k := range c.Masking.Keys {
		secrets = append(secrets, k)
	}
	for _, s := range secrets {
		// Shorter ones could be a word of the file by accident.
		if len(s) >= 32 && contains(string(out), s.Reveal()) {
			t.Errorf("the secret %q is in\n%s", s.Reveal(), out)
		}
	}
	for _, r := range c.Routes {
		if r.Timeouts.Idle <= 0 || r.Timeouts.Header <= 0 || r.Limits.BodyBytes <= 0 || r.Mask.Max <= 0 || r.Audit == "" {
			t.Errorf("route %q is not complete: %+v", r.Name, r)
		}
		if r.Public == (r.Authn != nil) || r.Public && !r.Policy.Stated {
			t.Errorf("route %q is open by accident", r.Name)
		}
	}
}
