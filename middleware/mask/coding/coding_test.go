package coding

import (
	"bytes"
	"errors"
	"io"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/andybalholm/brotli"
	"github.com/google/go-cmp/cmp"
	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"
)

// flusher is what writers of all codings are.
type flusher interface {
	io.WriteCloser
	Flush() error
}

var codings = []string{"gzip", "zstd", "br"}

// packer gives a writer with a small window, which makes it a fast one.
func packer(t testing.TB, coding string, w io.Writer) flusher {
	t.Helper()
	switch coding {
	case "gzip":
		return gzip.NewWriter(w)
	case "br":
		return brotli.NewWriterOptions(w, brotli.WriterOptions{Quality: 2, LGWin: 16})
	}
	return zstdPacker(t, w, zstd.WithWindowSize(64<<10), zstd.WithEncoderLevel(zstd.SpeedFastest))
}

func zstdPacker(t testing.TB, w io.Writer, opts ...zstd.EOption) flusher {
	t.Helper()
	z, err := zstd.NewWriter(w, append(opts, zstd.WithEncoderConcurrency(1), zstd.WithLowerEncoderMem(true))...)
	if err != nil {
		t.Fatal(err)
	}
	return z
}

// pack packs texts into one body, flushed behind each of them.
func pack(t testing.TB, coding string, texts ...string) []byte {
	t.Helper()
	var b bytes.Buffer
	w := packer(t, coding, &b)
	for i, s := range texts {
		if _, err := io.WriteString(w, s); err != nil {
			t.Fatal(err)
		}
		if i == len(texts)-1 {
			break
		}
		if err := w.Flush(); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func join(parts ...[]byte) []byte { return bytes.Join(parts, nil) }

// unpack reads a body to its end.
func unpack(t testing.TB, coding string, body io.Reader) (string, error) {
	t.Helper()
	r, err := Open(coding, body, Options{})
	if err != nil {
		return "", err
	}
	text, err := io.ReadAll(r)
	if err := r.Close(); err != nil {
		t.Error(err)
	}
	return string(text), err
}

const text = `{"ssn":"123-45-6789","name":"Ada Lovelace","tags":["a","a","a","a","a"]}`

func TestOpen(t *testing.T) {
	gz, zs, br := pack(t, "gzip", text), pack(t, "zstd", text), pack(t, "br", text)
	empty := pack(t, "gzip", "")
	skipped := []byte("\x50\x2a\x4d\x18\x03\x00\x00\x00abc") // a frame to be skipped (RFC 8878, section 3.1.2)
	tests := []struct {
		name   string
		coding string
		body   []byte
		want   string
		err    error
	}{
		{name: "none", body: []byte(text), want: text},
		{name: "none and empty"},
		{name: "identity", coding: "Identity", body: []byte(text), want: text},
		{name: "gzip", coding: "gzip", body: gz, want: text},
		{name: "x-gzip", coding: "x-gzip", body: gz, want: text},
		{name: "zstd", coding: "zstd", body: zs, want: text},
		{name: "br", coding: "br", body: br, want: text},
		{name: "case", coding: "GZip", body: gz, want: text},
		{name: "space", coding: " \tgzip ", body: gz, want: text},

		{name: "deflate", coding: "deflate", body: gz, err: ErrCoding},
		{name: "compress", coding: "compress", body: gz, err: ErrCoding},
		{name: "dictionary", coding: "dcz", body: zs, err: ErrCoding},
		{name: "several", coding: "gzip, gzip", body: gz, err: ErrCoding},
		{name: "identity too", coding: "identity, gzip", body: gz, err: ErrCoding},
		{name: "and nothing", coding: "gzip,", body: gz, err: ErrCoding},
		{name: "only a comma", coding: ",", body: gz, err: ErrCoding},
		{name: "parameter", coding: "gzip;q=1", body: gz, err: ErrCoding},
		{name: "dotted i", coding: "gzİp", body: gz, err: ErrCoding},
		{name: "long s", coding: "zſtd", body: zs, err: ErrCoding},
		{name: "line end", coding: "gzip\n", body: gz, err: ErrCoding},

		{name: "empty gzip", coding: "gzip", err: ErrCoding},
		{name: "empty zstd", coding: "zstd", err: ErrCoding},
		{name: "empty br", coding: "br", err: ErrCoding},
		{name: "empty text", coding: "gzip", body: empty},
		{name: "empty text in zstd", coding: "zstd", body: pack(t, "zstd", "")},
		{name: "empty text in br", coding: "br", body: pack(t, "br", "")},
		{name: "not gzip", coding: "gzip", body: []byte(text), err: ErrCoding},
		{name: "not zstd", coding: "zstd", body: []byte(text), err: ErrCoding},
		{name: "not br", coding: "br", body: []byte(text), err: ErrCoding},
		{name: "zstd as gzip", coding: "gzip", body: zs, err: ErrCoding},

		{name: "two members", coding: "gzip", body: join(gz, empty, gz), want: text + text},
		{name: "two frames", coding: "zstd", body: join(zs, skipped, zs), want: text + text},
		{name: "behind gzip", coding: "gzip", body: join(gz, []byte("x")), want: text, err: ErrCoding},
		{name: "zeros behind gzip", coding: "gzip", body: join(gz, make([]byte, 20)), want: text, err: ErrCoding},
		{name: "half a member", coding: "gzip", body: join(gz, gz[:9]), want: text, err: ErrCoding},
		{name: "behind zstd", coding: "zstd", body: join(zs, []byte("x")), want: text, err: ErrCoding},
		{name: "a word behind zstd", coding: "zstd", body: join(zs, []byte("xxxx")), want: text, err: ErrCoding},
		{name: "behind br", coding: "br", body: join(br, []byte("x")), want: text, err: ErrCoding},
		{name: "another br", coding: "br", body: join(br, br), want: text, err: ErrCoding},
		{name: "large window", coding: "zstd", body: []byte("\x28\xb5\x2f\xfd\x00\x69\x01\x00\x00"), err: ErrCoding},
		{name: "largest window", coding: "zstd", body: []byte("\x28\xb5\x2f\xfd\x00\x68\x01\x00\x00")},
		{name: "large window of br", coding: "br", body: []byte("\x11\x19\x03"), err: ErrCoding},
		{name: "gzip checksum", coding: "gzip", body: flip(gz, len(gz)-8), want: text, err: ErrCoding},
		{name: "gzip length", coding: "gzip", body: flip(gz, len(gz)-1), want: text, err: ErrCoding},
		{name: "zstd checksum", coding: "zstd", body: flip(zs, len(zs)-1), err: ErrCoding},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			// At once, byte by byte, and with the error next to the last byte.
			for _, body := range []io.Reader{
				bytes.NewReader(tt.body), iotest.OneByteReader(bytes.NewReader(tt.body)), iotest.DataErrReader(bytes.NewReader(tt.body)),
			} {
				got, err := unpack(t, tt.coding, body)
				if diff := cmp.Diff(tt.want, got); diff != "" {
					t.Errorf("(-want +got)\n%s", diff)
				}
				if !errors.Is(err, tt.err) {
					t.Errorf("error %v, want %v", err, tt.err)
				}
			}
		})
	}
}

// flip changes a byte.
func flip(b []byte, at int) []byte {
	b = bytes.Clone(b)
	b[at] ^= 1
	return b
}

// TestCut: no beginning of a body is taken for a whole one.
func TestCut(t *testing.T) {
	for _, coding := range codings {
		body := pack(t, coding, text, "", text[:20], text)
		for n := range body {
			got, err := unpack(t, coding, bytes.NewReader(body[:n]))
			if !errors.Is(err, ErrCoding) || !strings.HasPrefix(text+text[:20]+text, got) {
				t.Errorf("%s, %d of %d bytes: %q, %v", coding, n, len(body), got, err)
			}
		}
	}
}

// TestCutHeader: the same for the headers of gzip, which have parts that end by
// a byte and not by a length, and for those of a second member.
func TestCutHeader(t *testing.T) {
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	w.Name, w.Comment, w.Extra = "name", "comment", []byte("extra")
	if _, err := io.WriteString(w, text); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	if got, err := unpack(t, "gzip", bytes.NewReader(b.Bytes())); err != nil || got != text {
		t.Fatalf("%q, %v", got, err)
	}
	for n := 1; n < b.Len(); n++ {
		head := b.Bytes()[:n]
		for _, body := range [][]byte{head, join(b.Bytes(), head)} {
			if got, err := unpack(t, "gzip", bytes.NewReader(body)); !errors.Is(err, ErrCoding) {
				t.Errorf("%d bytes: %q, %v", len(body), got, err)
			}
		}
	}
}

// TestErrorOfBody: what a body ends with is passed on wherever that is, also
// where the text would have been complete, and where the error is one that a
// decoder takes for an end.
func TestErrorOfBody(t *testing.T) {
	for _, coding := range append(codings, "identity") {
		body := []byte(text)
		if coding != "identity" {
			body = pack(t, coding, text)
		}
		for _, want := range []error{io.ErrUnexpectedEOF, errors.New("reset by peer")} {
			for n := range len(body) + 1 {
				got, err := unpack(t, coding, io.MultiReader(bytes.NewReader(body[:n]), iotest.ErrReader(want)))
				if err != want || !strings.HasPrefix(text, got) {
					t.Errorf("%s, %d of %d bytes: %q, %v", coding, n, len(body), got, err)
				}
			}
		}
	}
}

// TestErrorsHoldNothing: what a decoder says about a body is not passed on.
func TestErrorsHoldNothing(t *testing.T) {
	allowed := map[string]bool{
		"content coding is not understood: corrupt":                 true,
		"content coding is not understood: not whole":               true,
		"content coding is not understood: checksum does not match": true,
		"content coding is not understood: window is too large":     true,
	}
	for _, coding := range codings {
		body := pack(t, coding, text)
		for at := range body {
			if _, err := unpack(t, coding, bytes.NewReader(flip(body, at))); err != nil && !allowed[err.Error()] {
				t.Errorf("%s, byte %d: %v", coding, at, err)
			}
		}
	}
}
