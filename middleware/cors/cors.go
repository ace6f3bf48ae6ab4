// Package cors is the stage that owns cross-origin resource sharing (Fetch
// standard, section 3.2): it answers preflights, says which origins may read
// an answer, and removes whatever the upstream says about it.
//
// An origin is let in where it is on the route's list, byte for byte: no
// suffix, no pattern, no other case. Browsers spell an origin in one way only,
// and the configuration takes no other. "null" is on no list: it is what every
// sandboxed frame of every site calls itself.
//
// What an origin may not do is not refused here. It is left out of the answer,
// and the browser keeps the request or the answer back: CORS protects the user
// of a browser, not the upstream.
package cors

import (
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/gatehouse-dev/gatehouse/config"
	"github.com/gatehouse-dev/gatehouse/middleware"
)

// Stage speaks CORS for one route.
type Stage struct {
	origins     []string // nil: no other origin
	any         bool     // any origin, without credentials
	credentials bool
	// What is said to those who are let in, "" where nothing is.
	methods, headers, maxAge, expose string
}

// New makes the stage. It is on every route: without settings it only removes
// the upstream's headers and lets no origin in. "*" with credentials, which the
// configuration refuses, lets nobody in: naming every origin that asks would
// open the route to all sites with their users' cookies.
func New(c *config.CORS) middleware.Stage {
	if c == nil {
		return &Stage{}
	}
	return &Stage{
		origins: c.Origins, any: !c.Credentials && slices.Contains(c.Origins, "*"), credentials: c.Credentials,
		methods: strings.Join(c.Methods, ", "), headers: strings.Join(c.Headers, ", "),
		maxAge: strconv.Itoa(int(c.MaxAge.D() / time.Second)), expose: strings.Join(c.ExposeHeaders, ", "),
	}
}

// Name of the stage.
func (s *Stage) Name() string { return "cors" }

// Describe tells the origins that are let in.
func (s *Stage) Describe() string {
	if s.origins == nil {
		return "no other origin"
	}
	text := strings.Join(s.origins, " ") + ", " + s.methods
	if s.credentials {
		text += ", with credentials"
	}
	return text
}

// Preflight reports whether r asks for permission instead of for a resource.
func Preflight(r *http.Request) bool {
	return r.Method == http.MethodOptions && r.Header.Get("Origin") != "" && r.Header.Get("Access-Control-Request-Method") != ""
}

// Handle answers preflights itself, without asking anybody inside: they carry
// no token. Any other answer gets the headers that let the origin read it.
func (s *Stage) Handle(x *middleware.Exchange, next middleware.Handler) (*http.Response, error) {
	origin := s.admitted(x.Request.Header["Origin"])
	if Preflight(x.Request) {
		return s.preflight(x, origin), nil
	}
	res, err := next(x)
	if err != nil {
		return nil, err
	}
	clean(res.Header)
	if s.origins == nil {
		return res, nil
	}
	middleware.AddVary(res.Header, "Origin")
	if origin != "" {
		s.grant(res.Header, origin)
		set(res.Header, "Access-Control-Expose-Headers", s.expose)
	}
	return res, nil
}

// clean removes what an upstream grants other origins: to read the answer, and
// to read how long it took and how large it was.
func clean(h http.Header) {
	for name := range h {
		if strings.HasPrefix(name, "Access-Control-") || name == "Timing-Allow-Origin" {
			delete(h, name)
		}
	}
}

// admitted gives what Access-Control-Allow-Origin says to a request with these
// Origin headers, "" where they name nobody who is let in.
func (s *Stage) admitted(values []string) string {
	switch {
	case len(values) != 1 || values[0] == "" || values[0] == "*":
		return ""
	case s.any:
		return "*"
	case values[0] != "null" && slices.Contains(s.origins, values[0]):
		return values[0]
	}
	return ""
}

func (s *Stage) grant(h http.Header, origin string) {
	h.Set("Access-Control-Allow-Origin", origin)
	if s.credentials {
		h.Set("Access-Control-Allow-Credentials", "true")
	}
}

func set(h http.Header, name, value string) {
	if value != "" {
		h.Set(name, value)
	}
}

// preflight answers 204. It says what is configured and reads nothing of what
// was asked for, so that a long list of headers costs no work: the browser
// compares. What the origin may not do is simply not in the answer, and access
// to a private network (Private Network Access) never is.
//
// Vary tells of all that answers may differ by, on every route: the method that
// is asked about chooses among the routes of a path, and one of them may know
// the origin.
func (s *Stage) preflight(x *middleware.Exchange, origin string) *http.Response {
	h := http.Header{"Vary": {"Origin, Access-Control-Request-Method, Access-Control-Request-Headers"}}
	if origin != "" {
		s.grant(h, origin)
		set(h, "Access-Control-Allow-Methods", s.methods)
		set(h, "Access-Control-Allow-Headers", s.headers)
		h.Set("Access-Control-Max-Age", s.maxAge)
	}
	return &http.Response{
		StatusCode: http.StatusNoContent, Status: "204 No Content", Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
		Header: h, Body: http.NoBody, Request: x.Request,
	}
}
