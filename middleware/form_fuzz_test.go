package middleware_test

import (
	"bytes"
	"errors"
	"io"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/gatehouse-dev/gatehouse/config"
	"github.com/gatehouse-dev/gatehouse/middleware"
	"github.com/gatehouse-dev/gatehouse/middleware/middlewaretest"
)

// part is a part of a form as somebody reads it. A text has no file.
type part struct {
	Name, Type, Charset string
	IsFile              bool
	File, Content       string
}

// judged is a form as the stages judge it, and what is sent of it.
type judged struct {
	parts []part
	media string
	body  []byte
}

// read passes a body through an exchange that takes files.
func read(t testing.TB, media string, body []byte) (judged, error) {
	t.Helper()
	x := middlewaretest.Exchange(t, "POST", "http://api.example.com/x", bytes.NewReader(body), middlewaretest.Header("Content-Type", media))
	defer x.Release()
	x.Route.Upload = &config.Upload{}
	f, err := x.Form("test")
	if err != nil || f == nil {
		return judged{}, err
	}
	for _, p := range f.Parts {
		if p.File != nil && p.File.Chosen() && p.File.Name == "" {
			return judged{}, errors.New("what some parsers take for a text and others for a file, no route takes")
		}
	}
	out := judged{media: x.Request.Header.Get("Content-Type"), parts: partsOf(t, f)}
	if out.body, err = io.ReadAll(x.Request.Body); err != nil || int64(len(out.body)) != x.Request.ContentLength {
		t.Fatalf("%d bytes, Content-Length %d, %v", len(out.body), x.Request.ContentLength, err)
	}
	return out, nil
}

func partsOf(t testing.TB, f *middleware.Form) []part {
	t.Helper()
	var out []part
	for _, p := range f.Parts {
		o := part{Name: p.Name, Type: p.Type, Charset: p.Params["charset"], Content: string(p.Text)}
		if p.File != nil {
			content, err := io.ReadAll(p.File.Blob.Reader())
			if err != nil {
				t.Fatal(err)
			}
			o.IsFile, o.File, o.Content = true, p.File.Name, string(content)
		}
		out = append(out, o)
	}
	return out
}

// FuzzForm holds that what is sent of a form is that form, and that whoever
// reads it as strictly as the gateway finds nothing wrong with it.
func FuzzForm(f *testing.F) {
	for _, b := range oddBodies() {
		if len(b) < 4<<10 {
			f.Add([]byte(b))
		}
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		first, err := read(t, formType, body)
		if err != nil {
			return
		}
		again, err := read(t, first.media, first.body)
		if err != nil {
			t.Fatalf("%q is sent for %q, and refused: %v", first.body, body, err)
		}
		if d := cmp.Diff(first.parts, again.parts); d != "" {
			t.Fatalf("%q: %s", body, d)
		}
		if bytes.Contains(first.body, []byte("--b\r\n")) && !bytes.Contains(contents(first.parts), []byte("--b\r\n")) {
			t.Fatalf("the client's own boundary is sent: %q", first.body)
		}
	})
}

func contents(parts []part) []byte {
	var b strings.Builder
	for _, p := range parts {
		b.WriteString(p.Content + "\n" + p.Name + "\n" + p.File + "\n")
	}
	return []byte(b.String())
}
