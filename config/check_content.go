package config

import (
	"fmt"
	"maps"
	"mime"
	"slices"
	"strings"
)

func (k *checker) sanitize(s *Sanitize, path string) {
	if s == nil {
		return
	}
	for _, pointer := range slices.Sorted(maps.Keys(s.Fields)) {
		at := join(join(path, "fields"), pointer)
		where, name, outside := strings.Cut(pointer, ":")
		if !outside || where != "query" && where != "header" {
			if why := wrongPointer(pointer); why != "" {
				k.mistake(at, "%q %s", pointer, why)
			}
			continue
		}
		if name == "" || where == "header" && !isToken(name) {
			k.mistake(at, "%q does not name one; write it like query:q or header:x-note", pointer)
		}
		if html := s.Fields[pointer].HTML; html == "strip" || html == "formatting" || html == "ugc" {
			k.mistake(join(at, "html"), "nothing is taken out of a query or a header; html is off, report or reject here")
		}
	}
	headers := join(path, "headers")
	k.headerNames(headers, s.Headers, false)
	k.unique(headers, s.Headers)
	types := join(path, "media_types")
	k.unique(types, s.MediaTypes)
	for i, t := range s.MediaTypes {
		if !isMediaType(t) {
			k.mistake(index(types, i), "%q is not a media type; write it like application/json or application/*+json", t)
		}
	}
}

// wrongPointer says what is wrong with a JSON pointer (RFC 6901), or "".
func wrongPointer(s string) string {
	if !strings.HasPrefix(s, "/") {
		return fmt.Sprintf("is not a JSON pointer; did you mean %q?", "/"+s)
	}
	rest := strings.NewReplacer("~0", "", "~1", "").Replace(s)
	if strings.Contains(rest, "~") {
		return "has a ~ that is neither ~0, which is ~, nor ~1, which is /"
	}
	return ""
}

// isMediaType accepts a lower case type/subtype without parameters.
func isMediaType(s string) bool {
	t, params, err := mime.ParseMediaType(s)
	return err == nil && t == s && len(params) == 0 && strings.Count(s, "/") == 1 && !strings.HasPrefix(s, "*")
}

func (k *checker) upload(u *Upload, path string) {
	if u == nil {
		return
	}
	at := join(path, "extensions")
	if len(u.Extensions) == 0 && len(u.Fields) == 0 && !k.unreadIn(path, "extensions", "fields") {
		k.mistake(at, "extensions is required")
	}
	k.extensions(at, u.Extensions)
	k.bound(join(path, "file_bytes"), "total_bytes", u.FileBytes, u.TotalBytes)
	for _, name := range slices.Sorted(maps.Keys(u.Fields)) {
		f, at := u.Fields[name], join(join(path, "fields"), name)
		if name == "" {
			k.mistake(at, "a field has a name")
		}
		if len(u.In(name).Extensions) == 0 && !k.unreadIn(at, "extensions") {
			k.mistake(at, "extensions is required, here or in upload")
		}
		k.extensions(join(at, "extensions"), f.Extensions)
		k.bound(join(at, "file_bytes"), "total_bytes", f.FileBytes, u.TotalBytes)
		if f.Files > u.Files {
			k.mistake(join(at, "files"), "upload takes %d files in all; this is more", u.Files)
		}
	}
}

// bound checks that a size is within one that it is a part of.
func (k *checker) bound(at, whole string, part, of Size) {
	if of > 0 && part > of && k.written(at) {
		k.mistake(at, "this is more than %s, which is %s", whole, of)
	}
}

func (k *checker) extensions(at string, list []string) {
	k.unique(at, list)
	for i, e := range list {
		want := strings.ToLower(strings.TrimPrefix(e, "."))
		switch {
		case want == "" || strings.ContainsFunc(want, strange) || strings.ContainsAny(want, "/."):
			k.mistake(index(at, i), "%q is not an extension", e)
		case want != e:
			k.mistake(index(at, i), "%q must be written as %q", e, want)
		}
	}
}
