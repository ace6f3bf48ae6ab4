package edge

import (
	"net/http"
	"strings"
)

// Target is what a request is about, in the forms that matter.
type Target struct {
	Path    string // decoded: what is matched, judged and logged
	Escaped string // percent-encoded: what is forwarded
	Query   string // as it was sent, without the question mark; forwarded byte for byte
}

var (
	errStar     = &Error{PathInvalid, "the request is about no resource"}
	errAbsolute = &Error{PathInvalid, "the request target is no http or https URL"}
	errUser     = &Error{PathInvalid, "the request target names a user"}
)

// target reads a request target (RFC 9112, section 3.2): a path with its query,
// or over HTTP/1 an absolute URL of the connection's own scheme, whose host is
// the request's. "*", by which OPTIONS asks about a server as a whole, is
// refused: there is no resource that a policy could judge.
func target(method, raw string, major int, secure bool) (Target, error) {
	if raw == "*" {
		return Target{}, errStar
	}
	path, query, _ := strings.Cut(raw, "?")
	if major < 2 && !strings.HasPrefix(path, "/") {
		var err error
		if path, err = absolute(path, secure); err != nil {
			return Target{}, err
		}
		if path == "" && query == "" && method == http.MethodOptions {
			return Target{}, errStar // RFC 9112, section 3.2.4
		}
		if path == "" {
			path = "/"
		}
	}
	t, err := Path(path)
	if err != nil {
		return Target{}, err
	}
	if err := checkQuery(query); err != nil {
		return Target{}, err
	}
	t.Query = query
	return t, nil
}

// absolute gives the path of an absolute URL without its query. net/http has
// made its host the request's.
func absolute(raw string, secure bool) (string, error) {
	scheme, rest, ok := strings.Cut(raw, "://")
	switch scheme = strings.ToLower(scheme); {
	case !ok || scheme != "http" && scheme != "https":
		if !strings.Contains(raw, ":") {
			return "", errNoSlash
		}
		return "", errAbsolute
	case (scheme == "https") != secure:
		return "", errScheme
	}
	end := strings.IndexByte(rest, '/')
	if end < 0 {
		end = len(rest)
	}
	switch authority := rest[:end]; {
	case strings.Contains(authority, "@"):
		return "", errUser
	case authority == "" || strings.ContainsAny(authority, `\#`):
		return "", errAbsolute
	}
	return rest[end:], nil
}

// Parse reads a URL, or a path with its query, as a request for it would be
// read: what an operator asks about is judged as what a client sends.
func Parse(method, text string) (Head, error) {
	var h Head
	err := checkMethod(method)
	if err != nil {
		return h, err
	}
	scheme, rest, ok := strings.Cut(text, "://")
	if ok && !strings.HasPrefix(text, "/") {
		authority := rest
		if i := strings.IndexAny(rest, "/?#"); i >= 0 {
			authority = rest[:i]
		}
		if h.Host, h.Authority, err = Host(authority); err != nil {
			return h, err
		}
	}
	h.Target, err = target(method, text, 1, strings.EqualFold(scheme, "https"))
	return h, err
}

// Without takes a prefix of whole segments off, as it is written in decoded
// form: "/" is left of the prefix itself. What is left is read anew, so that
// what is forwarded is canonical whatever was taken off. A target that does not
// begin with the prefix stays as it is.
func (t Target) Without(prefix string) (Target, error) {
	prefix = strings.TrimSuffix(prefix, "/")
	if prefix == "" || t.Path != prefix && !strings.HasPrefix(t.Path, prefix+"/") {
		return t, nil
	}
	// The encoded form has as many slashes as the decoded one: an encoded
	// slash is refused.
	escaped := t.Escaped
	for range strings.Count(prefix, "/") {
		i := strings.IndexByte(escaped[1:], '/') + 1
		if i == 0 {
			i = len(escaped)
		}
		escaped = escaped[i:]
	}
	if escaped == "" {
		escaped = "/"
	}
	out, err := Path(escaped)
	out.Query = t.Query
	return out, err
}
