package middleware

import (
	"errors"
	"fmt"
	"io"
	"net/http"
)

// FileBody reads a body that is one file, once, and leaves the request able to
// send the same bytes on. It is nil where there is no body, or an empty one.
// Errors are refusals: larger than the route takes files, broken off, or no
// memory or room left.
func (x *Exchange) FileBody(stage string) (*Blob, error) {
	if x.file != nil || x.fileErr != nil {
		return x.file, x.fileErr
	}
	if !x.HasBody() {
		return nil, nil
	}
	x.file, x.fileErr = x.takeBody(stage)
	if x.file == nil {
		return nil, x.fileErr
	}
	b, r := x.file, x.Request
	_ = r.Body.Close()
	r.ContentLength = b.Size()
	r.Header.Set("Content-Length", fmt.Sprint(b.Size()))
	r.TransferEncoding, r.Trailer = nil, nil
	r.GetBody = func() (io.ReadCloser, error) { return io.NopCloser(b.Reader()), nil }
	r.Body, _ = r.GetBody()
	return b, nil
}

func (x *Exchange) takeBody(stage string) (*Blob, error) {
	src := io.Reader(x.Request.Body)
	var most int64
	if u := x.uploads(); u != nil && u.FileBytes > 0 {
		most = int64(u.FileBytes)
		src = io.LimitReader(src, most+1)
	}
	b, err := x.Spool.take(src, x.Memory)
	switch {
	case err != nil:
		if refusal := spoolRefusal(stage, err); refusal != nil {
			return nil, refusal
		}
		return nil, BodyRefusal(stage, err)
	case most > 0 && b.Size() > most:
		b.Close()
		return nil, enough(Refuse(stage, BodyTooLarge, fmt.Sprintf("the file is larger than %s", x.uploads().FileBytes)))
	case b.Size() == 0:
		b.Close()
		x.Request.Body = http.NoBody
		return nil, nil
	}
	return b, nil
}

// spoolRefusal says why a file could not be kept, where the client has no part
// in that.
func spoolRefusal(stage string, err error) *Refusal {
	switch {
	case errors.Is(err, errNoRoom):
		return Refuse(stage, Overloaded, "too many large files at once").With(err).Set("Retry-After", "1")
	case errors.As(err, new(*diskError)):
		return Refuse(stage, InternalError, "a file could not be kept").With(err)
	}
	return nil
}
