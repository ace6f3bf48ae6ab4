package acme

import (
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"time"
)

// The largest answers of an authority that are read. What it answers goes into
// memory whole, and what it says of an error into the log and the readiness
// report: a chain has some kilobytes, an error some hundred bytes.
const (
	maxAnswer = 1 << 20
	maxError  = 8 << 10
	maxHeader = 64 << 10
)

// httpClient has bounds for everything, and follows nobody elsewhere. secure
// says that all of the authority must be asked over https, wherever its
// directory leads.
func httpClient(t *tls.Config, secure bool) *http.Client {
	return &http.Client{
		Timeout:       time.Minute,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		Transport: &wary{secure: secure, Transport: &http.Transport{
			Proxy:                 http.ProxyFromEnvironment,
			DialContext:           (&net.Dialer{Timeout: 10 * time.Second}).DialContext,
			TLSClientConfig:       t,
			TLSHandshakeTimeout:   10 * time.Second,
			ResponseHeaderTimeout: 30 * time.Second,
			IdleConnTimeout:       30 * time.Second,
			ForceAttemptHTTP2:     true,

			MaxResponseHeaderBytes: maxHeader,
		}},
	}
}

// wary bounds what an authority answers, which the ACME library does not.
type wary struct {
	*http.Transport
	secure bool
}

// RoundTrip asks the authority.
func (w *wary) RoundTrip(r *http.Request) (*http.Response, error) {
	if w.secure && r.URL.Scheme != "https" {
		return nil, fmt.Errorf("the authority leads to %s, which is not https", r.URL.Redacted())
	}
	res, err := w.Transport.RoundTrip(r)
	if err != nil {
		return nil, err
	}
	limit := int64(maxAnswer)
	if res.StatusCode >= http.StatusMultipleChoices {
		limit = maxError
	}
	res.Body = &boundedBody{ReadCloser: res.Body, left: limit, status: res.StatusCode}
	return res, nil
}

var errTooLong = errors.New("the authority answers more than is read of an answer")

// boundedBody fails where a body goes on beyond its bound.
type boundedBody struct {
	io.ReadCloser
	left   int64 // may be read yet; below 0: more was
	status int   // of the answer, for the error
}

func (b *boundedBody) Read(p []byte) (int, error) {
	if b.left < 0 {
		return 0, b.tooLong()
	}
	n, err := b.ReadCloser.Read(p[:min(int64(len(p)), b.left+1)])
	if b.left -= int64(n); b.left < 0 {
		return n - 1, b.tooLong()
	}
	return n, err
}

func (b *boundedBody) tooLong() error { return fmt.Errorf("%w (HTTP %d)", errTooLong, b.status) }
