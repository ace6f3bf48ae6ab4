// Package problem is the stage that turns errors and panics into answers: RFC
// 9457 problem details. Outside of it there are only responses; inside of it a
// stage that refuses returns an error.
package problem

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"runtime/debug"
	"strconv"

	"github.com/gatehouse-dev/gatehouse/middleware"
	"github.com/gatehouse-dev/gatehouse/middleware/field"
)

// Stage renders refusals.
type Stage struct {
	onPanic func(x *middleware.Exchange, value any, stack []byte)
}

// New makes the stage. onPanic is told of every panic with its stack; it may
// be nil.
func New(onPanic func(x *middleware.Exchange, value any, stack []byte)) middleware.Stage {
	return &Stage{onPanic: onPanic}
}

// Name of the stage.
func (s *Stage) Name() string { return "problem" }

// Handle asks next and renders what it refuses. http.ErrAbortHandler is how a
// stream is cut on purpose, so that panic goes on.
func (s *Stage) Handle(x *middleware.Exchange, next middleware.Handler) (res *http.Response, err error) {
	defer func() {
		p := recover()
		if p == nil {
			return
		}
		if e, ok := p.(error); ok && errors.Is(e, http.ErrAbortHandler) {
			panic(p)
		}
		if s.onPanic != nil {
			s.onPanic(x, p, debug.Stack())
		}
		r := middleware.Refuse("problem", middleware.InternalError, "the gateway met a fault of its own")
		r.Err, r.Close = fmt.Errorf("panic: %v", p), true
		x.Refusal = r
		res, err = Response(x, r), nil
	}()
	res, err = next(x)
	if err == nil {
		return res, nil
	}
	x.Refusal = writable(refusal(err))
	return Response(x, x.Refusal), nil
}

// refusal gives the refusal that err is or, for any other error, the one that
// says nothing about it.
func refusal(err error) *middleware.Refusal {
	var r *middleware.Refusal
	switch {
	case errors.As(err, &r):
		return r
	case errors.Is(err, context.Canceled):
		r = middleware.Refuse("problem", middleware.UpstreamUnavailable, "the request was given up")
	default:
		r = middleware.Refuse("problem", middleware.InternalError, "the gateway met a fault of its own")
	}
	return r.With(err)
}

// writable gives r, or, where one of its headers cannot be written as it is,
// another refusal: what net/http would leave of the header is nobody's word.
func writable(r *middleware.Refusal) *middleware.Refusal {
	for name, values := range r.Header {
		for _, v := range values {
			if !field.ValidName(name) || !field.ValidValue(v) {
				bad := middleware.Refuse("problem", middleware.InternalError, "the gateway met a fault of its own")
				return bad.With(fmt.Errorf("the refusal %s has a header %q that cannot be written: %v", r.Code, name, r))
			}
		}
	}
	return r
}

// details is the JSON form of a refusal (RFC 9457, section 3).
type details struct {
	Type      string `json:"type"`
	Title     string `json:"title"`
	Status    int    `json:"status"`
	Code      string `json:"code"`
	Detail    string `json:"detail,omitempty"`
	RequestID string `json:"request_id"`
}

// Response renders a refusal, to a call of gRPC in its own words.
func Response(x *middleware.Exchange, r *middleware.Refusal) *http.Response {
	if middleware.IsGRPC(x.Request) {
		return call(x, r)
	}
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	// Strings and an int always encode.
	_ = enc.Encode(details{"about:blank", http.StatusText(r.Status), r.Status, r.Code, r.Detail, x.ID})
	h := http.Header{}
	for k, v := range r.Header {
		h[k] = v
	}
	h.Set("Content-Type", "application/problem+json")
	h.Set("Content-Length", strconv.Itoa(b.Len()))
	h.Set("Cache-Control", "no-store")
	return &http.Response{
		StatusCode: r.Status, Status: strconv.Itoa(r.Status) + " " + http.StatusText(r.Status),
		Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1, Header: h,
		Body: io.NopCloser(&b), ContentLength: int64(b.Len()), Request: x.Request,
	}
}
