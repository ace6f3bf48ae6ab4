package bundle

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"

	"github.com/open-policy-agent/opa/v1/bundle"
	"github.com/open-policy-agent/opa/v1/util"
)

// Build packs and signs files: Rego and data.json, by slash-separated name. key
// is an Ed25519 private key in PEM form (PKCS #8), id the name by which readers
// know it. Equal arguments give equal bytes.
func Build(files map[string][]byte, serial int64, key []byte, id string) ([]byte, error) {
	switch {
	case id == "":
		return nil, errors.New("the key has no id")
	case serial < 1:
		return nil, errors.New("the serial number is not above 0")
	}
	return buildRevision(files, strconv.FormatInt(serial, 10), key, id)
}

func buildRevision(files map[string][]byte, revision string, key []byte, id string) ([]byte, error) {
	all := maps.Clone(files)
	manifest, err := json.Marshal(map[string]any{"revision": revision, "roots": []string{""}, "rego_version": 1})
	if err != nil {
		return nil, err
	}
	all[manifestName] = manifest
	signature, err := sign(all, key, id)
	if err != nil {
		return nil, err
	}
	all[signaturesName] = signature
	for name := range all {
		if err := acceptable(name, tar.TypeReg); err != nil {
			return nil, err
		}
	}
	return pack(all)
}

// sign makes the file of signatures, which lists the hash of every other.
func sign(files map[string][]byte, key []byte, id string) ([]byte, error) {
	hasher, err := bundle.NewSignatureHasher(bundle.SHA256)
	if err != nil {
		return nil, err
	}
	var list []bundle.FileInfo
	for _, name := range slices.Sorted(maps.Keys(files)) {
		var content any = files[name]
		if bundle.IsStructuredDoc(name) {
			if err := util.Unmarshal(files[name], &content); err != nil {
				return nil, fmt.Errorf("%s: %w", name, err)
			}
		}
		sum, err := hasher.HashFile(content)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
		list = append(list, bundle.NewFile(name, hex.EncodeToString(sum), string(bundle.SHA256)))
	}
	key = bytes.TrimSpace(key)
	if !bytes.HasPrefix(key, []byte("-----BEGIN PRIVATE KEY-----")) {
		return nil, errors.New("the key is not a PEM block PRIVATE KEY")
	}
	token, err := bundle.GenerateSignedToken(list, bundle.NewSigningConfig(string(key), algorithm, ""), id)
	if err != nil {
		return nil, fmt.Errorf("sign: %w", err)
	}
	return json.Marshal(bundle.SignaturesConfig{Signatures: []string{token}})
}

// pack writes the archive. Names are in order and times are those of the epoch.
func pack(files map[string][]byte) ([]byte, error) {
	var out bytes.Buffer
	z := gzip.NewWriter(&out)
	archive := tar.NewWriter(z)
	for _, name := range slices.Sorted(maps.Keys(files)) {
		head := &tar.Header{Typeflag: tar.TypeReg, Name: name, Mode: 0o644, Size: int64(len(files[name]))}
		if err := archive.WriteHeader(head); err != nil {
			return nil, err
		}
		if _, err := archive.Write(files[name]); err != nil {
			return nil, err
		}
	}
	if err := errors.Join(archive.Close(), z.Close()); err != nil {
		return nil, err
	}
	return out.Bytes(), nil
}
