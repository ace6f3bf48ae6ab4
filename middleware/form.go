package middleware

import (
	"bytes"
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
	Name   string            // of the field; a quote in it is written %22
	Type   string            // declared media type in lower case, "" where none is
	Params map[string]string // of the declared type; a charset is a token
	Text   []byte            // the content, where it is not a file
	File   *File             // nil where it is not a file

	taken int64 // of memory, for the text
}

// File is a part with a file name.
type File struct {
	Name string // a quote in it is written %22; "" with no content where no file was chosen
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
	if x.body != nil { // read whole before: the form takes its place
		x.Memory.Give(x.body.taken)
		x.body = nil
	}
	if x.Request.ContentLength <= 0 {
		// Only reading tells whether there is one.
		if is, err := x.startBody(stage); err != nil || !is {
			x.formErr = err
			return nil, err
		}
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

// startBody reports whether there is a byte in a body of unknown length.
func (x *Exchange) startBody(stage string) (bool, error) {
	r := x.Request
	var first [1]byte
	_, err := io.ReadFull(r.Body, first[:])
	switch {
	case err == io.EOF: //nolint:errorlint // io.Reader gives it bare
		_ = r.Body.Close()
		x.SetBody(nil)
		return false, nil
	case err != nil:
		return false, BodyRefusal(stage, err)
	}
	r.Body = struct {
		io.Reader
		io.Closer
	}{io.MultiReader(bytes.NewReader(first[:]), r.Body), r.Body}
	return true, nil
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
	if !IsUTF8(params["charset"]) {
		return "", Refuse(stage, MediaTypeUnsupported, "the charset must be utf-8")
	}
	if Encoded(h) {
		return "", Refuse(stage, MediaTypeUnsupported, "an encoded body is not accepted")
	}
	return params["boundary"], nil
}

func (x *Exchange) readForm(stage string, f *Form, boundary string) error {
	r, err := formdata.NewReader(x.Request.Body, boundary)
	if err != nil {
		return malformedForm(stage, err)
	}
	so := tally{in: map[string]int{}}
	for {
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
			if refusal := p.decode(stage); refusal != nil {
				return refusal
			}
			continue
		}
		if p.File, err = x.readFile(r, p.Name, head.File); err != nil {
			return formRefusal(stage, err)
		}
		if refusal := x.tooMuch(stage, p, &so); refusal != nil {
			return refusal
		}
	}
}

// tally counts the files of a form while it is read.
type tally struct {
	files int
	bytes int64
	in    map[string]int // by field
}

// readFile reads a file, and of one that is too large no more than shows it.
func (x *Exchange) readFile(r io.Reader, field, name string) (*File, error) {
	if u := x.uploads(); u == nil {
		r = io.LimitReader(r, 1)
	} else if most := u.In(field).FileBytes; most > 0 {
		r = io.LimitReader(r, int64(most)+1)
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
func (x *Exchange) tooMuch(stage string, p *FormPart, so *tally) *Refusal {
	if !p.File.Chosen() {
		return nil
	}
	u, size := x.uploads(), p.File.Blob.Size()
	if u == nil {
		return enough(Refuse(stage, UploadRejected, "this route takes no files"))
	}
	so.files++
	so.bytes += size
	so.in[p.Name]++
	switch in := u.In(p.Name); {
	case u.Files > 0 && so.files > u.Files:
		return enough(Refuse(stage, UploadRejected, fmt.Sprintf("there are more than %d files", u.Files)))
	case in.Files > 0 && so.in[p.Name] > in.Files:
		return enough(Refuse(stage, UploadRejected, fmt.Sprintf("file %d is one of more than %d in its field", so.files, in.Files)))
	case in.FileBytes > 0 && size > int64(in.FileBytes):
		return enough(Refuse(stage, BodyTooLarge, fmt.Sprintf("file %d is larger than %s", so.files, in.FileBytes)))
	case u.TotalBytes > 0 && so.bytes > int64(u.TotalBytes):
		return enough(Refuse(stage, BodyTooLarge, fmt.Sprintf("the files are larger than %s together", u.TotalBytes)))
	}
	return nil
}

// enough says that the rest of the body is not worth reading.
func enough(r *Refusal) *Refusal {
	r.Close = true
	return r
}

func formRefusal(stage string, err error) *Refusal {
	switch cause := formdata.Broken(err); {
	case cause != nil:
		return BodyRefusal(stage, cause)
	case errors.Is(err, errNoMemory), errors.Is(err, errTooLarge):
		return BodyRefusal(stage, err)
	}
	if refusal := spoolRefusal(stage, err); refusal != nil {
		return refusal
	}
	return malformedForm(stage, err)
}

func malformedForm(stage string, err error) *Refusal {
	return Refuse(stage, BodyMalformed, "the multipart body is malformed: "+err.Error()).With(err)
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
