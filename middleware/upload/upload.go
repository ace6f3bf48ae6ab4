// Package upload checks the files that clients send, in forms and as whole
// bodies.
//
// A file says three times what it is: by the extension of its name, by the
// media type the client declares, and by its content. Programs behind the
// gateway believe one of the three each, and an attack is a file that tells
// them different things. So they must agree: the extension is one that the
// route or the field lists, the declared type is one that files of the
// extension have (none, or application/octet-stream, declares nothing), and the
// content is recognized as such a type. Recognizing is more than a magic number
// where that is easily met: archives are judged by their directory and by what
// they unpack to, documents by the parts that they must and must not have,
// pictures are walked from their header to their end, texts must hold no
// markup, and none may be something else as well: a page, a program, a script
// or an archive.
//
// What is certainly an attack is refused. What has honest uses too, such as
// scripts in a PDF, is noted or refused, as the operator chooses. Nothing is
// repaired: a file arrives byte for byte, or not at all.
//
// The form is forwarded as it was read here. Multipart bodies that parsers
// disagree about are refused, and so is every other multipart type: files in it
// could not be found. A body that is neither a form nor JSON is one file.
//
// Files stay where they were read to, on disk or in memory; every check reads
// them through a window and in time that grows with their size only. Archives
// inside of archives are not opened, a deep look into old office files is not
// taken, and known viruses are the business of a scanner.
package upload

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"

	"github.com/gatehouse-dev/gatehouse/config"
	"github.com/gatehouse-dev/gatehouse/middleware"
)

const name = "upload"

// Defaults of the configuration.
const (
	defaultFileBytes = 2 << 20
	defaultFiles     = 10
	defaultPixels    = 65_000_000
)

// Scanner looks for known malware in a file. It gives the name of what it found,
// or "". An error says that the file could not be scanned, and refuses it with
// 503 scanner_unavailable.
type Scanner func(ctx context.Context, b *middleware.Blob) (found string, err error)

// Stage checks the uploads of one route.
type Stage struct {
	config config.Upload
	route  *rule
	fields map[string]*rule
	scan   Scanner
}

// rule is what one field takes, or the route.
type rule struct {
	kinds      map[string]kind
	extensions []string // as configured
}

// New makes the stage, or nil where c is. An extension whose content cannot be
// recognized is an error: accepting it would mean to believe its name. The
// scanner is asked last, about files that are accepted otherwise; nil is none.
func New(c *config.Upload, scan Scanner) (middleware.Stage, error) {
	if c == nil {
		return nil, nil
	}
	if len(c.Extensions) == 0 && len(c.Fields) == 0 {
		return nil, errors.New("upload: extensions must list what is accepted")
	}
	if c.Scan && scan == nil {
		return nil, errors.New("upload: there is no scanner")
	}
	s := &Stage{config: *c, fields: map[string]*rule{}, scan: scan}
	orElse(&s.config.FileBytes, defaultFileBytes)
	orElse(&s.config.Files, defaultFiles)
	orElse(&s.config.Pixels, defaultPixels)
	var err error
	if s.route, err = newRule(c.Extensions); err != nil {
		return nil, err
	}
	for _, field := range slices.Sorted(maps.Keys(c.Fields)) {
		if s.fields[field], err = newRule(c.In(field).Extensions); err != nil {
			return nil, fmt.Errorf("field %s: %w", field, err)
		}
	}
	return s, nil
}

func orElse[T comparable](v *T, otherwise T) {
	var none T
	if *v == none {
		*v = otherwise
	}
}

func newRule(extensions []string) (*rule, error) {
	r := &rule{kinds: map[string]kind{}}
	for _, ext := range extensions {
		ext = strings.ToLower(strings.TrimPrefix(ext, "."))
		k, err := kindOf(ext)
		if err != nil {
			return nil, err
		}
		r.kinds[ext] = k
		r.extensions = append(r.extensions, ext)
	}
	return r, nil
}

// Name is upload.
func (s *Stage) Name() string { return name }

// Describe says what is accepted.
func (s *Stage) Describe() string {
	what := slices.Clone(s.route.extensions)
	for _, field := range slices.Sorted(maps.Keys(s.fields)) {
		what = append(what, field+"("+strings.Join(s.fields[field].extensions, " ")+")")
	}
	return fmt.Sprintf("%s; at most %d files of %s", strings.Join(what, " "), s.config.Files, s.config.FileBytes)
}

// Handle passes the request on if its files are what they say.
func (s *Stage) Handle(x *middleware.Exchange, next middleware.Handler) (*http.Response, error) {
	if !x.HasBody() {
		return next(x)
	}
	check := s.checkBody
	if x.IsForm() {
		check = s.checkForm
	}
	if err := check(x); err != nil {
		return nil, err
	}
	return next(x)
}

// checkForm judges every file of a form. How many they may be and how large,
// the form was told while it was read.
func (s *Stage) checkForm(x *middleware.Exchange) error {
	f, err := x.Form(name)
	if err != nil || f == nil {
		return err
	}
	count := 0
	found := findings{}
	for _, p := range f.Parts {
		if p.File == nil || !p.File.Chosen() {
			continue
		}
		count++
		r, ok := s.fields[p.Name]
		if !ok {
			r = s.route
		}
		c := claim{name: p.File.Name, hasName: true, declared: p.Type, place: place(count, p.Name)}
		if p.File.Detected, err = s.judge(x.Request.Context(), r, c, p.File.Blob, found); err != nil {
			break
		}
	}
	found.note(x)
	return err
}
