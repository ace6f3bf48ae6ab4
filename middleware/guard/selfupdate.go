package guard

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"mime"
	"net/http"
	"strings"

	"github.com/gatehouse-dev/gatehouse/middleware"
	"github.com/gatehouse-dev/gatehouse/policies"
)

// maxSelfUpdate is how large the body of an update of oneself is read, in bytes.
// Profiles have a few hundred.
const maxSelfUpdate = 64 << 10

// PromotesSelf reports whether a request is an update in which callers give
// themselves another standing than their token does: a PUT, PATCH or POST of JSON
// whose path names the caller, with a role or tenant that is not theirs. The same
// value as in the token is none, for records are sent back whole.
//
// It reads the body through [middleware.Exchange.Body], but none that says that it
// is larger than 64 KiB; the error is a refusal of that.
func PromotesSelf(x *middleware.Exchange) (bool, error) {
	switch x.Request.Method {
	case http.MethodPut, http.MethodPatch, http.MethodPost:
	default:
		return false, nil
	}
	if x.Subject == nil || x.Request.ContentLength > maxSelfUpdate || !x.HasBody() || !saysJSON(x.Request.Header) || !namesCaller(x.Request.Method, x.Path, x.Subject.ID) {
		return false, nil
	}
	body, err := x.Body(stageName)
	if err != nil || len(body) > maxSelfUpdate {
		return false, err
	}
	return promotes(body, x.Subject), nil
}

// saysJSON reports whether a body is JSON by its media type, and not encoded.
func saysJSON(h http.Header) bool {
	media, _, err := mime.ParseMediaType(h.Get("Content-Type"))
	return err == nil && !middleware.Encoded(h) &&
		(media == "application/json" || media == "text/json" || strings.HasPrefix(media, "application/") && strings.HasSuffix(media, "+json"))
}

// namesCaller reports whether a path is about the caller: a segment is their id, or a
// word for whoever asks. One part of them may follow, such as settings. What stands
// further below belongs to the caller and is another: members of an account have
// roles of their own, and so has whoever is invited by POST.
func namesCaller(method, path, id string) bool {
	segments := strings.Split(strings.Trim(path, "/"), "/")
	n := len(segments)
	if isCaller(segments[n-1], id) {
		return true
	}
	return n > 1 && isCaller(segments[n-2], id) &&
		(method != http.MethodPost || middleware.NamesStanding(segments[n-1]))
}

func isCaller(segment, id string) bool {
	if segment != "" && segment == id {
		return true
	}
	for _, word := range [...]string{"me", "self", "profile", "account"} {
		if strings.EqualFold(segment, word) {
			return true
		}
	}
	return false
}

// promotes reports whether a body gives another standing than the caller has, at
// its top or one level below, or as a JSON Patch (RFC 6902). What is not JSON gives
// none: what a backend makes of it, nobody knows.
func promotes(body []byte, s *policies.Subject) bool {
	d := json.NewDecoder(bytes.NewReader(body))
	d.UseNumber()
	switch t, err := d.Token(); {
	case err != nil:
		return false
	case t == json.Delim('{'):
		found, _ := promotesObject(d, s, 1)
		return found
	case t == json.Delim('['):
		for d.More() {
			var v any
			if d.Decode(&v) != nil {
				return false
			}
			if promotesPatch(v, s) {
				return true
			}
		}
	}
	return false
}

// promotesObject reads the rest of an object member by member: one that stands twice counts
// twice, for nobody knows which of them the backend takes.
func promotesObject(d *json.Decoder, s *policies.Subject, depth int) (found bool, err error) {
	for d.More() {
		t, err := d.Token()
		if err != nil {
			return found, err
		}
		name, ok := t.(string)
		if !ok {
			return found, errors.New("not a name")
		}
		var raw json.RawMessage
		if err := d.Decode(&raw); err != nil {
			return found, err
		}
		if middleware.NamesStanding(name) {
			v, err := memberValue(raw)
			if err != nil {
				return found, err
			}
			if middleware.StandingOf(name, v, s) == middleware.OtherStanding {
				return true, nil
			}
			continue
		}
		if depth == 1 && len(raw) > 0 && raw[0] == '{' {
			inner := json.NewDecoder(bytes.NewReader(raw))
			inner.UseNumber()
			if _, err := inner.Token(); err != nil {
				return found, err
			}
			if found, err := promotesObject(inner, s, depth+1); found || err != nil {
				return found, err
			}
		}
	}
	_, err = d.Token()
	return false, err
}

func memberValue(raw json.RawMessage) (v any, err error) {
	d := json.NewDecoder(bytes.NewReader(raw))
	d.UseNumber()
	if err := d.Decode(&v); err != nil && !errors.Is(err, io.EOF) {
		return nil, err
	}
	return v, nil
}

// promotesPatch reports whether an operation of a JSON Patch gives another standing.
func promotesPatch(v any, s *policies.Subject) bool {
	m, _ := v.(map[string]any)
	op, _ := m["op"].(string)
	path, _ := m["path"].(string)
	if !strings.EqualFold(op, "add") && !strings.EqualFold(op, "replace") {
		return false
	}
	steps := strings.Split(path, "/")
	for len(steps) > 1 && strings.Trim(steps[len(steps)-1], "0123456789-") == "" { // of a list of roles
		steps = steps[:len(steps)-1]
	}
	if middleware.StandingOf(steps[len(steps)-1], m["value"], s) == middleware.OtherStanding {
		return true
	}
	whole, _ := m["value"].(map[string]any)
	for name, e := range whole {
		if middleware.StandingOf(name, e, s) == middleware.OtherStanding {
			return true
		}
	}
	return false
}
