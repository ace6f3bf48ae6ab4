package middleware

import (
	"context"
	"crypto/x509"
	"errors"
	"io"
	"net/http"
	"net/netip"
	"time"

	"github.com/gatehouse-dev/gatehouse/config"
	"github.com/gatehouse-dev/gatehouse/policies"
)

// Exchange is one request's passage through the gateway. Each field names its
// one writer.
type Exchange struct {
	ID       string     // gateway: the request id, in every answer and record
	Start    time.Time  // gateway: when the head of the request had arrived
	Client   netip.Addr // gateway: the caller, trusted proxies peeled off
	Listener string     // gateway: name of the listener it came in on
	TLS      string     // gateway: "1.2", "1.3", or "" on a plain listener
	Secure   bool       // gateway: it came over TLS, to us or to the load balancer that an insecure listener stands behind

	// Certificate is the client's own, verified by the listener; nil without
	// mutual TLS.
	Certificate *x509.Certificate // gateway

	Route  *config.Route     // router: read-only; nil where none matched
	Params map[string]string // router: the {id} segments of the path
	Host   string            // gateway: canonical host, without port
	Path   string            // gateway: decoded, normalized path as asked for, before any rewrite

	// Request is the request as it will be sent upstream: hop-by-hop and
	// identity headers are gone, the path is rewritten. Stages change it in
	// place. Its Body is to be read through [Exchange.Body] only.
	Request *http.Request // gateway

	// Via is what the upstream adds to the request's own field Via, so that a request
	// that comes back is known. It stands beside Request, where neither stages nor
	// policies see it; "" adds nothing.
	Via string // gateway

	// Upgrade is what the client asks its connection to be turned into, and the
	// route lets it: "websocket" or "". The request says so in its headers then.
	Upgrade string // gateway

	Subject  *policies.Subject  // authn: who asks; nil on public routes. Requests with the same token share it: read-only
	IssuedAt time.Time          // authn: when the token was issued; zero where unknown
	Expires  time.Time          // authn: when the token expires
	ByCookie bool               // authn: the token came in a cookie, which browsers send for any site
	Input    *policies.Input    // authz: the question that was asked
	Decision *policies.Decision // authz: the answer; nil where policy is off
	Refusal  *Refusal           // problem: why it was refused, if it was

	// What was done to the answer, and found in it. Known when the body of the
	// response has been closed.
	Masked       []Finding // mask: values by rule of the decision
	Unclassified []Finding // mask: values that look like personal data and that no rule knows
	Served       Served    // mask: how much of it there was; counted only where the guard's data_volume asks

	Trace    string // gateway: id of the trace that it is part of, which backends are told; "" where it is not known
	Untraced bool   // gateway: no span of it is recorded
	Clock    Clock  // gateway: how long its stages take

	// Memory is the budget that bodies held whole are taken from.
	Memory *Budget // gateway

	// Spool keeps the files of forms.
	Spool *Spool // gateway

	Upstream string                  // upstream: the endpoint that answered, for the record
	Answered int                     // upstream: the status of its answer, whatever stages make of that; 0 before
	Cancel   context.CancelCauseFunc // upstream: ends the call, with [ErrEnded]; for any goroutine, nil before it begins
	Call     io.Closer               // upstream: the answer as it came, which the gateway closes at the end, also where a fault has lost it; nil without one
	Tunnel   Tunnel                  // upstream: takes what the client sends after an answer 101; nil without one
	Cutter   Cutter                  // gateway: ends the writing to the client; nil in tests of stages
	Forward  string                  // gateway: path sent upstream

	body    *body
	form    *Form
	formErr error
	file    *Blob
	fileErr error
	notes   []Note

	suspicions []Suspicion
}

// Clock tells how long the stage that is at work has been at work, without what is
// inside of it. Both are instants and spans of one clock, which its owner reads.
type Clock struct {
	Spent time.Duration // until it last asked the next one, or was asked
	Since time.Duration // when that came back, or it was asked
}

// Cutter ends an answer that its client does not take. Cut may be called from any
// goroutine until the answer's body is closed, and not after.
type Cutter interface{ Cut() }

// Tunnel is the way to an upstream that has switched protocols. The way back is the
// body of its answer; closing that ends both.
type Tunnel interface {
	io.Writer
	// CloseWrite tells the upstream that nothing more will come. The error may be
	// that it cannot be told without ending both ways.
	CloseWrite() error
}

// ErrEnded is the failure of an answer that was ended by the gateway, after its
// head was sent.
var ErrEnded = errors.New("the gateway has ended the answer")

// Note is a finding of a stage, for the record.
type Note struct {
	Key   string
	Value any // string, int, int64, bool, or []string; never a secret, never a value of a body
}

// Note adds a finding to the record of the exchange.
func (x *Exchange) Note(key string, value any) {
	if x.notes == nil {
		x.notes = make([]Note, 0, 8) // as many as most have
	}
	x.notes = append(x.notes, Note{key, value})
}

// Notes gives the findings so far, oldest first.
func (x *Exchange) Notes() []Note { return x.notes }

// Finding counts values of an answer. It never holds one.
type Finding struct {
	Path  string `json:"path"`            // a JSONPath: of the rule, or of the place without indices
	Class string `json:"class,omitempty"` // what the values are: the policy's own word, or what they look like
	Count int    `json:"count"`
}
