package formdata

import (
	"bytes"
	"errors"
	"io"
	"mime/multipart"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/google/go-cmp/cmp"
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

// agree holds that a body is the same in whatever pieces it comes, and that the
// standard library finds the same parts and contents in it.
func agree(t *testing.T, src []byte) {
	t.Helper()
	want, wrong := readAll(bytes.NewReader(src), "b")
	for name, from := range map[string]io.Reader{
		"bytes": iotest.OneByteReader(bytes.NewReader(src)), "late end": iotest.DataErrReader(bytes.NewReader(src)),
	} {
		got, err := readAll(from, "b")
		if d := cmp.Diff(want, got, cmp.AllowUnexported(piece{})); d != "" || (err == nil) != (wrong == nil) {
			t.Fatalf("%s of %q: %v, %v %s", name, src, err, wrong, d)
		}
	}
	if len(want) == 0 {
		return
	}
	r := multipart.NewReader(bytes.NewReader(src), "b")
	for i, p := range want {
		there, err := r.NextRawPart()
		if err != nil {
			t.Fatalf("part %d of %q: %v", i, src, err)
		}
		content, err := io.ReadAll(there)
		if err != nil || string(content) != p.content {
			t.Fatalf("part %d of %q is %q here and %q there (%v)", i, src, p.content, content, err)
		}
	}
	if _, err := r.NextRawPart(); err != io.EOF {
		t.Fatalf("%q has more parts there: %v", src, err)
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
