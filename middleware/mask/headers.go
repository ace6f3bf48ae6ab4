package mask

import (
	"mime"
	"net/http"
	"net/textproto"
	"net/url"
	"slices"
	"strings"

	"github.com/gatehouse-dev/gatehouse/middleware"
	"github.com/gatehouse-dev/gatehouse/middleware/mask/oracle"
)

// format is what a media type means to this stage.
type format uint8

const (
	unknown format = iota
	jsonText
	jsonLines
	events // server-sent events
	csv    // CSV (RFC 4180)
)

// formatOf judges the one Content-Type of an answer. Several, a malformed one
// or a charset other than UTF-8 are unknown: in UTF-7 a name is spelled in ways
// that no mask finds.
func formatOf(h http.Header) format {
	if v := h["Content-Type"]; len(v) == 1 && isJSON(v[0]) { // most are
		return jsonText
	}
	mediaType, params, ok := contentType(h)
	if !ok {
		return unknown
	}
	if charset, ok := params["charset"]; ok && !strings.EqualFold(charset, "utf-8") {
		return unknown
	}
	f := typeFormat(mediaType)
	if f == csv && strings.EqualFold(params["header"], "absent") {
		return unknown // columns without names (RFC 4180, section 3)
	}
	return f
}

// plainJSON is the media type of JSON as it is mostly spelled.
const plainJSON = "application/json"

// isJSON reports whether a Content-Type is JSON in a spelling that is read without
// a parser.
func isJSON(v string) bool {
	rest, ok := strings.CutPrefix(v, plainJSON)
	if !ok {
		return false
	}
	switch rest {
	case "", "; charset=utf-8", ";charset=utf-8", "; charset=UTF-8", ";charset=UTF-8":
		return true
	}
	return false
}

func contentType(h http.Header) (mediaType string, params map[string]string, ok bool) {
	values := h.Values("Content-Type")
	if len(values) != 1 {
		return "", nil, false
	}
	mediaType, params, err := mime.ParseMediaType(values[0])
	return mediaType, params, err == nil
}

func typeFormat(mediaType string) format {
	switch mediaType {
	case "application/json", "text/json":
		return jsonText
	case "application/x-ndjson", "application/ndjson", "application/jsonl":
		return jsonLines
	case "text/event-stream":
		return events
	case "text/csv":
		return csv
	}
	if _, sub, ok := strings.Cut(mediaType, "/"); ok && strings.HasSuffix(sub, "+json") && len(sub) > len("+json") {
		return jsonText
	}
	return unknown
}

// passes reports whether the route lets an answer of this type through as it
// is.
func (s *Stage) passes(h http.Header) bool {
	mediaType, _, ok := contentType(h)
	return ok && s.passing(mediaType)
}

func (s *Stage) passing(mediaType string) bool {
	kind, _, _ := strings.Cut(mediaType, "/")
	return slices.Contains(s.passthrough, mediaType) || slices.Contains(s.passthrough, kind+"/*")
}

// prepare asks the upstream for what can be masked: a type that is understood,
// whole, uncompressed, and now. Conditions on reading are not forwarded: a 304
// would revive a copy that was made under another decision, and a validator
// would be that of the unmasked answer. Conditions on writing stay: without
// If-Match a client that guards against a lost update would overwrite one.
func (s *Stage) prepare(r *http.Request) {
	drop := [...]string{"Range", "If-Range", "Te", "Upgrade", "Connection", "If-None-Match", "If-Modified-Since", "If-Match", "If-Unmodified-Since"}
	n := len(drop)
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		n = 5
	}
	for _, h := range drop[:n] {
		delete(r.Header, h)
	}
	v := &[2]string{"identity", plainJSON}
	r.Header["Accept-Encoding"] = v[0:1:1]
	if !s.acceptsMaskable(r.Header["Accept"]) {
		if len(s.passthrough) > 0 {
			v[1] = strings.Join(append([]string{plainJSON}, s.passthrough...), ", ")
		}
		r.Header["Accept"] = v[1:2:2]
	}
	r.URL.RawQuery = withoutFormat(r.URL.RawQuery)
}

// acceptsMaskable reports whether a client asks for nothing that the stage
// could not send.
func (s *Stage) acceptsMaskable(accept []string) bool {
	if len(accept) == 0 {
		return false
	}
	for _, value := range accept {
		for part := range strings.SplitSeq(value, ",") {
			if part == plainJSON {
				continue
			}
			mediaType, _, err := mime.ParseMediaType(part)
			if err != nil || !s.understands(typeFormat(mediaType)) && !s.passing(mediaType) {
				return false
			}
		}
	}
	return true
}

// understands reports whether answers of the format can be masked on the route.
// In what a query is answered with piece by piece, values stand elsewhere than in
// the answer that its paths are about.
func (s *Stage) understands(f format) bool {
	return f == jsonText || f != unknown && s.graphql == nil
}

// withoutFormat takes the parameters out of a query that make Django REST
// framework and its like answer in another format than Accept says, unless it
// is one that can be masked. The rest of the query stays as it is spelled.
func withoutFormat(query string) string {
	if !strings.Contains(query, "format") && !strings.Contains(query, "_accept") {
		return query
	}
	pairs := strings.Split(query, "&")
	return strings.Join(slices.DeleteFunc(pairs, func(pair string) bool {
		name, value, _ := strings.Cut(pair, "=")
		value, err := url.QueryUnescape(value)
		if err != nil {
			return false
		}
		switch name {
		case "format", "_format":
			return !slices.Contains([]string{"json", "csv", "ndjson", "jsonl"}, strings.ToLower(value))
		case "_accept":
			return typeFormat(strings.ToLower(value)) == unknown
		}
		return false
	}), "&")
}

// protect keeps a masked answer out of every cache but the caller's eyes, and
// what it does not hold out of its headers.
func (a *answer) protect(res *http.Response) {
	h := res.Header
	for name := range h {
		canonical := textproto.CanonicalMIMEHeaderKey(name)
		if canonical == "Surrogate-Control" || canonical == "Expires" || strings.HasSuffix(canonical, "Cdn-Cache-Control") {
			delete(h, name)
		}
		if len(a.spec.Rows) > 0 && counts(canonical) || !standard(canonical) && tells(canonical, a.fields) {
			delete(h, name)
		}
	}
	if links := h.Values("Link"); len(links) > 0 && len(a.spec.Rows) > 0 {
		h.Del("Link")
		for _, l := range neighbours(links) {
			h.Add("Link", l)
		}
	}
	h["Cache-Control"], h["Accept-Ranges"] = a.room.field("private, no-store"), a.room.field("none")
	if len(h["Vary"]) == 0 {
		h["Vary"] = a.room.field("Authorization, Cookie")
	} else {
		middleware.AddVary(h, "Authorization", "Cookie")
	}
}

// Bounds of the name of a header that is judged: bytes, and parts. One that is
// longer is not sent.
const (
	maxHeaderName = 256
	maxParts      = 16
)

// tells reports whether the name of a header has that of a masked field in it,
// in one part or several that follow each other: X-Ssn, X-Bank-Account.
func tells(name string, hidden oracle.Fields) bool {
	if len(name) > maxHeaderName {
		return true
	}
	parts := strings.FieldsFunc(name, func(r rune) bool { return r == '-' || r == '_' || r == '.' })
	if len(parts) > maxParts {
		return true
	}
	for i := range parts {
		for j := i + 1; j <= len(parts); j++ {
			if hidden.Masked(strings.Join(parts[i:j], "")) {
				return true
			}
		}
	}
	return false
}

// standard reports whether a header is one that HTTP gives a meaning, so that
// it says nothing about a field of the same name, such as date or location.
func standard(canonical string) bool {
	switch canonical {
	case "Accept-Patch", "Accept-Post", "Accept-Ranges", "Age", "Allow", "Alt-Svc", "Cache-Control", "Connection",
		"Content-Disposition", "Content-Encoding", "Content-Language", "Content-Length", "Content-Location",
		"Content-Security-Policy", "Content-Type", "Date", "Deprecation", "Etag", "Keep-Alive", "Last-Modified",
		"Link", "Location", "Pragma", "Preference-Applied", "Referrer-Policy",
		"Refresh", "Retry-After", "Server", "Server-Timing", "Set-Cookie", "Strict-Transport-Security", "Sunset",
		"Vary", "Via", "Warning", "Www-Authenticate", "X-Content-Type-Options", "X-Frame-Options":
		return true
	}
	return strings.HasPrefix(canonical, "Access-Control-") || strings.HasPrefix(canonical, "Cross-Origin-")
}

// counts reports whether a header tells how many records there are: of those a
// row filter has removed, too.
func counts(canonical string) bool {
	name := strings.TrimPrefix(canonical, "X-")
	switch name {
	case "Total", "Count", "Pages", "Page-Count", "Last-Page":
		return true
	}
	return strings.HasPrefix(name, "Total-") || strings.HasPrefix(name, "Pagination") ||
		strings.HasSuffix(name, "-Total") || strings.HasSuffix(name, "-Count") || strings.HasSuffix(name, "-Total-Pages")
}

// neighbours keeps the links (RFC 8288) to what stands beside an answer. The
// address of the last page tells how many records there are.
func neighbours(values []string) []string {
	var out []string
	for _, value := range values {
		for _, link := range splitLinks(value) {
			if isNeighbour(link) {
				out = append(out, strings.TrimSpace(link))
			}
		}
	}
	return out
}

func isNeighbour(link string) bool {
	_, text, ok := strings.Cut(link, ">")
	if !ok {
		return false
	}
	_, params, err := mime.ParseMediaType("link" + text)
	if err != nil {
		return false
	}
	return slices.Contains([]string{"next", "prev", "previous", "first", "self"}, strings.ToLower(params["rel"]))
}

// splitLinks cuts a field value at the commas that are neither in an address
// nor in quotes.
func splitLinks(value string) []string {
	var out []string
	var inside byte
	start := 0
	for i := range len(value) {
		switch c := value[i]; {
		case inside != 0:
			if c == inside {
				inside = 0
			}
		case c == '<':
			inside = '>'
		case c == '"':
			inside = '"'
		case c == ',':
			out = append(out, value[start:i])
			start = i + 1
		}
	}
	return append(out, value[start:])
}
