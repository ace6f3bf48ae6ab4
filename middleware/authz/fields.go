package authz

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/url"
	"strings"

	"github.com/gatehouse-dev/gatehouse/middleware"
)

// maxPlaces and maxPlaceName bound what is told of the fields of a form.
const (
	maxPlaces    = 32
	maxPlaceName = 256
)

// fieldPointer names a field in refusals and records, as a JSON Pointer would.
func fieldPointer(name string) string {
	if len(name) > maxPlaceName {
		name = strings.ToValidUTF8(name[:maxPlaceName], "")
	}
	return "/" + strings.NewReplacer("~", "~0", "/", "~1").Replace(name)
}

// prefixed gives pointers into what stands at a place.
func prefixed(at string, pointers []string) []string {
	if at == "" || len(pointers) == 0 {
		return pointers
	}
	out := make([]string, len(pointers))
	for i, p := range pointers {
		out[i] = at + p
	}
	return out
}

func capped(places []string) []string { return places[:min(len(places), maxPlaces)] }

// setValue writes another value and keeps the spelling of the name.
func (p *pair) setValue(value string) {
	name, _, _ := bytes.Cut(p.raw, []byte("="))
	p.raw = append(append(bytes.Clone(name), '='), url.QueryEscape(value)...)
	p.value = value
}

// looksLikeJSON tells a field that holds an object or array from text, which
// may begin with a bracket as well.
func looksLikeJSON(data []byte) bool {
	data = bytes.TrimLeft(data, " \t\r\n")
	return len(data) > 0 && (data[0] == '{' || data[0] == '[') && json.Valid(data)
}

// maxDocument is the largest JSON file of a form that is judged. A part that is
// no file is not larger either.
const maxDocument = 1 << 20

// documentOf reads a file that is JSON.
func documentOf(f *middleware.File) ([]byte, error) {
	if f.Blob.Size() > maxDocument {
		return nil, middleware.Refuse(stageName, middleware.BodyTooLarge, fmt.Sprintf("a JSON file of a form is larger than %d bytes", maxDocument))
	}
	data, err := io.ReadAll(f.Blob.Reader())
	if err != nil {
		return nil, middleware.Refuse(stageName, middleware.InternalError, "a file could not be read").With(err)
	}
	return data, nil
}
