// Package policies holds the vocabulary of decisions: the question that is
// asked of a policy ([Input]), the answer it gives ([Decision]) and the
// [Decider] that turns one into the other.
//
// The question uses the four words of the OpenID AuthZEN Authorization API
// 1.0: who (subject) wants to do what (action) to which thing (resource) under
// which circumstances (context). The package needs nothing but the standard
// library, so that a policy engine other than the one in policies/opa can be
// put behind the same words.
//
// # Named values
//
// A decision names values of the caller instead of copying them
// ({"input": "subject.branches"}). The gateway resolves the name when it
// enforces the decision. A decision then never holds one person's identity and
// is the same for everybody it is equal for.
package policies

import (
	"context"
	"embed"
	"strings"
	"sync/atomic"
	"time"
)

// Samples are the sample policies and their data, the tree under rego/. The
// demo serves them and tests judge by them.
//
//go:embed all:rego
var Samples embed.FS

// Input is the question. Its JSON form is what Rego sees as `input`, and the
// schema that policies are type-checked against is derived from it.
type Input struct {
	// Subject is who asks. A request without a token has none.
	Subject *Subject `json:"subject,omitempty"`
	// Action is what is to be done.
	Action Action `json:"action"`
	// Resource is what it is to be done to.
	Resource Resource `json:"resource"`
	// Context is everything else that may matter.
	Context Context `json:"context"`
	// Body is the whole parsed request body, exactly what is forwarded. It is
	// there only when the route says `policy: {body: true}` and the request
	// has one. JSON is its value, with numbers as json.Number; a form is an
	// object of lists of texts; a multipart form is {"parts": [...]}, with
	// field, type and value of a text, and field, type, name, detected, size
	// and sha256 of a file.
	Body any `json:"body,omitempty"`
}

// Subject is the caller as the verified token describes it. Which claim feeds
// which field is configured per issuer.
type Subject struct {
	ID       string   `json:"id"`
	Issuer   string   `json:"issuer"` // name of the issuer in the configuration, not its URL
	Role     string   `json:"role"`
	Roles    []string `json:"roles"` // never nil; see [OneAndAll]
	Tenant   string   `json:"tenant"`
	Branch   string   `json:"branch"`
	Branches []string `json:"branches"` // never nil; see [OneAndAll]
	ACR      string   `json:"acr"`
	AMR      []string `json:"amr"` // never nil
	AuthTime int64    `json:"auth_time"`
	// AuthAge is how many whole seconds ago the user signed in (AuthTime) when the
	// question was asked; nil where the token does not say. It belongs to the
	// question and not to the token: see [NewInput].
	AuthAge *int64 `json:"auth_age,omitempty"`
	// Claims are all claims of the token, numbers as json.Number.
	Claims map[string]any `json:"claims"`
}

// NewInput begins a question that is asked about the subject, which may be nil,
// at a moment. Requests with the same token share a subject, and the age of a
// sign-in is another at each of them: the question has a copy of its own, in the
// same piece of memory.
func NewInput(s *Subject, now time.Time) *Input { return newInput(s, now, Moment(now)) }

func newInput(s *Subject, now time.Time, moment Time) *Input {
	q := &struct {
		Input
		subject Subject
		age     int64
	}{Input: Input{Context: Context{Time: moment}}}
	if s == nil {
		return &q.Input
	}
	q.subject = *s
	q.subject.AuthAge = nil
	var known bool
	if q.age, known = s.Age(now); known {
		q.subject.AuthAge = &q.age
	}
	q.Subject = &q.subject
	return &q.Input
}

// Age is how many whole seconds ago the user signed in, if the token says when.
// A moment to come is now: clocks differ, and the gateway has refused what that
// does not explain.
func (s *Subject) Age(now time.Time) (seconds int64, known bool) {
	if s == nil || s.AuthTime <= 0 {
		return 0, false
	}
	return max(now.Unix()-s.AuthTime, 0), true
}

// OneAndAll fills the single value from the list or the list from the single
// value, whichever is not said: a token may name a role, its roles or both.
func OneAndAll(one string, all []string) (string, []string) {
	switch {
	case one == "" && len(all) > 0:
		return all[0], all
	case one != "" && len(all) == 0:
		return one, []string{one}
	}
	return one, all
}

// Action is what is to be done.
type Action struct {
	Method string `json:"method"`
	// Name is read (GET, HEAD), create (POST), update (PUT, PATCH), delete
	// (DELETE) or other.
	Name string `json:"name"`
}

// ActionName gives the contract's word for an HTTP method.
func ActionName(method string) string {
	switch method {
	case "GET", "HEAD":
		return "read"
	case "POST":
		return "create"
	case "PUT", "PATCH":
		return "update"
	case "DELETE":
		return "delete"
	}
	return "other"
}

// Resource is what an action is done to: a path on a route.
type Resource struct {
	Route string `json:"route"`
	Host  string `json:"host"`
	// Path is the decoded, normalized path as the client asked for it, before
	// any rewrite.
	Path     string              `json:"path"`
	Segments []string            `json:"segments"`
	Params   map[string]string   `json:"params"`
	Query    map[string][]string `json:"query"`
}

// Segments splits a path; the empty piece after a final slash is no segment.
func Segments(path string) []string {
	path = strings.Trim(path, "/")
	switch {
	case path == "":
		return []string{}
	case strings.IndexByte(path, '/') < 0:
		return []string{path}
	}
	return strings.Split(path, "/")
}

// Context is everything else that may matter to a decision.
type Context struct {
	Time          Time   `json:"time"`
	ClientAddress string `json:"client_address"`
	Listener      string `json:"listener"`
	// TLS is "1.2", "1.3" or "" on a plain listener.
	TLS string `json:"tls"`
	// Headers holds only the request headers that the configuration lists
	// (policies.headers), by their lower-case name.
	Headers   map[string][]string `json:"headers"`
	RequestID string              `json:"request_id"`
}

// Time is the moment of the question in UTC, in parts: a policy can depend on
// the hour without depending on the nanosecond.
type Time struct {
	Hour    int    `json:"hour"`
	Weekday string `json:"weekday"` // lower case: monday
	Date    string `json:"date"`    // 2026-11-22
}

// Moment splits a time into its parts.
func Moment(t time.Time) Time {
	t = t.UTC()
	return Time{Hour: t.Hour(), Weekday: strings.ToLower(t.Weekday().String()), Date: t.Format(time.DateOnly)}
}

// Clock makes the moments of questions. It keeps the last one, for they are the same
// within an hour. The zero value is ready, and any number of goroutines may use it.
type Clock struct{ last atomic.Pointer[hour] }

// hour is the moment of an hour, counted from 1970.
type hour struct {
	number int64
	moment Time
}

// NewInput is the function NewInput.
func (c *Clock) NewInput(s *Subject, now time.Time) *Input { return newInput(s, now, c.moment(now)) }

func (c *Clock) moment(t time.Time) Time {
	const seconds = 60 * 60
	if t.Unix() < 0 {
		return Moment(t)
	}
	number := t.Unix() / seconds
	last := c.last.Load()
	if last == nil || last.number != number {
		last = &hour{number, Moment(t)}
		c.last.Store(last)
	}
	return last.moment
}

// A Decider answers questions. An error means deny: nothing is sent upstream
// and the client gets 500 policy_error.
type Decider interface {
	Decide(ctx context.Context, in *Input) (*Decision, error)
	// HeaderNames lists every request header, in canonical form, that some
	// decision could set. They are removed from what clients send.
	HeaderNames() []string
	// Revision identifies the policies and data that decide.
	Revision() string
}
