// Package upload checks the files in multipart requests.
//
// A file says three times what it is: by the extension of its name, by the
// media type the client declares, and by its content. Programs behind the
// gateway believe one of the three each, and an attack is a file that tells
// them different things. So they must agree: the extension is one the route
// lists, the declared type is one that files of the extension have (none, or
// application/octet-stream, declares nothing), and the content is recognized
// as such a type. Recognizing is more than a magic number where that is easily
// met: archives are judged by their directory, texts must hold no markup, and
// pictures nothing behind or inside them that is a page, a program or an
// archive.
//
// The body is forwarded as it came. Multipart bodies that parsers disagree
// about are refused, and so is every other multipart type: files in it could
// not be found. Bodies of other types pass; where they are not wanted, the
// media types of sanitize say so. Viruses are not looked for.
package upload

import (
	"errors"
	"fmt"
	"mime"
	"net/http"
	"strings"

	"github.com/gatehouse-dev/gatehouse/config"
	"github.com/gatehouse-dev/gatehouse/middleware"
	"github.com/gatehouse-dev/gatehouse/middleware/internal/formdata"
)

const name = "upload"

// Defaults of the configuration.
const (
	defaultFileBytes = 2 << 20
	defaultFiles     = 10
)

// Stage checks the uploads of one route.
type Stage struct {
	kinds      map[string]kind
	extensions []string
	fileBytes  config.Size
	files      int
}

// New makes the stage, or nil where c is. An extension whose content cannot be
// recognized is an error: accepting it would mean to believe its name.
func New(c *config.Upload) (middleware.Stage, error) {
	if c == nil {
		return nil, nil
	}
	if len(c.Extensions) == 0 {
		return nil, errors.New("upload: extensions must list what is accepted")
	}
	s := &Stage{kinds: map[string]kind{}, fileBytes: c.FileBytes, files: c.Files}
	if s.fileBytes == 0 {
		s.fileBytes = defaultFileBytes
	}
	if s.files == 0 {
		s.files = defaultFiles
	}
	for _, ext := range c.Extensions {
		ext = strings.ToLower(strings.TrimPrefix(ext, "."))
		k, err := kindOf(ext)
		if err != nil {
			return nil, err
		}
		s.kinds[ext] = k
		s.extensions = append(s.extensions, ext)
	}
	return s, nil
}

// Name is upload.
func (s *Stage) Name() string { return name }

// Describe says what is accepted.
func (s *Stage) Describe() string {
	return fmt.Sprintf("%s; at most %d files of %s", strings.Join(s.extensions, " "), s.files, s.fileBytes)
}

// Handle passes the request on if its files are what they say.
func (s *Stage) Handle(x *middleware.Exchange, next middleware.Handler) (*http.Response, error) {
	if !x.HasBody() {
		return next(x)
	}
	boundary, is, refusal := multipartOf(x.Request.Header)
	if refusal != nil {
		return nil, refusal
	}
	if !is {
		return next(x)
	}
	body, err := x.Body(name)
	if err != nil {
		return nil, err
	}
	if len(body) == 0 {
		return next(x)
	}
	if r := s.check(body, boundary); r != nil {
		return nil, r
	}
	return next(x)
}

// multipartOf reads the boundary of a multipart/form-data body. What is or may
// be multipart otherwise is refused.
func multipartOf(h http.Header) (boundary string, is bool, refusal *middleware.Refusal) {
	values := h.Values("Content-Type")
	if !strings.Contains(strings.ToLower(strings.Join(values, ",")), "multipart") {
		return "", false, nil
	}
	t, params, err := mime.ParseMediaType(values[0])
	if len(values) != 1 || err != nil || t != "multipart/form-data" || strings.Contains(values[0], "*") {
		return "", false, middleware.Refuse(name, middleware.MediaTypeUnsupported, "of multipart only form-data is accepted, with a well-formed Content-Type")
	}
	for _, v := range h.Values("Content-Encoding") {
		if !strings.EqualFold(v, "identity") {
			return "", false, middleware.Refuse(name, middleware.MediaTypeUnsupported, "an encoded body is not accepted")
		}
	}
	return params["boundary"], true, nil
}

// check judges every file of a body.
func (s *Stage) check(body []byte, boundary string) *middleware.Refusal {
	parts, err := formdata.Parse(body, boundary)
	if err != nil {
		return middleware.Refuse(name, middleware.BodyMalformed, "the multipart body is malformed: "+err.Error()).With(err)
	}
	count := 0
	for _, p := range parts {
		if !p.HasFile || p.Empty() {
			continue
		}
		if count++; count > s.files {
			return middleware.Refuse(name, middleware.UploadRejected, fmt.Sprintf("there are more than %d files", s.files))
		}
		data := p.Content(body)
		if int64(len(data)) > int64(s.fileBytes) {
			return middleware.Refuse(name, middleware.BodyTooLarge, fmt.Sprintf("%s is larger than %s", place(count, p.Name), s.fileBytes))
		}
		if reason := s.checkFile(&p, data); reason != "" {
			return middleware.Refuse(name, middleware.UploadRejected, place(count, p.Name)+" is not accepted: "+reason)
		}
	}
	return nil
}

// place names a file by its position and, where that is a plain word, by its
// field. The name of the file stays out: it may be somebody's.
func place(n int, field string) string {
	odd := func(r rune) bool {
		return (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') && (r < '0' || r > '9') && !strings.ContainsRune("_-.[]", r)
	}
	if field == "" || len(field) > 64 || strings.ContainsFunc(field, odd) {
		return fmt.Sprintf("file %d", n)
	}
	return fmt.Sprintf("file %d (field %s)", n, field)
}

// checkFile gives "" or the reason why a file is not accepted.
func (s *Stage) checkFile(p *formdata.Part, data []byte) string {
	ext, reason := checkName(p.File)
	if reason != "" {
		return reason
	}
	k, ok := s.kinds[ext]
	switch {
	case !ok:
		return "its extension is not one of " + strings.Join(s.extensions, ", ")
	case len(data) == 0:
		return "it is empty"
	case !k.declares(p.Type):
		return "its declared type is not one of its extension"
	case !k.finds(data):
		return "its content is not what its extension says"
	case k.check != nil:
		return k.check(data)
	}
	return ""
}
