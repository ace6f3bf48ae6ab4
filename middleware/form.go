package middleware

import (
	"bytes"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"strings"

	"github.com/gatehouse-dev/gatehouse/config"
	"github.com/gatehouse-dev/gatehouse/middleware/internal/formdata"
)

// Form is a multipart/form-data body (RFC 7578) that was read once, whole. What
// is sent upstream is written anew from it, under a boundary that no client has
// seen: no parser behind the gateway can find other parts, names or files than
// the stages judged.
type Form struct {
	Parts []*FormPart

	removed []*FormPart
}

// Remove takes the parts out of the form for which gone is true. What they take
// of memory and disk is given back with the rest. [Exchange.SetForm] makes it
// count.
func (f *Form) Remove(gone func(*FormPart) bool) {
	var kept []*FormPart
	for _, p := range f.Parts {
		if gone(p) {
			f.removed = append(f.removed, p)
		} else {
			kept = append(kept, p)
		}
	}
	f.Parts = kept
}

// FormPart is one part of a form.
type FormPart struct {
	Name   string            // of the field, as sent
	Type   string            // declared media type in lower case, "" where none is
	Params map[string]string // of the declared type
	Text   []byte            // the content, where it is not a file
	File   *File             // nil where it is not a file

	taken int64 // of memory, for the text
}

// File is a part with a file name.
type File struct {
	Name string // as sent; "" with no content where no file was chosen
	Blob *Blob  // the content
	// Detected is the media type that the content is, in lower case; "" where
	// no stage has looked.
	Detected string // upload
}

// Chosen reports whether there is a file at all: browsers send an empty name and
// no content where none was chosen.
func (f *File) Chosen() bool { return f.Name != "" || f.Blob.Size() > 0 }

// maxText is the largest part that is not a file. Files go to disk, texts do not.
const maxText = 1 << 20

// IsForm reports whether the request says that its body is multipart of any
// kind.
func (x *Exchange) IsForm() bool {
	for _, v := range x.Request.Header["Content-Type"] {
		if strings.Contains(strings.ToLower(v), "multipart") {
			return true
		}
	}
	return false
}

// Form reads a multipart/form-data body, once, and puts its rewritten form in
// its place. It is nil where there is no body. Errors are refusals: another kind
// of multipart, a body that parsers read in different ways, a file where the
// route takes none, more or larger files than it takes, or no memory or room
// left.
func (x *Exchange) Form(stage string) (*Form, error) {
	if x.form != nil || x.formErr != nil {
		return x.form, x.formErr
	}
	if !x.HasBody() {
		return nil, nil
	}
	boundary, refusal := formBoundary(stage, x.Request.Header)
	if refusal != nil {
		x.formErr = refusal
		return nil, refusal
	}
	f := &Form{}
	x.formErr = x.readForm(stage, f, boundary)
	if x.formErr != nil {
		f.close(x.Memory)
		return nil, x.formErr
	}
	_ = x.Request.Body.Close()
	x.form = f
	return f, x.SetForm(f)
}

// formBoundary takes the boundary from a Content-Type that is well-formed and
// stands once.
func formBoundary(stage string, h http.Header) (string, *Refusal) {
	values := h["Content-Type"]
	if len(values) != 1 {
		return "", Refuse(stage, MediaTypeUnsupported, "the media type of the body is not said once")
	}
	t, params, err := mime.ParseMediaType(values[0])
	if err != nil || t != "multipart/form-data" || strings.Contains(values[0], "*") {
		return "", Refuse(stage, MediaTypeUnsupported, "of multipart only form-data is accepted, with a well-formed Content-Type")
	}
	for _, v := range h["Content-Encoding"] {
		if !strings.EqualFold(v, "identity") {
			return "", Refuse(stage, MediaTypeUnsupported, "an encoded body is not accepted")
		}
	}
	return params["boundary"], nil
}

func (x *Exchange) readForm(stage string, f *Form, boundary string) error {
	r, err := formdata.NewReader(x.Request.Body, boundary)
	if err != nil {
		return malformedForm(stage, err)
	}
	for files := 0; ; {
		head, err := r.Next()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return formRefusal(stage, err)
		}
		p := &FormPart{Name: head.Name, Type: head.Type, Params: head.Params}
		f.Parts = append(f.Parts, p)
		if !head.HasFile {
			if p.Text, err = x.readAll(r, maxText, &p.taken); err != nil {
				return formRefusal(stage, err)
			}
			continue
		}
		if p.File, err = x.readFile(r, head.File); err != nil {
			return formRefusal(stage, err)
		}
		if p.File.Chosen() {
			files++
		}
		if refusal := x.tooMuch(stage, p.File, files); refusal != nil {
			return refusal
		}
	}
}

// readFile reads a file, and of one that is too large no more than shows it.
func (x *Exchange) readFile(r io.Reader, name string) (*File, error) {
	if u := x.uploads(); u != nil && u.FileBytes > 0 {
		r = io.LimitReader(r, int64(u.FileBytes)+1)
	}
	b, err := x.Spool.take(r, x.Memory)
	if err != nil {
		return nil, err
	}
	return &File{Name: name, Blob: b}, nil
}

func (x *Exchange) uploads() *config.Upload {
	if x.Route == nil {
		return nil
	}
	return x.Route.Upload
}

// tooMuch refuses a file that the route does not take, before the rest is read.
func (x *Exchange) tooMuch(stage string, f *File, files int) *Refusal {
	var refusal *Refusal
	switch u := x.uploads(); {
	case !f.Chosen():
	case u == nil:
		refusal = Refuse(stage, UploadRejected, "this route takes no files")
	case u.Files > 0 && files > u.Files:
		refusal = Refuse(stage, UploadRejected, fmt.Sprintf("there are more than %d files", u.Files))
	case u.FileBytes > 0 && f.Blob.Size() > int64(u.FileBytes):
		refusal = Refuse(stage, BodyTooLarge, fmt.Sprintf("file %d is larger than %s", files, u.FileBytes))
	}
	if refusal != nil {
		refusal.Close = true // the rest of the body is not worth reading
	}
	return refusal
}

func formRefusal(stage string, err error) *Refusal {
	switch cause := formdata.Broken(err); {
	case cause != nil:
		return BodyRefusal(stage, cause)
	case errors.Is(err, errNoMemory), errors.Is(err, errTooLarge):
		return BodyRefusal(stage, err)
	case errors.Is(err, errNoRoom):
		return Refuse(stage, Overloaded, "too many large files at once").With(err).Set("Retry-After", "1")
	case errors.As(err, new(*diskError)):
		return Refuse(stage, InternalError, "a file could not be kept").With(err)
	}
	return malformedForm(stage, err)
}

func malformedForm(stage string, err error) *Refusal {
	return Refuse(stage, BodyMalformed, "the multipart body is malformed: "+err.Error()).With(err)
}

// SetForm makes the form what is sent upstream, as it is when it is sent. It is
// to be called again where a stage has changed a part.
func (x *Exchange) SetForm(f *Form) error {
	var random [16]byte
	if _, err := rand.Read(random[:]); err != nil {
		return err
	}
	// What clients sent was chosen before the boundary was.
	boundary := fmt.Sprintf("gatehouse-%x", random)
	r := x.Request
	r.Header["Content-Type"] = []string{"multipart/form-data; boundary=" + boundary}
	r.ContentLength = -1
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
		if t := mime.FormatMediaType(p.Type, map[string]string{"charset": c}); t != "" {
			return t
		}
	}
	return p.Type
}

func (f *Form) close(memory *Budget) {
	for _, p := range append(f.Parts, f.removed...) {
		memory.Give(p.taken)
		if p.File != nil {
			p.File.Blob.Close()
		}
	}
	f.Parts, f.removed = nil, nil
}
