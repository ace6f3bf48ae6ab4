package opa_test

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"io"
	"os"
	"path/filepath"
	"testing"

	"github.com/gatehouse-dev/gatehouse/policies/opa"
	"github.com/gatehouse-dev/gatehouse/policies/opa/bundle"
)

// fetch gives the error of a gateway that takes the case's policies from a
// bundle, after what has been done to it.
func (c *badCase) fetch(t *testing.T) error {
	t.Helper()
	files, err := opa.Pack(c.options)
	pub, key, err2 := ed25519.GenerateKey(rand.Reader)
	private, err3 := x509.MarshalPKCS8PrivateKey(key)
	public, err4 := x509.MarshalPKIXPublicKey(pub)
	if err := errors.Join(err, err2, err3, err4); err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	o := bundle.Options{
		Source: filepath.Join(dir, "p.tar.gz"), Cache: dir, Keys: map[string]string{"k": filepath.Join(dir, "k.pem")},
	}
	publish := func(serial int64, change func(name string, content []byte) []byte) {
		packed, err := bundle.Build(files, serial, pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: private}), "k")
		if err == nil {
			err = os.WriteFile(o.Source, rewrite(t, packed, change), 0o644)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	if err := os.WriteFile(o.Keys["k"], pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: public}), 0o644); err != nil {
		t.Fatal(err)
	}
	source, err := bundle.Open(o)
	if err != nil {
		t.Fatal(err)
	}
	defer source.Close()
	publish(2, func(_ string, content []byte) []byte { return content })
	b, err := source.Fetch(t.Context())
	if err == nil {
		err = source.Accept(b)
	}
	if err != nil {
		t.Fatal(err)
	}
	serial := int64(3)
	if c.bundle == "older" {
		serial = 1
	}
	publish(serial, func(name string, content []byte) []byte {
		switch {
		case c.bundle == "unsigned" && name == ".signatures.json":
			return nil
		case c.bundle == "changed" && name == "p.rego":
			return bytes.ReplaceAll(content, []byte("hr"), []byte("staff"))
		}
		return content
	})
	_, err = source.Fetch(t.Context())
	return err
}

// rewrite changes the files of an archive; nil leaves one out.
func rewrite(t *testing.T, packed []byte, change func(name string, content []byte) []byte) []byte {
	t.Helper()
	in, err := gzip.NewReader(bytes.NewReader(packed))
	if err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	z := gzip.NewWriter(&out)
	w := tar.NewWriter(z)
	for r := tar.NewReader(in); ; {
		head, err := r.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		content, err2 := io.ReadAll(r)
		if err := errors.Join(err, err2); err != nil {
			t.Fatal(err)
		}
		if content = change(head.Name, content); content == nil {
			continue
		}
		head.Size = int64(len(content))
		err = w.WriteHeader(head)
		if _, err2 := w.Write(content); errors.Join(err, err2) != nil {
			t.Fatal(err, err2)
		}
	}
	if err := errors.Join(w.Close(), z.Close()); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}
