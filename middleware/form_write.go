package middleware

import (
	"bytes"
	"crypto/rand"
	"fmt"
	"io"
	"strings"
)

// SetForm makes the form what is sent upstream, as it is when it is sent. It is
// to be called again where a stage has changed a part.
func (x *Exchange) SetForm(f *Form) error {
	var random [16]byte
	if _, err := rand.Read(random[:]); err != nil {
		return err
	}
	// What clients sent was chosen before the boundary was.
	boundary := fmt.Sprintf("gatehouse-%x", random)
	if x.body != nil { // a body that was read whole is no more
		x.Memory.Give(x.body.taken)
		x.body = nil
	}
	r := x.Request
	dropDigests(r.Header)
	r.Header["Content-Type"] = []string{"multipart/form-data; boundary=" + boundary}
	size, body := f.write(boundary)
	r.ContentLength = size
	r.Header.Set("Content-Length", fmt.Sprint(size))
	r.TransferEncoding, r.Trailer = nil, nil
	r.GetBody = func() (io.ReadCloser, error) { return io.NopCloser(body()), nil }
	r.Body, _ = r.GetBody()
	return nil
}

// write gives the size of the form under a boundary, and what reads it.
func (f *Form) write(boundary string) (size int64, body func() io.Reader) {
	var pieces []func() io.Reader
	text := func(s string) {
		size += int64(len(s))
		pieces = append(pieces, func() io.Reader { return strings.NewReader(s) })
	}
	for _, p := range f.Parts {
		text("--" + boundary + "\r\n" + p.head())
		if p.File != nil {
			size += p.File.Blob.Size()
			pieces = append(pieces, func() io.Reader { return p.File.Blob.Reader() })
		} else {
			content := p.Text
			size += int64(len(content))
			pieces = append(pieces, func() io.Reader { return bytes.NewReader(content) })
		}
		text("\r\n")
	}
	text("--" + boundary + "--\r\n")
	return size, func() io.Reader {
		readers := make([]io.Reader, len(pieces))
		for i, open := range pieces {
			readers[i] = open()
		}
		return io.MultiReader(readers...)
	}
}

// head writes the headers of a part in the one form that all parsers read
// alike. What could end a quoted text was refused when it was read.
func (p *FormPart) head() string {
	var b strings.Builder
	b.WriteString(`Content-Disposition: form-data; name="` + p.Name + `"`)
	if p.File != nil {
		b.WriteString(`; filename="` + p.File.Name + `"`)
	}
	b.WriteString("\r\n")
	if p.Type != "" {
		b.WriteString("Content-Type: " + p.mediaType() + "\r\n")
	}
	b.WriteString("\r\n")
	return b.String()
}

// mediaType gives the declared type with its charset. Other parameters mean
// nothing in a form.
func (p *FormPart) mediaType() string {
	if c := p.Params["charset"]; c != "" {
		return p.Type + "; charset=" + c
	}
	return p.Type
}
