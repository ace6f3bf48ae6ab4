package bundle

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
)

// Names in the cache folder.
const (
	lastGoodName  = "last-good.tar.gz"
	acceptedName  = "accepted.json"
	candidateName = "candidate.tar.gz"
)

// Candidate is the file in a cache folder that changes when there is something
// new at a URL.
func Candidate(cache string) string { return filepath.Join(cache, candidateName) }

// accepted is the newest bundle that has been in force.
type accepted struct {
	Serial  int64  `json:"serial"`
	Content string `json:"content"` // its hash
}

// readAccepted reads what is known of the past. No file means there is none; a
// file that cannot be read is an error, or else damage would let old bundles in.
func readAccepted(cache string) (accepted, error) {
	var a accepted
	name := filepath.Join(cache, acceptedName)
	text, err := os.ReadFile(name)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return a, nil
	case err != nil:
		return a, err
	}
	if err := json.Unmarshal(text, &a); err != nil || a.Serial < 1 || a.Content == "" {
		return a, fmt.Errorf("%s does not tell which bundle was the last; remove it to begin anew", name)
	}
	return a, nil
}

// mayFollow refuses to go back.
func (a accepted) mayFollow(b *Bundle) error {
	switch {
	case b.Serial < a.Serial:
		return fmt.Errorf("the bundle is older than one that has been in force: serial %d, after %d", b.Serial, a.Serial)
	case b.Serial == a.Serial && b.content() != a.Content:
		return fmt.Errorf("serial %d was another bundle before: a bundle that differs needs a higher one", b.Serial)
	}
	return nil
}

// write replaces a file in one step: who reads it, now or after a crash, finds
// the old content or the new.
func write(name string, content []byte) error {
	f, err := os.CreateTemp(filepath.Dir(name), "."+filepath.Base(name)+"-*")
	if err != nil {
		return err
	}
	_, err = f.Write(content)
	if err = errors.Join(err, f.Sync(), f.Close()); err == nil {
		err = os.Rename(f.Name(), name)
	}
	if err != nil {
		_ = os.Remove(f.Name())
	}
	return err
}

// readAtMost reads a file, but not one that is larger than it may be.
func readAtMost(name string, size int64) ([]byte, error) {
	f, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return atMost(f, size)
}

func atMost(r io.Reader, size int64) ([]byte, error) {
	content, err := io.ReadAll(io.LimitReader(r, size+1))
	if err == nil && int64(len(content)) > size {
		return nil, fmt.Errorf("the bundle is larger than %d bytes", size)
	}
	return content, err
}
