package guard

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/json"
	"io"
	"mime"
	"net/netip"
	"net/url"
	"slices"
	"strings"

	"github.com/gatehouse-dev/gatehouse/middleware"
)

// maxBody is the largest body that is searched for a username, and maxNames how
// many it may give. Logins are small; whatever is beyond names nobody.
const (
	maxBody  = 64 << 10
	maxNames = 8
)

// attempt is one request on a login route.
type attempt struct {
	who   []caller // who it counts for
	user  digest   // whose success it would be
	clear bool     // a success says for certain who logged in
}

// attempt reads who tries to log in. The error is a refusal: the body is too
// large or broke off.
func (g *Guard) attempt(x *middleware.Exchange) (attempt, error) {
	names, err := usernames(x)
	if err != nil {
		return attempt{}, err
	}
	net := network(x.Client)
	a := attempt{clear: len(names) == 1}
	if len(names) > 0 {
		a.user = g.digest(names...)
	}
	if g.settings.PerAddress || len(names) == 0 {
		a.who = []caller{{net: net}}
		return a, nil
	}
	for _, n := range names {
		a.who = append(a.who, caller{net, g.digest(n)})
	}
	return a, nil
}

// digest keys names so that memory holds none in clear. Lengths are not needed
// between them: a zero byte ends each and none holds one.
func (g *Guard) digest(names ...string) (d digest) {
	h := hmac.New(sha256.New, g.secret[:])
	for _, n := range names {
		h.Write([]byte(n))
		h.Write([]byte{0})
	}
	copy(d[:], h.Sum(nil))
	return d
}

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

// usernames are the names in the body, folded and sorted; none where it names
// nobody or cannot be read for sure.
func usernames(x *middleware.Exchange) ([]string, error) {
	r := x.Request
	if r.ContentLength > maxBody || r.Header.Get("Content-Encoding") != "" {
		return nil, nil
	}
	mediaType, _, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	if err != nil {
		return nil, nil
	}
	var read func([]byte) ([]string, bool)
	switch {
	case mediaType == "application/json" || strings.HasSuffix(mediaType, "+json"):
		read = jsonNames
	case mediaType == "application/x-www-form-urlencoded":
		read = formNames
	default:
		return nil, nil
	}
	body, err := x.Body(stageName)
	if err != nil {
		return nil, err
	}
	if len(body) > maxBody {
		return nil, nil
	}
	names, ok := read(body)
	if !ok || len(names) > maxNames {
		return nil, nil
	}
	for i, n := range names {
		names[i] = strings.ToLower(strings.TrimSpace(n))
	}
	names = slices.DeleteFunc(names, func(n string) bool { return n == "" || strings.ContainsRune(n, 0) })
	slices.Sort(names)
	return slices.Compact(names), nil
}

// isName reports whether a member or field is one that names the user. Upstreams
// differ in whether they mind the case.
func isName(s string) bool {
	switch strings.ToLower(s) {
	case "username", "email", "login":
		return true
	}
	return false
}

// jsonNames gives what the top of an object calls a name, all of them where one
// stands there twice: which one the upstream takes is not known. A number is
// read as its digits; a name that is a list or an object is not to be read.
func jsonNames(body []byte) (names []string, ok bool) {
	d := json.NewDecoder(bytes.NewReader(body))
	d.UseNumber()
	if t, err := d.Token(); err != nil || t != json.Delim('{') {
		return nil, false
	}
	for d.More() {
		key, err := d.Token()
		if err != nil {
			return nil, false
		}
		var value any
		if err := d.Decode(&value); err != nil {
			return nil, false
		}
		if !isName(key.(string)) {
			continue
		}
		switch v := value.(type) {
		case string:
			names = append(names, v)
		case json.Number:
			names = append(names, v.String())
		default:
			return nil, false
		}
	}
	if _, err := d.Token(); err != nil {
		return nil, false
	}
	if _, err := d.Token(); err != io.EOF {
		return nil, false // more behind it, which some may read instead
	}
	return names, true
}

func formNames(body []byte) (names []string, ok bool) {
	form, err := url.ParseQuery(string(body))
	if err != nil {
		return nil, false
	}
	for k, v := range form {
		if isName(k) {
			names = append(names, v...)
		}
	}
	return names, true
}
