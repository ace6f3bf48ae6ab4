package config

import (
	"fmt"
	"maps"
	"mime"
	"net/url"
	"slices"
	"strings"
)

func (k *checker) cors(c *CORS, path string) {
	if c == nil {
		return
	}
	origins := join(path, "origins")
	k.unique(origins, c.Origins)
	for i, o := range c.Origins {
		switch {
		case o == "*" && c.Credentials:
			k.mistake(index(origins, i), `"*" cannot be combined with credentials; name the origins`)
		case o != "*" && !isOrigin(o):
			k.mistake(index(origins, i), "%q is not an origin as browsers send it; write it like https://app.example.com", o)
		}
	}
	k.unique(join(path, "methods"), c.Methods)
	k.headerNames(join(path, "headers"), c.Headers, false)
	k.headerNames(join(path, "expose_headers"), c.ExposeHeaders, false)
}

// isOrigin accepts the serialization of a tuple origin (Fetch standard): a
// lower case scheme and host, and a port that is not the scheme's own.
func isOrigin(s string) bool {
	u, err := url.Parse(s)
	if err != nil || s != u.Scheme+"://"+u.Host || s != strings.ToLower(s) || !isHost(u.Hostname()) {
		return false
	}
	switch u.Port() {
	case "":
		return !strings.HasSuffix(u.Host, ":")
	case "80":
		return u.Scheme != "http"
	case "443":
		return u.Scheme != "https"
	}
	return isPort(u.Port())
}

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
