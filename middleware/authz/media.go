package authz

import (
	"mime"
	"strings"

	"github.com/gatehouse-dev/gatehouse/middleware"
)

// carrier is how a body carries its members.
type carrier uint8

const (
	unread     carrier = iota // in no way that is known here
	jsonText                  // application/json
	jsonOther                 // of another type, and read alike
	mergePatch                // RFC 7396: what is no object takes the place of one
	jsonPatch                 // RFC 6902: members are named by the values of others
	formFields                // application/x-www-form-urlencoded
	formParts                 // multipart/form-data
)

// carrierOf says what the body is by its media type, and whether it can be read
// in one way only: where the type stands once, and neither a charset other than
// UTF-8 nor a coding makes other characters of the bytes.
func carrierOf(x *middleware.Exchange) (c carrier, clear bool) {
	h := x.Request.Header
	if x.IsForm() {
		return formParts, true // Form is as strict
	}
	values := h["Content-Type"]
	if len(values) != 1 {
		return unread, false
	}
	media, params, err := mime.ParseMediaType(values[0])
	if err != nil {
		return unread, false
	}
	clear = middleware.IsUTF8(params["charset"]) && !strings.Contains(values[0], "*") && !middleware.Encoded(h)
	switch {
	case media == "application/json":
		return jsonText, clear
	case media == "application/json-patch+json":
		return jsonPatch, clear
	case isJSON(media) && strings.Contains(media, "merge-patch"):
		return mergePatch, clear
	case isJSON(media):
		return jsonOther, clear
	case media == "application/x-www-form-urlencoded":
		return formFields, clear
	}
	return unread, false
}

// isJSON reports whether the members of a document are the members of what it
// writes. Those of SCIM patches are named by values, as a JSON Patch does it, but
// in a language of its own (RFC 7644, section 3.5.2).
func isJSON(media string) bool {
	return media == "application/json" || media == "text/json" ||
		strings.HasPrefix(media, "application/") && strings.HasSuffix(media, "+json") && media != "application/scim+json"
}

// hasContent reports whether there is a body with anything in it. Of one without
// a length only reading tells.
func hasContent(x *middleware.Exchange) (bool, error) {
	if !x.HasBody() || x.Request.ContentLength > 0 || x.IsForm() {
		return x.HasBody(), nil
	}
	data, err := x.Body(stageName)
	return len(data) > 0, err
}
