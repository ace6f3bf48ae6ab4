// Package edge is the one reading of what a request says about itself: its
// method, its host, its path, its query, its headers and where it comes from.
//
// A gateway judges a request and another program serves it. Wherever the two
// read it differently, what was judged is not what is done. So a request is
// read here, once, before anything else looks at it, and the router, policies,
// logs and the upstream are all given the result. What can be read in more than
// one way is refused: a repair would be a second opinion about what the client
// meant. What is let in is forwarded in one normal form, and reading that form
// again gives the same result.
//
// Nothing here knows of configuration, stages or connections, and nothing waits
// or keeps state. All functions may be called from many goroutines.
package edge

import (
	"net/http"
	"net/textproto"
)

// Codes of refusals. They are stable and are what clients are told.
const (
	PathInvalid      = "path_invalid"
	MethodUnknown    = "method_unknown"
	MethodNotAllowed = "method_not_allowed"
	HeaderInvalid    = "header_invalid"
)

// Error is why a request is not let in.
type Error struct {
	Code   string // one of the codes of this package
	Detail string // for the client; nothing of what it sent is repeated
}

func (e *Error) Error() string { return e.Detail }

// Head is what a request is about. The zero value says nothing.
type Head struct {
	// Host is the canonical host without port: lower case, A-labels, no final
	// dot, no brackets. It is "" where the request names none.
	Host string
	// Authority is Host as it is sent: with the port that the client named, and
	// with brackets around an IPv6 address.
	Authority string
	// Claims says that the client sent a header by which upstreams are told who
	// asks: one of the identity headers, or one that policies set. It is gone, and
	// no client has a reason to send it.
	Claims bool
	Target
}

// Door is where requests come in. It is made once for a configuration and never
// changes.
type Door struct {
	strip *strip
	once  []string // canonical names of what may stand once
	shown []string // and of what policies read
}

// NewDoor makes a door. Headers named in identity and set, in any case, cannot
// be sent by clients; NAME-* stands for all names that begin so, and for NAME.
// identity are those that upstreams believe, set those that policies can set.
// Headers in shown are read by policies.
func NewDoor(identity, set, shown []string) *Door {
	d := &Door{strip: newStrip(identity, set, shown), once: once()}
	for _, name := range shown {
		d.shown = append(d.shown, textproto.CanonicalMIMEHeaderKey(name))
	}
	return d
}

// Removes reports whether a header of that name never gets in, whoever sends it.
func (d *Door) Removes(name string) bool { return d.strip.removes(name) }

// Read reads the head of a request as net/http hands it over, and takes out of
// its headers what clients may not send. Whoever needs X-Forwarded-For has read
// it before. Where there is an error, it is an [*Error], and the Head holds what
// could be read nevertheless; the headers are clean all the same.
func (d *Door) Read(r *http.Request) (Head, error) {
	hosts := r.Header["Host"]
	f := d.strip.clean(r.Header)
	var err error
	if f.repeated || len(hosts) > 1 { // hardly ever
		err = checkOnce(r.Header, hosts, d.once)
	}
	if err == nil && f.blanks {
		err = errPadded
	}
	if err == nil {
		err = checkShown(r.Header, d.shown)
	}
	h, wrong := read(r, hosts)
	h.Claims = f.claims
	if wrong != nil {
		err = wrong // what the request is about goes first
	}
	return h, err
}

// read reads all of the first lines, so that a log can tell what a request that
// is refused was about.
func read(r *http.Request, hosts []string) (Head, error) {
	var h Head
	host, authority, err := Host(r.Host)
	if err == nil {
		h.Host, h.Authority = host, authority
		err = checkHosts(authority, hosts)
	}
	t, wrong := target(r.Method, r.RequestURI, r.ProtoMajor, r.TLS != nil)
	if wrong == nil {
		h.Target = t
	}
	if err == nil {
		err = wrong
	}
	if wrong := checkMethod(r.Method); wrong != nil {
		err = wrong // whatever it is about: the answer is the same
	}
	return h, err
}

// The methods that are served: those of RFC 9110 and RFC 5789, but for two.
// CONNECT asks for a tunnel and TRACE for a copy of the request, headers of the
// gateway included.
var (
	errMethodUnknown = &Error{MethodUnknown, "the method is none that the gateway knows"}
	errMethodRefused = &Error{MethodNotAllowed, "this method is not served"}
)

func checkMethod(method string) error {
	switch method {
	case http.MethodGet, http.MethodHead, http.MethodPost, http.MethodPut, http.MethodPatch, http.MethodDelete, http.MethodOptions:
		return nil
	case http.MethodConnect, http.MethodTrace:
		return errMethodRefused
	}
	return errMethodUnknown // methods are case-sensitive (RFC 9110, section 9.1): get is none
}

var (
	errScheme = &Error{PathInvalid, "the scheme is not the one of the connection"}
	errHosts  = &Error{PathInvalid, "the request names two hosts"}
)

// checkHosts refuses a Host of HTTP/2 that does not agree with :authority
// (RFC 9113, section 8.3.1). One of HTTP/1 beside an absolute target is taken
// away by net/http before anybody sees it (RFC 9112, section 3.2.2), so it is
// neither judged nor sent on.
func checkHosts(authority string, others []string) error {
	for _, other := range others {
		if _, a, err := Host(other); err != nil || a != authority {
			return errHosts
		}
	}
	return nil
}
