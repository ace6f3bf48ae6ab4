package guard

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"io"
	"mime"
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/gatehouse-dev/gatehouse/middleware"
	"github.com/gatehouse-dev/gatehouse/middleware/guard/detect"
)

// maxBody is the largest body that is searched for a username, and maxNames how
// many it may give. Logins are small; whatever is beyond names nobody.
const (
	maxBody  = 64 << 10
	maxNames = 8
)

// signIn reads who tries to log in. The error is a refusal: the body is too large
// or broke off.
func (s *Stage) signIn(x *middleware.Exchange) (*detect.Signal, error) {
	names, hidden, err := usernames(x, s.field)
	if err != nil {
		return nil, err
	}
	signal := &detect.Signal{
		Time: time.Now(), Address: network(x.Client),
		Clear: len(names) == 1 && speaksForItself(x.Request), Hidden: hidden,
	}
	for _, n := range names {
		signal.Users = append(signal.Users, s.guard.Key.Digest(n))
	}
	return signal, nil
}

// userText is how events and blocks write a digest.
func userText(d detect.Digest) string { return hex.EncodeToString(d[:]) }

// network is an IPv4 address, or the /64 of an IPv6 one: a single subscriber
// has all of it.
func network(a netip.Addr) netip.Prefix {
	a = a.Unmap().WithZone("")
	bits := 64
	if a.Is4() {
		bits = 32
	}
	p, _ := a.Prefix(bits) // an unknown address is the zero prefix, one caller
	return p
}

// speaksForItself reports whether a success can be that of whom the body names. Who
// asks for the page of a login gets it whatever the body says, and beside a Basic
// header (RFC 7617) the body may be what the upstream does not look at.
func speaksForItself(r *http.Request) bool {
	switch r.Method {
	case http.MethodGet, http.MethodHead, http.MethodOptions:
		return false
	}
	return !basic(r.Header)
}

// basic reports whether a header names a user and a password, and not in the way
// that names are looked for.
func basic(h http.Header) bool {
	const scheme = "Basic "
	return slices.ContainsFunc(h["Authorization"], func(v string) bool {
		return len(v) >= len(scheme) && strings.EqualFold(v[:len(scheme)], scheme)
	})
}

// usernames are the names in the body and the query, folded and sorted: frameworks
// make one of the two, each in its own way. There are none where nobody is named or
// where that cannot be read for sure, which is hidden then. The field is where names
// stand, nil for the usual places.
func usernames(x *middleware.Exchange, field []string) (names []string, hidden bool, err error) {
	names, ok := formNames([]byte(x.Request.URL.RawQuery), field)
	if ok && x.HasBody() {
		var more []string
		if more, ok, err = bodyNames(x, field); err != nil {
			return nil, false, err
		}
		names = append(names, more...)
	}
	if !ok || len(names) > maxNames {
		return nil, true, nil
	}
	for i, n := range names {
		names[i] = fold(n)
		hidden = hidden || strings.ContainsRune(n, 0)
	}
	names = slices.DeleteFunc(names, func(n string) bool { return n == "" || strings.ContainsRune(n, 0) })
	slices.Sort(names)
	names = slices.Compact(names)
	return names, len(names) == 0 && (hidden || basic(x.Request.Header)), nil
}

// bodyNames are the names in the body; ok says that it could be read.
func bodyNames(x *middleware.Exchange, field []string) (names []string, ok bool, err error) {
	r := x.Request
	if r.ContentLength > maxBody || r.Header.Get("Content-Encoding") != "" {
		return nil, false, nil
	}
	mediaType, _, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	if err != nil {
		return nil, false, nil
	}
	var read func([]byte, []string) ([]string, bool)
	switch {
	case mediaType == "application/json" || strings.HasSuffix(mediaType, "+json"):
		read = jsonNames
	case mediaType == "application/x-www-form-urlencoded":
		read = formNames
	default:
		return nil, false, nil
	}
	body, err := small(x)
	if err != nil || body == nil {
		return nil, false, err
	}
	names, ok = read(body, field)
	return names, ok, nil
}

// small gives the body where it is one of a login, nil where it is larger. One
// that does not say how large it is is not held beyond that: nothing bounds yet
// what strangers may send.
func small(x *middleware.Exchange) ([]byte, error) {
	r := x.Request
	if r.ContentLength < 0 {
		head, err := io.ReadAll(io.LimitReader(r.Body, maxBody+1))
		if err != nil {
			return nil, middleware.BodyRefusal(stageName, err)
		}
		r.Body = &joined{io.MultiReader(bytes.NewReader(head), r.Body), r.Body}
		if len(head) > maxBody {
			return nil, nil
		}
	}
	return x.Body(stageName)
}

// joined is a body of which the beginning was read.
type joined struct {
	io.Reader
	io.Closer
}

// isName reports whether a member or field is one that names the user. Upstreams
// differ in whether they mind the case.
func isName(s string, field []string) bool {
	if len(field) > 0 {
		return strings.EqualFold(s, field[0])
	}
	switch strings.ToLower(s) {
	case "username", "email", "login":
		return true
	}
	return false
}

// jsonNames gives what an object calls a name, all of them where one stands there
// twice: which one the upstream takes is not known. A number is read as its
// digits; a name that is a list or an object is not to be read.
func jsonNames(body []byte, field []string) (names []string, ok bool) {
	d := json.NewDecoder(bytes.NewReader(body))
	if t, err := d.Token(); err != nil || t != json.Delim('{') {
		return nil, false
	}
	for d.More() {
		key, err := d.Token()
		if err != nil {
			return nil, false
		}
		var value json.RawMessage
		if err := d.Decode(&value); err != nil {
			return nil, false
		}
		if !isName(key.(string), field) {
			continue
		}
		found, ok := jsonName(value, field)
		if !ok {
			return nil, false
		}
		names = append(names, found...)
	}
	if _, err := d.Token(); err != nil {
		return nil, false
	}
	if _, err := d.Token(); err != io.EOF {
		return nil, false // more behind it, which some may read instead
	}
	return names, true
}

// jsonName reads a member that is a name, or leads to it.
func jsonName(value []byte, field []string) ([]string, bool) {
	if len(field) > 1 {
		return jsonNames(value, field[1:])
	}
	if value[0] == '"' {
		var text string
		err := json.Unmarshal(value, &text)
		return []string{text}, err == nil
	}
	var number json.Number
	if err := json.Unmarshal(value, &number); err != nil || number == "" {
		return nil, false
	}
	return []string{number.String()}, true
}

func formNames(body []byte, field []string) (names []string, ok bool) {
	form, err := url.ParseQuery(string(body))
	if err != nil {
		return nil, false
	}
	if len(field) > 1 {
		return nil, true // a form has no member of a member
	}
	for k, v := range form {
		if isName(k, field) {
			names = append(names, v...)
		}
	}
	return names, true
}

// fieldOf reads where a route's logins name their user (RFC 6901, section 4), nil
// for the usual places.
func fieldOf(name string) []string {
	if name == "" {
		return nil
	}
	pointer, ok := strings.CutPrefix(name, "/")
	if !ok {
		return []string{name}
	}
	field := strings.Split(pointer, "/")
	for i, s := range field {
		field[i] = strings.NewReplacer("~1", "/", "~0", "~").Replace(s)
	}
	return field
}
