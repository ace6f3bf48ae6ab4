// Package limits is the stage that bounds the size of a request body before
// anybody reads it. The time a body may take is bounded where the connection
// is, in the gateway.
package limits

import (
	"io"
	"net/http"

	"github.com/gatehouse-dev/gatehouse/config"
	"github.com/gatehouse-dev/gatehouse/middleware"
)

// Stage bounds the request body.
type Stage struct {
	max config.Size
}

// New makes the stage for a route's limits; nil where they set none.
func New(c config.Limits) middleware.Stage {
	if c.BodyBytes <= 0 {
		return nil
	}
	return &Stage{c.BodyBytes}
}

// Name of the stage.
func (s *Stage) Name() string { return "limits" }

// Inward says that it does nothing to an answer.
func (*Stage) Inward() {}

// Describe tells the largest body.
func (s *Stage) Describe() string { return "body at most " + s.max.String() }

// Handle refuses a body that says it is too large at once, and cuts one that
// turns out to be while it is read.
func (s *Stage) Handle(x *middleware.Exchange, next middleware.Handler) (*http.Response, error) {
	r := x.Request
	if r.ContentLength > int64(s.max) {
		refusal := middleware.Refuse("limits", middleware.BodyTooLarge, "the request body is larger than this route allows")
		refusal.Close = true // the rest of the body is not worth reading
		return nil, refusal
	}
	if r.Body != nil && r.Body != http.NoBody {
		r.Body = &bounded{ReadCloser: r.Body, max: int64(s.max)}
	}
	return next(x)
}

// bounded fails with *http.MaxBytesError once more than max bytes were read.
type bounded struct {
	io.ReadCloser
	n, max int64
}

func (b *bounded) Read(p []byte) (int, error) {
	if b.n > b.max {
		return 0, &http.MaxBytesError{Limit: b.max}
	}
	if room := b.max - b.n + 1; int64(len(p)) > room {
		p = p[:room]
	}
	n, err := b.ReadCloser.Read(p)
	b.n += int64(n)
	if b.n > b.max {
		return n - 1, &http.MaxBytesError{Limit: b.max}
	}
	return n, err
}
