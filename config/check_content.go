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
	k.unique(at, u.Extensions)
	for i, e := range u.Extensions {
		want := strings.ToLower(strings.TrimPrefix(e, "."))
		switch {
		case want == "" || strings.ContainsFunc(want, strange) || strings.ContainsAny(want, "/."):
			k.mistake(index(at, i), "%q is not an extension", e)
		case want != e:
			k.mistake(index(at, i), "%q must be written as %q", e, want)
		}
	}
}
