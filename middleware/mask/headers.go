package mask

import (
	"mime"
	"net/http"
	"net/textproto"
	"strings"

	"github.com/gatehouse-dev/gatehouse/middleware"
)

// kind is what a media type means to this stage.
type kind uint8

const (
	notJSON kind = iota
	jsonText
	jsonLines
)

// mediaKind judges the one Content-Type of an answer. Several, a malformed one
// or a charset other than UTF-8 are not JSON: in UTF-7 a name is spelled in
// ways that no mask finds.
func mediaKind(h http.Header) kind {
	values := h.Values("Content-Type")
	if len(values) != 1 {
		return notJSON
	}
	mediaType, params, err := mime.ParseMediaType(values[0])
	if err != nil {
		return notJSON
	}
	if charset, ok := params["charset"]; ok && !strings.EqualFold(charset, "utf-8") {
		return notJSON
	}
	return typeKind(mediaType)
}

func typeKind(mediaType string) kind {
	switch mediaType {
	case "application/json", "text/json":
		return jsonText
	case "application/x-ndjson", "application/ndjson", "application/jsonl":
		return jsonLines
	}
	if _, sub, ok := strings.Cut(mediaType, "/"); ok && strings.HasSuffix(sub, "+json") && len(sub) > len("+json") {
		return jsonText
	}
	return notJSON
}

// prepare asks the upstream for what can be masked: JSON, whole, uncompressed,
// and now. Conditions on reading are not forwarded: a 304 would revive a copy
// that was made under another decision, and a validator would be that of the
// unmasked answer. Conditions on writing stay: without If-Match a client that
// guards against a lost update would overwrite one.
func prepare(r *http.Request) {
	drop := []string{"Range", "If-Range", "Te"}
	if r.Method == http.MethodGet || r.Method == http.MethodHead {
		drop = append(drop, "If-None-Match", "If-Modified-Since", "If-Match", "If-Unmodified-Since")
	}
	for _, h := range drop {
		r.Header.Del(h)
	}
	r.Header.Set("Accept-Encoding", "identity")
	if !acceptsOnlyJSON(r.Header.Values("Accept")) {
		r.Header.Set("Accept", "application/json")
	}
}

func acceptsOnlyJSON(accept []string) bool {
	if len(accept) == 0 {
		return false
	}
	for _, value := range accept {
		for part := range strings.SplitSeq(value, ",") {
			mediaType, _, err := mime.ParseMediaType(part)
			if err != nil || typeKind(mediaType) == notJSON {
				return false
			}
		}
	}
	return true
}

// protect keeps a masked answer out of every cache but the caller's eyes.
func protect(res *http.Response) {
	h := res.Header
	for name := range h {
		canonical := textproto.CanonicalMIMEHeaderKey(name)
		if canonical == "Surrogate-Control" || canonical == "Expires" || strings.HasSuffix(canonical, "Cdn-Cache-Control") {
			delete(h, name)
		}
	}
	h.Set("Cache-Control", "private, no-store")
	h.Set("Accept-Ranges", "none")
	middleware.AddVary(h, "Authorization", "Cookie")
}
