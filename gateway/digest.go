package gateway

import (
	"crypto/sha256"
	"encoding/hex"
	"io/fs"
	"os"
	"path/filepath"
	"sort"
	"strings"

	"github.com/gatehouse-dev/gatehouse/config"
	"github.com/gatehouse-dev/gatehouse/policies/opa/bundle"
)

func digest(b []byte) string {
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:])
}

// fileDigest identifies the content of a file; one that cannot be read has a
// digest too, so that its appearance is a change.
func fileDigest(name string) string {
	if name == "" {
		return ""
	}
	b, err := os.ReadFile(name)
	if err != nil {
		return "unreadable"
	}
	return digest(b)
}

// sources identifies the content of everything a configuration was made from:
// the file, what it refers to, and the folders of policies. Polling content
// works where watching fails: mounted volumes that are swapped by symbolic
// links, network file systems, editors that rename. Of folders, what policies
// are not read from does not count: hidden names, among them the folders behind
// the links of a mounted volume.
func sources(c *config.Config) string {
	names := append([]string(nil), c.Files()...)
	if b := c.Policies.Bundle; b != nil {
		names = append(names, bundle.Candidate(b.Cache)) // what has come from a URL
	}
	for _, dir := range []string{c.Policies.Path, c.Policies.Data, c.Policies.Shadow, c.Policies.ShadowData} {
		if dir == "" {
			continue
		}
		// The folder itself may be a link, which filepath.WalkDir would not follow.
		_ = fs.WalkDir(os.DirFS(dir), ".", func(name string, e fs.DirEntry, err error) error {
			switch {
			case err != nil || name == ".":
			case strings.HasPrefix(e.Name(), ".") && e.IsDir():
				return fs.SkipDir
			case !strings.HasPrefix(e.Name(), ".") && !e.IsDir():
				names = append(names, filepath.Join(dir, filepath.FromSlash(name)))
			}
			return nil
		})
	}
	sort.Strings(names)
	h := sha256.New()
	for _, n := range names {
		h.Write([]byte(n + "\x00" + fileDigest(n) + "\x00"))
	}
	return hex.EncodeToString(h.Sum(nil))
}
