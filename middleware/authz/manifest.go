package authz

import (
	"encoding/hex"
	"encoding/json"
	"strconv"

	"github.com/gatehouse-dev/gatehouse/middleware"
)

// seen gives what a policy sees of the body: all of it, or a refusal. Later
// stages send on the very same, but for what the decision itself takes out.
//
//   - JSON is what it is;
//   - an application/x-www-form-urlencoded form is an object of lists, since a
//     name may stand more than once: {"name": ["Ada"]};
//   - a multipart form is a manifest, see [manifest].
//
// A rule that denies by a member of JSON finds none in the other shapes, and a
// backend may take them all for the same. So without being told to, it is shown
// nothing but JSON, and forms where there are files to be judged.
func (s *Stage) seen(x *middleware.Exchange) (any, error) {
	if has, err := hasContent(x); err != nil || !has {
		return nil, err
	}
	c, clear := carrierOf(x)
	switch {
	case c == unread || !clear || !s.shows(x, c):
		return nil, unreadable()
	case c == formFields:
		return formBody(x)
	case c == formParts:
		return manifest(x)
	}
	return jsonBody(x)
}

// shows reports whether a policy of the route is made for bodies of the kind.
func (s *Stage) shows(x *middleware.Exchange, c carrier) bool {
	switch c {
	case jsonText, mergePatch:
		return true
	case formParts:
		return s.policy.Bodies == "any" || x.Route.Upload != nil
	}
	return s.policy.Bodies == "any"
}

func formBody(x *middleware.Exchange) (any, error) {
	pairs, err := strictPairs(x)
	if err != nil {
		return nil, err
	}
	out := map[string]any{}
	for _, p := range pairs {
		if len(p.raw) == 0 {
			continue // between two ampersands there is no field (URL standard, section 5.1)
		}
		list, _ := out[p.name].([]any)
		out[p.name] = append(list, p.value)
	}
	return out, nil
}

// manifest lists the parts of a form in their order. A text is there with its
// value; of a file there is what can be said without its bytes: the name, the
// type that the client declares, the one that the upload stage has found, the
// size and the SHA-256.
//
//	{"parts": [
//	  {"field": "title", "type": "", "value": "My CV"},
//	  {"field": "file", "type": "application/pdf", "name": "cv.pdf",
//	   "detected": "application/pdf", "size": 48213, "sha256": "9f86d081…"}
//	]}
func manifest(x *middleware.Exchange) (any, error) {
	form, err := strictParts(x)
	if err != nil || form == nil {
		return nil, err
	}
	parts := make([]any, len(form.Parts))
	for i, p := range form.Parts {
		entry := map[string]any{"field": p.Name, "type": p.Type}
		parts[i] = entry
		if p.File == nil {
			entry["value"] = string(p.Text)
			continue
		}
		sum, err := p.File.Blob.Sum()
		if err != nil {
			return nil, middleware.Refuse(stageName, middleware.InternalError, "a file could not be read").With(err)
		}
		entry["name"], entry["detected"] = p.File.Name, p.File.Detected
		entry["size"] = json.Number(strconv.FormatInt(p.File.Blob.Size(), 10))
		entry["sha256"] = hex.EncodeToString(sum[:])
	}
	return map[string]any{"parts": parts}, nil
}
