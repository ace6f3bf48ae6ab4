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
// The form is forwarded as it was read here. Multipart bodies that parsers
// disagree about are refused, and so is every other multipart type: files in it
// could not be found. Bodies of other types pass; where they are not wanted, the
// media types of sanitize say so. Viruses are not looked for.
package upload

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"

	"github.com/gatehouse-dev/gatehouse/config"
	"github.com/gatehouse-dev/gatehouse/middleware"
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
	if !x.IsForm() || !x.HasBody() {
		return next(x)
	}
	f, err := x.Form(name)
	if err != nil {
		return nil, err
	}
	if f == nil {
		return next(x)
	}
	if err := s.check(x.Request.Context(), f); err != nil {
		return nil, err
	}
	return next(x)
}

// check judges every file of a form. How many they may be and how large, the
// form was told while it was read.
func (s *Stage) check(ctx context.Context, f *middleware.Form) error {
	count := 0
	for _, p := range f.Parts {
		if p.File == nil || !p.File.Chosen() {
			continue
		}
		count++
		v := newView(ctx, p.File.Blob, p.File.Blob.Size())
		found, reason := s.judge(p.File.Name, p.Type, v)
		if v.err != nil {
			return middleware.Refuse(name, middleware.InternalError, "a file could not be read").With(v.err)
		}
		if reason != "" {
			return middleware.Refuse(name, middleware.UploadRejected, place(count, p.Name)+" is not accepted: "+reason)
		}
		p.File.Detected = found
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

// judge gives the media type of a file, or the reason why it is not accepted.
func (s *Stage) judge(fileName, declared string, v *view) (mediaType, reason string) {
	ext, reason := checkName(fileName)
	if reason != "" {
		return "", reason
	}
	k, ok := s.kinds[ext]
	switch {
	case !ok:
		return "", "its extension is not one of " + strings.Join(s.extensions, ", ")
	case v.size == 0:
		return "", "it is empty"
	case !k.declares(declared):
		return "", "its declared type is not one of its extension"
	}
	mediaType, ok = k.finds(v.head)
	if !ok {
		return "", "its content is not what its extension says"
	}
	if k.check != nil {
		reason = k.check(v)
	}
	return mediaType, reason
}
