package upstream

import (
	"io"
	"net/http"

	"github.com/gatehouse-dev/gatehouse/middleware"
)

// land makes the body of an answer end the exchange at its target when it is
// closed.
func land(res *http.Response, t *target) {
	if b, ok := res.Body.(*responseBody); ok {
		b.flight.target = t
		return
	}
	b := &landing{ReadCloser: res.Body, flight: flight{target: t}}
	if w, ok := res.Body.(io.Writer); ok { // what was upgraded is written to
		res.Body = &duplex{landing: b, Writer: w}
		return
	}
	res.Body = b
}

// landing is a body that knows nothing of targets.
type landing struct {
	io.ReadCloser
	flight flight
}

// Arrived is that of the body.
func (b *landing) Arrived() bool { return middleware.Arrived(b.ReadCloser) }

func (b *landing) Close() error {
	if b.flight.over.Load() {
		return nil
	}
	defer b.flight.land()
	return b.ReadCloser.Close()
}

type duplex struct {
	*landing
	io.Writer
}
