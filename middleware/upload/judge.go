package upload

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/gatehouse-dev/gatehouse/middleware"
)

// claim is what the client says about a file.
type claim struct {
	name     string
	hasName  bool   // a body may have none
	declared string // media type in lower case, without parameters
	place    string // what the file is called in answers and notes
}

// Reasons that several checks give.
const (
	unlike  = "its content is not what its extension says"
	macros  = "it holds macros"
	notPic  = "it is not a whole image"
	notDoc  = "it lacks the parts of such a document"
	tooMuch = "it unpacks to too much"
)

// judge gives the media type of a file, or the refusal.
func (s *Stage) judge(ctx context.Context, r *rule, c claim, b *middleware.Blob, found findings) (string, error) {
	v := newView(ctx, b, b.Size())
	v.pixels = int64(s.config.Pixels)
	mediaType, reason := r.judge(c, v)
	switch {
	case v.err != nil:
		return "", middleware.Refuse(name, middleware.InternalError, "a file could not be read").With(v.err)
	case reason != "":
	case len(v.active) > 0 && s.config.Active == "reject":
		reason = "it has active content: " + v.actives()
	case v.trailing && s.config.Trailing == "reject":
		reason = "something follows its end"
	}
	if reason != "" {
		return "", refused(c, reason)
	}
	found.add(c.place, v)
	return mediaType, s.scanned(ctx, c, b, found)
}

func refused(c claim, reason string) error {
	return middleware.Refuse(name, middleware.UploadRejected, c.place+" is not accepted: "+reason)
}

// scanned asks the scanner. A file that nobody could scan is not accepted.
func (s *Stage) scanned(ctx context.Context, c claim, b *middleware.Blob, found findings) error {
	if s.scan == nil {
		return nil
	}
	malware, err := s.scan(ctx, b)
	switch {
	case err == nil && malware == "":
		return nil
	case err == nil:
		found.list("upload_malware", c.place+": "+malware)
		return refused(c, "the scanner knows it as malware")
	}
	return middleware.Refuse(name, middleware.ScannerUnavailable, "files cannot be scanned for viruses now").With(err).Set("Retry-After", "5")
}

// judge gives the media type of a file, or the reason why it is not accepted.
func (r *rule) judge(c claim, v *view) (mediaType, reason string) {
	if len(r.kinds) == 0 {
		return "", "no file is taken here"
	}
	kinds := slices.Sorted(maps.Keys(r.kinds))
	if c.hasName {
		ext, reason := checkName(c.name)
		if reason != "" {
			return "", reason
		}
		if _, ok := r.kinds[ext]; !ok {
			return "", "its extension is not one of " + strings.Join(r.extensions, ", ")
		}
		kinds = []string{ext}
	}
	if v.size == 0 {
		return "", "it is empty"
	}
	reason = "its declared type is not one of its extension"
	if !c.hasName {
		reason = "its declared type is not one of " + strings.Join(r.extensions, ", ")
	}
	declared := false
	for _, ext := range kinds {
		k := r.kinds[ext]
		if !k.declares(c.declared) {
			continue
		}
		if !declared {
			declared, reason = true, unlike
			if !c.hasName {
				reason = "its content is not what is accepted here"
			}
		}
		mediaType, ok := k.finds(v.head)
		if !ok {
			continue
		}
		v.forget()
		if k.check == nil {
			return mediaType, ""
		}
		if reason = k.check(v); reason == "" || v.err != nil {
			return mediaType, reason
		}
	}
	return "", reason
}

// findings are the places of what was found and let pass, by the key of their
// note.
type findings map[string][]string

func (f findings) list(key, entry string) { f[key] = append(f[key], entry) }

func (f findings) add(place string, v *view) {
	if len(v.active) > 0 {
		f.list("upload_active", place+": "+v.actives())
	}
	for key, is := range map[string]bool{"upload_trailing": v.trailing, "upload_nested": v.nested, "upload_formula": v.formula} {
		if is {
			f.list(key, place)
		}
	}
}

func (f findings) note(x *middleware.Exchange) {
	for _, key := range slices.Sorted(maps.Keys(f)) {
		x.Note(key, f[key])
	}
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
