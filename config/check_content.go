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
		if why := wrongPointer(pointer); why != "" {
			k.mistake(join(join(path, "fields"), pointer), "%q %s", pointer, why)
		}
	}
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
