// Package bundle reads and makes signed bundles of policies, and keeps watch on
// where they come from.
//
// A bundle is what Open Policy Agent calls one: a .tar.gz of Rego and data.json
// (or data.yaml) files, with a .manifest and a .signatures.json whose signature
// covers the content of every other file. `gatehouse policy bundle` and `opa
// build` make them. What is read here is stricter than there:
//
//   - the signature is EdDSA with an Ed25519 key that the reader knows by a name
//     that is not empty; a bundle cannot choose another algorithm;
//   - no file may be in it that would be left aside, and none twice;
//   - the manifest's revision is a serial number, and a [Source] never goes back
//     to a lower one.
//
// Where bundles come from may fail, lie or repeat old ones: the worst it can do
// is keep new policies away, which is told. The last good bundle is kept on disk
// for a start while there is no other, and verified again when it is read.
package bundle

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"crypto/ed25519"
	"crypto/sha256"
	"crypto/x509"
	"encoding/binary"
	"encoding/hex"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"path"
	"slices"
	"strconv"
	"strings"

	"github.com/open-policy-agent/opa/v1/ast"
	"github.com/open-policy-agent/opa/v1/bundle"
	"github.com/open-policy-agent/opa/v1/loader/filter"
)

// DefaultSize bounds a bundle where nothing else is said, in bytes.
const DefaultSize = 32 << 20

// algorithm of all signatures; an Ed25519 key fits no other.
const algorithm = "EdDSA"

// overhead is what an archive may have beside the content of its files.
const overhead = 1 << 20

// Names of the files that are about the bundle.
const (
	manifestName   = ".manifest"
	signaturesName = ".signatures.json"
)

// Bundle is a bundle whose signature is good.
type Bundle struct {
	// Serial is its number, from 1.
	Serial int64
	// Files are the Rego and data files, by slash-separated name.
	Files map[string][]byte

	packed []byte
}

// content identifies what is in the bundle, however it is packed.
func (b *Bundle) content() string {
	h := sha256.New()
	part := func(p []byte) {
		var n [8]byte
		binary.BigEndian.PutUint64(n[:], uint64(len(p)))
		h.Write(n[:])
		h.Write(p)
	}
	for _, name := range slices.Sorted(maps.Keys(b.Files)) {
		part([]byte(name))
		part(b.Files[name])
	}
	return hex.EncodeToString(h.Sum(nil))
}

// Reader reads bundles that are signed with one of its keys.
type Reader struct {
	keys map[string]*bundle.KeyConfig
	size int64
}

// NewReader makes a reader from public keys in PEM form by their id. size
// bounds a bundle, packed and unpacked, in bytes; 0 means [DefaultSize].
func NewReader(keys map[string][]byte, size int64) (*Reader, error) {
	r := &Reader{keys: map[string]*bundle.KeyConfig{}, size: size}
	if r.size <= 0 {
		r.size = DefaultSize
	}
	for _, id := range slices.Sorted(maps.Keys(keys)) {
		if id == "" {
			return nil, errors.New("a key without a name")
		}
		block, _ := pem.Decode(keys[id])
		if block == nil || block.Type != "PUBLIC KEY" {
			return nil, fmt.Errorf("key %s is not a PEM block PUBLIC KEY", id)
		}
		key, err := x509.ParsePKIXPublicKey(block.Bytes)
		if _, ok := key.(ed25519.PublicKey); err != nil || !ok {
			return nil, fmt.Errorf("key %s is not an Ed25519 key", id)
		}
		r.keys[id] = &bundle.KeyConfig{Key: string(pem.EncodeToMemory(block)), Algorithm: algorithm}
	}
	if len(r.keys) == 0 {
		return nil, errors.New("no key is given")
	}
	return r, nil
}

// Read gives the content of a packed bundle, if its signature is good.
func (r *Reader) Read(packed []byte) (*Bundle, error) {
	files, err := r.unpack(packed)
	if err != nil {
		return nil, err
	}
	if files[signaturesName] == nil {
		return nil, errors.New("the bundle is not signed: it has no " + signaturesName)
	}
	if files[manifestName] == nil {
		return nil, errors.New("the bundle has no " + manifestName + " to tell its serial number")
	}
	// The bytes that are verified are those that are handed on: the archive is
	// not read a second time, by other code.
	b, err := bundle.NewCustomReader(&memory{files: files, names: slices.Sorted(maps.Keys(files))}).
		WithBundleVerificationConfig(bundle.NewVerificationConfig(r.keys, "", "", nil)).
		WithSizeLimitBytes(r.size).
		WithLazyLoadingMode(false).
		WithRegoVersion(ast.RegoV1).
		Read()
	if err != nil {
		return nil, fmt.Errorf("the bundle is refused: %w", err)
	}
	serial, err := strconv.ParseInt(b.Manifest.Revision, 10, 64)
	if err != nil || serial < 1 || strconv.FormatInt(serial, 10) != b.Manifest.Revision {
		return nil, fmt.Errorf("the manifest's revision %q is not a serial number: a whole number from 1", b.Manifest.Revision)
	}
	delete(files, signaturesName)
	delete(files, manifestName)
	return &Bundle{Serial: serial, Files: files, packed: packed}, nil
}

// unpack reads the archive. It refuses what policies are not made of, so that
// nothing in a bundle is silently without effect.
func (r *Reader) unpack(packed []byte) (map[string][]byte, error) {
	if int64(len(packed)) > r.size {
		return nil, fmt.Errorf("the bundle is larger than %d bytes", r.size)
	}
	z, err := gzip.NewReader(bytes.NewReader(packed))
	if err != nil {
		return nil, fmt.Errorf("is not a .tar.gz: %w", err)
	}
	stream := &io.LimitedReader{R: z, N: r.size + overhead}
	archive, files, left := tar.NewReader(stream), map[string][]byte{}, r.size
	for {
		head, err := archive.Next()
		switch {
		case errors.Is(err, io.EOF):
			return files, nil
		case stream.N <= 0:
			return nil, r.tooLarge()
		case err != nil:
			return nil, fmt.Errorf("is not a .tar.gz: %w", err)
		case head.Typeflag == tar.TypeDir:
			continue
		}
		// What an archive says of a file's size may be far more than it holds.
		if left -= head.Size; left < 0 {
			return nil, r.tooLarge()
		}
		name := strings.TrimPrefix(strings.TrimPrefix(head.Name, "./"), "/")
		if err := acceptable(name, head.Typeflag); err != nil {
			return nil, err
		}
		if _, twice := files[name]; twice {
			return nil, fmt.Errorf("%s is in the bundle twice", name)
		}
		if files[name], err = io.ReadAll(archive); err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
	}
}

func (r *Reader) tooLarge() error {
	return fmt.Errorf("the bundle is larger than %d bytes when unpacked", r.size)
}

func acceptable(name string, kind byte) error {
	switch {
	case kind != tar.TypeReg:
		return fmt.Errorf("%s is not a regular file", name)
	case !fs.ValidPath(name) || strings.Contains(name, `\`):
		return fmt.Errorf("%q is not a name in a bundle", name)
	case name == manifestName || name == signaturesName || path.Ext(name) == ".rego":
		return nil
	}
	switch path.Base(name) {
	case "data.json", "data.yaml", "data.yml":
		return nil
	}
	return fmt.Errorf("%s would have no effect: a bundle has Rego, and data in files named data.json or data.yaml", name)
}

// memory hands files to Open Policy Agent's reader.
type memory struct {
	files map[string][]byte
	names []string
}

// NextFile gives one file after the other.
func (m *memory) NextFile() (*bundle.Descriptor, error) {
	if len(m.names) == 0 {
		return nil, io.EOF
	}
	name := m.names[0]
	m.names = m.names[1:]
	return bundle.NewDescriptor(name, "/"+name, bytes.NewBuffer(bytes.Clone(m.files[name]))), nil
}

// The settings of loaders say nothing about files in memory.

// WithFilter changes nothing.
func (m *memory) WithFilter(filter.LoaderFilter) bundle.DirectoryLoader { return m }

// WithPathFormat changes nothing.
func (m *memory) WithPathFormat(bundle.PathFormat) bundle.DirectoryLoader { return m }

// WithSizeLimitBytes changes nothing.
func (m *memory) WithSizeLimitBytes(int64) bundle.DirectoryLoader { return m }

// WithFollowSymlinks changes nothing.
func (m *memory) WithFollowSymlinks(bool) bundle.DirectoryLoader { return m }
