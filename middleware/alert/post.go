package alert

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"net/textproto"
	"net/url"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// maxAnswer is how much of an answer is read, so that the connection can be used
// again. Nothing in it is looked at.
const maxAnswer = 4 << 10

// poster posts to one URL. It goes where the configuration says: no proxy of the
// environment, no redirect. Its errors do not tell the URL, which may be a secret.
type poster struct {
	url       string
	transport *http.Transport // and no client, which would look at where a redirect leads
}

// newPoster makes a poster. ca are authorities in PEM, none for the system's.
func newPoster(address string, ca []byte, insecure bool) (*poster, error) {
	u, err := url.Parse(address)
	if err != nil {
		return nil, errors.New("this is not a URL")
	}
	pool, err := authorities(ca)
	if err != nil {
		return nil, err
	}
	d := &net.Dialer{}
	if u.Scheme == "http" && !insecure {
		d.Control = onlyLoopback // whatever localhost may resolve to
	}
	return &poster{address, &http.Transport{
		DialContext: d.DialContext, ForceAttemptHTTP2: true,
		TLSClientConfig: &tls.Config{MinVersion: tls.VersionTLS12, RootCAs: pool},
		MaxIdleConns:    1, IdleConnTimeout: 30 * time.Second, MaxResponseHeaderBytes: 16 << 10, DisableCompression: true,
	}}, nil
}

// onlyLoopback refuses to connect to another machine.
func onlyLoopback(_, address string, _ syscall.RawConn) error {
	a, err := netip.ParseAddrPort(address)
	if err != nil || !a.Addr().Unmap().IsLoopback() {
		return errors.New("plain http goes to this machine only")
	}
	return nil
}

// authorities reads PEM; nil stands for the system's.
func authorities(pem []byte) (*x509.CertPool, error) {
	if pem == nil {
		return nil, nil
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(pem) {
		return nil, &FieldError{"ca", errors.New("the file holds no certificate")}
	}
	return pool, nil
}

// post makes one attempt. A 2xx is what counts: whoever says that has the event,
// whatever becomes of the rest of the answer.
func (p *poster) post(ctx context.Context, body []byte, header map[string]string) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, p.url, bytes.NewReader(body))
	if err != nil {
		return errors.New("this is not a URL")
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("User-Agent", "gatehouse")
	for name, value := range header {
		req.Header.Set(name, value)
	}
	res, err := p.transport.RoundTrip(req)
	if err != nil {
		return unquoted(err)
	}
	defer res.Body.Close()
	_, _ = io.CopyN(io.Discard, res.Body, maxAnswer)
	if res.StatusCode/100 == 2 {
		return nil
	}
	return refused(res)
}

// unquoted is an error without what it quotes of an answer that is not HTTP: a
// server that gives back what it was asked would have it tell the URL.
func unquoted(err error) error {
	var op *net.OpError
	var certificate *tls.CertificateVerificationError
	if errors.As(err, &op) || errors.As(err, &certificate) {
		return err // nothing of these is the server's
	}
	var header textproto.ProtocolError
	if errors.As(err, &header) {
		return errors.New("the head of the answer is malformed")
	}
	if text, _, quotes := strings.Cut(err.Error(), `"`); quotes {
		return errors.New(strings.TrimRight(text, " :"))
	}
	return err
}

// refused makes an error of an answer that is not a 2xx. What is wrong with the
// request itself will be wrong the next time too, and a 403 may be what a firewall
// says to a value in it; a 3xx, 401, 404 or 5xx is about the receiver or the
// configuration, and all events share it.
func refused(res *http.Response) error {
	r := &refusal{error: fmt.Errorf("answered %d", res.StatusCode)}
	switch res.StatusCode {
	case http.StatusBadRequest, http.StatusForbidden, http.StatusNotAcceptable, http.StatusConflict, http.StatusLengthRequired,
		http.StatusRequestEntityTooLarge, http.StatusUnsupportedMediaType, http.StatusUnprocessableEntity:
		r.final = true
	}
	// RFC 9110, section 10.2.3: seconds, or a date.
	text := res.Header.Get("Retry-After")
	if n, err := strconv.ParseUint(text, 10, 31); err == nil {
		r.after = time.Duration(n) * time.Second
	} else if at, err := http.ParseTime(text); err == nil {
		r.after = time.Until(at)
	}
	return r
}
