package authn

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"time"
)

// disk keeps the last good keys of an issuer in a file, so that a gateway which
// starts while the issuer is down can check tokens. What is kept is written anew
// from the public keys in use: nothing else that was published gets there. What
// is read back is judged as if the issuer had sent it.
//
// Whoever can write the file can sign tokens. It is made for its owner alone,
// and not believed where everybody may write it or somebody else has made it.
type disk struct {
	file   string
	issuer string   // the iss whose keys these are
	from   string   // the configured address that they come from
	algs   []string // the issuer's algorithms
}

// kept is the content of the file.
type kept struct {
	Issuer  string              `json:"issuer"`
	From    string              `json:"from"`
	Fetched time.Time           `json:"fetched"`
	Keys    []map[string]string `json:"keys"`
}

// openDisk names the file of an issuer in a folder; nil where there is none. The
// issuer's name can stand in a file's name (config).
func openDisk(folder, name string, f *fetcher) *disk {
	if folder == "" {
		return nil
	}
	d := &disk{file: filepath.Join(folder, "keys-"+name+".json"), issuer: f.issuer, from: f.url, algs: f.algs}
	if f.discovery != "" {
		d.from = f.discovery
	}
	return d
}

// load gives the keys that were kept, nil where none were. The error says why
// those that were are not used.
func (d *disk) load(now time.Time) (*held, error) {
	data, err := d.read()
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil, nil
	case err != nil:
		return nil, err
	}
	var k kept
	if err := json.Unmarshal(data, &k); err != nil {
		return nil, fmt.Errorf("%s is damaged", d.file)
	}
	switch age := now.Sub(k.Fetched); {
	case k.Issuer != d.issuer || k.From != d.from:
		return nil, fmt.Errorf("%s holds keys of another issuer or address", d.file)
	case age > maxStale:
		return nil, fmt.Errorf("%s holds keys from %s, which are too old", d.file, k.Fetched.UTC().Format(time.RFC3339))
	case age < -time.Minute:
		return nil, fmt.Errorf("%s holds keys from the future", d.file)
	}
	set, err := parseKeySet(data, d.algs)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", d.file, err)
	}
	return &held{set: set, fetched: k.Fetched}, nil
}

func (d *disk) read() ([]byte, error) {
	info, err := os.Stat(d.file)
	switch {
	case err != nil:
		return nil, err
	case !info.Mode().IsRegular():
		return nil, fmt.Errorf("%s is not a file", d.file) // opening a pipe would wait
	case info.Mode().Perm()&0o002 != 0:
		return nil, fmt.Errorf("%s may be written by everybody", d.file)
	case foreign(info):
		return nil, fmt.Errorf("%s belongs to another user", d.file)
	}
	return readFile(d.file)
}

// readFile reads a file of keys whole, if it is not larger than one may be.
func readFile(name string) ([]byte, error) {
	f, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, maxKeySet+1))
	if err != nil {
		return nil, err
	}
	if len(data) > maxKeySet {
		return nil, fmt.Errorf("%s is larger than %d bytes", name, maxKeySet)
	}
	return data, nil
}

// save keeps keys. Whoever reads the file meanwhile sees those before or these,
// and so does a gateway after the power has failed.
func (d *disk) save(h *held) error {
	data, err := json.MarshalIndent(kept{Issuer: d.issuer, From: d.from, Fetched: h.fetched.UTC(), Keys: h.set.public()}, "", " ")
	if err != nil {
		return err
	}
	f, err := os.CreateTemp(filepath.Dir(d.file), "."+filepath.Base(d.file)+"-*") // 0600
	if err != nil {
		return err
	}
	_, err = f.Write(append(data, '\n'))
	err = errors.Join(err, f.Sync(), f.Close())
	if err == nil {
		err = os.Rename(f.Name(), d.file)
	}
	if err != nil {
		_ = os.Remove(f.Name())
	}
	return err
}

// public writes the keys as a JWK set has them, with nothing that would not be
// read again.
func (s *keySet) public() []map[string]string {
	out := make([]map[string]string, len(s.keys))
	for i, k := range s.keys {
		out[i] = map[string]string{"use": "sig"}
		maps.Copy(out[i], publicMembers(k.raw))
		if k.id != "" {
			out[i]["kid"] = k.id
		}
		if k.alg != "" {
			out[i]["alg"] = k.alg
		}
	}
	return out
}
