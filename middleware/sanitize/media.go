package sanitize

import (
	"fmt"
	"mime"
	"net/http"
	"path"
	"strings"

	"github.com/gatehouse-dev/gatehouse/middleware"
)

// media is what a request says about its body.
type media struct {
	name string // in lower case, without parameters
}

// defaultMediaTypes are those that the stage can look into and that APIs are
// spoken in.
func defaultMediaTypes() []string {
	return []string{"application/json", "application/*+json", "application/x-www-form-urlencoded", "multipart/form-data"}
}

// mediaTypes checks configured media types. They match as path.Match does:
// * stands for any part of a type without a slash.
func mediaTypes(configured []string) ([]string, error) {
	if len(configured) == 0 {
		return defaultMediaTypes(), nil
	}
	types := make([]string, len(configured))
	for i, t := range configured {
		if _, err := path.Match(t, ""); err != nil || strings.Count(t, "/") != 1 {
			return nil, fmt.Errorf("sanitize: %q is not a media type; write it like application/json or application/*+json", t)
		}
		types[i] = strings.ToLower(t)
	}
	return types, nil
}

// readMedia reads what the headers say about the body. Anything that could be
// read in two ways is an error, whose text is for the client.
func readMedia(h http.Header) (media, error) {
	if middleware.Encoded(h) {
		return media{}, fmt.Errorf("an encoded body is not accepted")
	}
	values := h.Values("Content-Type")
	if len(values) != 1 {
		return media{}, fmt.Errorf("a body needs exactly one Content-Type")
	}
	if isPlainType(values[0]) {
		return media{name: values[0]}, nil
	}
	// Continuations (charset*0=) and the like are decoded by some and not by
	// others.
	name, params, err := mime.ParseMediaType(values[0])
	if err != nil || !strings.Contains(name, "/") || strings.Contains(values[0], "*") {
		return media{}, fmt.Errorf("the Content-Type is not well-formed")
	}
	if !middleware.IsUTF8(params["charset"]) {
		return media{}, fmt.Errorf("the charset must be utf-8")
	}
	return media{name: name}, nil
}

// isPlainType reports whether a Content-Type is a type in lower case and nothing
// else, as it mostly is. There is nothing to parse in it.
func isPlainType(s string) bool {
	kind, sub, ok := strings.Cut(s, "/")
	return ok && kind != "" && sub != "" && strings.Trim(kind, typeLetters) == "" && strings.Trim(sub, typeLetters) == ""
}

const typeLetters = "abcdefghijklmnopqrstuvwxyz0123456789+-."

func isJSON(name string) bool {
	return name == "application/json" || name == "text/json" || strings.HasSuffix(name, "+json")
}

// allowed reports whether the route takes bodies of this type.
func (m media) allowed(types []string) bool {
	for _, t := range types {
		if t == m.name {
			return true
		}
		if ok, _ := path.Match(t, m.name); ok {
			return true
		}
	}
	return false
}
