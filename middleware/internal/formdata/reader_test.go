package formdata

import (
	"bytes"
	"errors"
	"io"
	"slices"
	"strings"
	"testing"
	"testing/iotest"
)

type piece struct {
	Part
	content string
}

// readAll reads a body through a Reader.
func readAll(src io.Reader, boundary string) ([]piece, error) {
	r, err := NewReader(src, boundary)
	if err != nil {
		return nil, err
	}
	var out []piece
	for {
		p, err := r.Next()
		if err == io.EOF {
			return out, nil
		}
		if err != nil {
			return nil, err
		}
		b, err := io.ReadAll(r)
		if err != nil {
			return nil, err
		}
		out = append(out, piece{*p, string(b)})
	}
}

// agree holds the Reader against Parse, whatever pieces the body comes in.
func agree(t *testing.T, src []byte) {
	t.Helper()
	parts, want := Parse(src, "b")
	for name, from := range map[string]io.Reader{
		"whole": bytes.NewReader(src), "bytes": iotest.OneByteReader(bytes.NewReader(src)), "late end": iotest.DataErrReader(bytes.NewReader(src)),
	} {
		got, err := readAll(from, "b")
		if err == nil && (want != nil && bytes.HasPrefix(src, []byte("\r\n")) || slices.ContainsFunc(got, func(p piece) bool { return p.rewrite })) {
			continue // what is only taken where it is written anew
		}
		if (err == nil) != (want == nil) {
			t.Fatalf("%s of %q: %v, Parse says %v", name, src, err, want)
		}
		if err != nil {
			continue
		}
		if len(got) != len(parts) {
			t.Fatalf("%s of %q: %d parts, want %d", name, src, len(got), len(parts))
		}
		for i, p := range parts {
			if got[i].Name != p.Name || got[i].File != p.File || got[i].HasFile != p.HasFile || got[i].Type != p.Type || got[i].content != string(p.Content(src)) {
				t.Fatalf("%s of %q: part %d is %+v, want %+v %q", name, src, i, got[i], p, p.Content(src))
			}
		}
	}
}

func FuzzReader(f *testing.F) {
	f.Add(body("--b", text, "", "x", "--b--", ""))
	f.Add(body("--b", text, "", "", "--b--"))
	f.Add(body("--b", text, "", "\r\n-", "--b", text, "", "\r\n\r\n--", "--b--"))
	f.Add(body("--b", text, "", "x --b", "--b--"))
	f.Add(body("--b--", "x"))
	f.Add([]byte("--b\r\n" + text + "\r\n\r\n--b--"))
	f.Add([]byte("--b\r\n" + text + "\r\n--b\r\n\r\n\r\n--b--"))
	f.Fuzz(func(t *testing.T, src []byte) { agree(t, src) })
}

// A content of any size passes through the window.
func TestReaderHoldsAWindow(t *testing.T) {
	const size = 8 << 20
	head, tail := "--b\r\n"+text+"\r\n\r\n", "\r\n--b--\r\n"
	src := io.MultiReader(strings.NewReader(head), io.LimitReader(endless{}, size), strings.NewReader(tail))
	r, err := NewReader(src, "b")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := r.Next(); err != nil {
		t.Fatal(err)
	}
	n, err := io.Copy(io.Discard, r)
	if n != size || err != nil {
		t.Errorf("%d bytes, %v", n, err)
	}
	if _, err := r.Next(); err != io.EOF {
		t.Error(err)
	}
	if cap(r.buf) > 2*window {
		t.Errorf("it holds %d bytes", cap(r.buf))
	}
}

// endless is made of what looks like the beginning of a delimiter.
type endless struct{}

func (endless) Read(p []byte) (int, error) {
	for i := range p {
		p[i] = "\r\n-"[i%3]
	}
	return len(p), nil
}

// What the client's connection failed with is told from what is wrong with the
// body, and ends it for good.
func TestReaderTellsABrokenBody(t *testing.T) {
	gone := errors.New("gone")
	whole := string(body("--b", text, "", "content", "--b--", ""))
	for n := range len(whole) - 2 {
		src := io.MultiReader(strings.NewReader(whole[:n]), iotest.ErrReader(gone))
		_, err := readAll(src, "b")
		if Broken(err) != gone { //nolint:errorlint // exactly what was given
			t.Errorf("cut at %d: %v", n, err)
		}
		if _, err := readAll(strings.NewReader(whole[:n]), "b"); n < len(whole)-4 && (err == nil || Broken(err) != nil) {
			t.Errorf("ended at %d: %v", n, err)
		}
	}
}

// What is not read of a content is read over.
func TestReaderSkips(t *testing.T) {
	r, err := NewReader(bytes.NewReader(body("--b", text, "", strings.Repeat("x", 100_000), "--b", text, "", "y", "--b--")), "b")
	if err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if _, err := r.Next(); err != nil {
			t.Fatal(err)
		}
	}
	if b, err := io.ReadAll(r); string(b) != "y" || err != nil {
		t.Errorf("%q %v", b, err)
	}
}
