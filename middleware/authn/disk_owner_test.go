//go:build unix

package authn

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// Whoever else is on the machine may put a file where everybody may put one, and
// signs tokens with a key of his own.
func TestKeysOfAnotherUser(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("only root can give files away")
	}
	k := keysOnce()
	const nobody = 65534
	for _, c := range []struct {
		name string
		give func(folder, file string) error
		why  string
	}{
		{"ours", func(string, string) error { return nil }, ""},
		{"another's", func(_, file string) error { return os.Chown(file, nobody, nobody) }, "belongs to another user"},
		{"a link to another's", func(_, file string) error {
			if err := os.Rename(file, file+".real"); err != nil {
				return err
			}
			if err := os.Chown(file+".real", nobody, nobody); err != nil {
				return err
			}
			return os.Symlink(file+".real", file)
		}, "belongs to another user"},
		{"a group's", func(_, file string) error { return os.Chmod(file, 0o660) }, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			folder := t.TempDir()
			writeKept(t, folder, nil, jwkOf(t, "k1", k.rsa, nil))
			if err := c.give(folder, filepath.Join(folder, "keys-auth.json")); err != nil {
				t.Fatal(err)
			}
			h, err := diskOf(folder).load(time.Now())
			if c.why == "" {
				if err != nil || h == nil {
					t.Errorf("got %v, %v", h, err)
				}
				return
			}
			if h != nil || err == nil || !strings.Contains(err.Error(), c.why) {
				t.Errorf("got %v, %v", h, err)
			}
		})
	}
}
