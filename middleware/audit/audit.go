// Package audit is the outermost stage: it puts every exchange on record, once,
// when its answer has been sent or cut. Everything inside of it is on record,
// whatever it does.
//
// A [Record] holds no value of a body, no query, no token and no header of the
// client's choosing.
package audit

import (
	"net/http"
	"net/netip"
	"slices"
	"time"

	"github.com/gatehouse-dev/gatehouse/middleware"
)

// Record is what is known of one exchange after it is over.
type Record struct {
	ID       string
	Start    time.Time
	Duration time.Duration // until the last byte of the answer was taken
	Listener string
	TLS      string
	Client   netip.Addr
	Method   string
	Host     string
	Path     string // as asked for, decoded and normalized, without the query
	Forward  string // as sent upstream; "" where nothing was sent
	Route    string // "" where none matched
	Upstream string // endpoint that answered
	Status   int
	Bytes    int64 // of the answer's body
	Aborted  bool  // the answer was cut before its end, or the client did not wait for it
	Level    string

	Subject, Tenant, Role string // "" without a subject

	Stage, Code string // of the refusal
	Cause       string // of the refusal, for operators
	Revision    string // of the policies that decided
	Notes       []middleware.Note
	Obligations []string // what the policy demanded; at the level detail only
}

// Stage records exchanges.
type Stage struct {
	level string
	emit  func(*middleware.Exchange, *Record)
}

// New makes the stage. level is the route's audit level (none, metadata,
// detail); emit is called once for every exchange and must not block.
func New(level string, emit func(*middleware.Exchange, *Record)) middleware.Stage {
	return &Stage{level, emit}
}

// Name of the stage.
func (s *Stage) Name() string { return "audit" }

// Describe tells the level.
func (s *Stage) Describe() string { return s.level }

// Handle records when the body of the answer is closed, or at once where there
// is no answer because the exchange was cut.
func (s *Stage) Handle(x *middleware.Exchange, next middleware.Handler) (*http.Response, error) {
	answered := false
	method := x.Request.Method
	defer func() {
		if !answered {
			s.emit(x, s.record(new(Record), x, method, nil, 0, true))
		}
	}()
	res, err := next(x)
	if err != nil {
		return nil, err
	}
	answered = true
	middleware.WhenClosed(res, &answer{stage: s, x: x, method: method, res: res})
	return res, nil
}

// answer is one that is being sent.
type answer struct {
	middleware.Watched
	stage  *Stage
	x      *middleware.Exchange
	method string
	res    *http.Response
	record Record
}

// Closed records the exchange.
func (a *answer) Closed(n int64, err error) {
	a.stage.emit(a.x, a.stage.record(&a.record, a.x, a.method, a.res, n, err != nil || abandoned(a.x)))
}

// abandoned reports whether nobody waits for a refusal any more: the client left
// while it was still sending. A body that came too slowly ends the connection's
// context too, but its client is there and reads the answer. Other answers are
// judged by whether they were taken: a client may well leave with the last byte.
func abandoned(x *middleware.Exchange) bool {
	return x.Refusal != nil && x.Refusal.Code != string(middleware.BodyTimeout) && x.Request.Context().Err() != nil
}

// record fills in r.
func (s *Stage) record(r *Record, x *middleware.Exchange, method string, res *http.Response, n int64, aborted bool) *Record {
	*r = Record{
		ID: x.ID, Start: x.Start, Duration: time.Since(x.Start), Listener: x.Listener, TLS: x.TLS, Client: x.Client,
		Method: method, Host: x.Host, Path: x.Path, Upstream: x.Upstream, Bytes: n, Aborted: aborted,
		Level: s.level, Notes: notes(x),
	}
	if x.Route != nil {
		r.Route = x.Route.Name
	}
	if x.Upstream != "" {
		r.Forward = x.Forward
	}
	if res != nil {
		r.Status = res.StatusCode
	}
	if x.Subject != nil {
		r.Subject, r.Tenant, r.Role = x.Subject.ID, x.Subject.Tenant, x.Subject.Role
	}
	if d := x.Decision; d != nil {
		r.Revision, r.Level = d.Revision, raise(s.level, d.Audit)
		if r.Level == "detail" {
			r.Obligations = obligations(d)
		}
	}
	if f := x.Refusal; f != nil {
		r.Stage, r.Code = f.Stage, f.Code
		if f.Err != nil {
			r.Cause = f.Err.Error()
		}
	}
	return r
}

// notes are what the stages have noted, and what is suspicious about the exchange.
func notes(x *middleware.Exchange) []middleware.Note {
	list := x.Notes()
	if found := x.Suspicions(); len(found) > 0 {
		words := make([]string, len(found))
		for i, f := range found {
			words[i] = string(f)
		}
		list = append(slices.Clip(list), middleware.Note{Key: "suspicion", Value: words})
	}
	return list
}

// raise gives the higher of two levels: a policy can only add to the record.
func raise(route, policy string) string {
	rank := func(l string) int {
		switch l {
		case "detail":
			return 2
		case "metadata":
			return 1
		}
		return 0
	}
	if rank(policy) > rank(route) {
		return policy
	}
	return route
}
