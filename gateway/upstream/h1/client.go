// Package h1 is an HTTP/1.1 client for one address (RFC 9112), made for a proxy:
// the goroutine of an exchange writes the request and reads the answer itself,
// over connections that are kept.
//
// It is strict with answers. What is malformed ends the connection, and what two
// programs could frame in two ways is an error or frees the connection from
// being used again. Nothing that came before a request was written is its
// answer: see [conn].
//
// Time is bounded by deadlines of connections and counts against the upstream
// alone: see [Call].
package h1

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"sync"
	"time"
)

// Why there is no answer, or only a part of one.
var (
	// ErrNoAnswer says that the head of the answer did not come in time.
	ErrNoAnswer = errors.New("no response headers in time")
	// ErrIdle says that the next piece of an answer did not come in time.
	ErrIdle = errors.New("the upstream stopped in the middle of its answer")
	// ErrBusy says that no connection became free in time, or so late that what was
	// left says nothing about the upstream. ErrNoAnswer is with it.
	ErrBusy = errors.New("all connections are in use")
	// ErrHTTP2 says that the other side has chosen HTTP/2.
	ErrHTTP2 = errors.New("the upstream speaks HTTP/2")
	// ErrRequest says that a request cannot be said in HTTP/1.1.
	ErrRequest = errors.New("the request cannot be sent over HTTP/1.1")
	// ErrAnswer says that an answer is malformed. What of it is in the text; none
	// of it is quoted.
	ErrAnswer = errors.New("malformed answer")

	errBusy  = fmt.Errorf("%w: %w", ErrNoAnswer, ErrBusy)
	errFirst = errors.New("the upstream spoke before it was asked, or ended the connection")
)

// BodyError is a failure to read the body of the request, which is not the
// upstream's.
type BodyError struct{ Err error }

func (e *BodyError) Error() string { return "the body of the request: " + e.Err.Error() }

// Unwrap gives the failure itself.
func (e *BodyError) Unwrap() error { return e.Err }

// DialError is a failure to make a connection: nothing was sent.
type DialError struct{ Err error }

func (e *DialError) Error() string { return e.Err.Error() }

// Unwrap gives the failure itself.
func (e *DialError) Unwrap() error { return e.Err }

// Settings of a client. What is 0 has its default.
type Settings struct {
	Host string                                      // for the field Host, where [Client.Do] is used
	Dial func(ctx context.Context) (net.Conn, error) // makes a connection, without TLS: one that is a [syscall.Conn], or it is not seen what has come over it
	TLS  *tls.Config                                 // nil: none. ServerName or InsecureSkipVerify must be set

	Idle        int           // connections that are kept, at most. Default: 256
	Max         int           // connections at once. 0: no bound
	IdleTimeout time.Duration // for which a connection is kept. Default: 30s
	Handshake   time.Duration // for TLS. Default: 5s
	HeadBytes   int           // of an answer, interim ones included. Default: 64 KiB
	Fields      int           // of a head. Default: 1000
}

// Client sends requests to one address. Its methods may be called from any
// goroutine.
type Client struct {
	set    Settings
	pool   pool
	heads  sync.Pool     // *[]byte: a head, and a small body
	pieces sync.Pool     // *[]byte: a piece of a body
	mile   time.Duration // lastMile, but for tests
}

// New makes a client. It holds nothing until it is used.
func New(s Settings) *Client {
	def := func(n *int, d int) {
		if *n <= 0 {
			*n = d
		}
	}
	def(&s.Idle, 256)
	def(&s.HeadBytes, 64<<10)
	def(&s.Fields, 1000)
	if s.IdleTimeout <= 0 {
		s.IdleTimeout = 30 * time.Second
	}
	if s.Handshake <= 0 {
		s.Handshake = 5 * time.Second
	}
	c := &Client{set: s, mile: lastMile}
	c.pool.keep, c.pool.max, c.pool.timeout = s.Idle, s.Max, s.IdleTimeout
	return c
}

// RoundTrip sends a request over the client's address, whatever its URL says, and
// gives the answer. It is an [http.RoundTripper], without bounds of its own.
func (c *Client) RoundTrip(r *http.Request) (*http.Response, error) {
	host := r.Host
	if host == "" && r.URL != nil {
		host = r.URL.Host
	}
	res, _, err := c.do(&Call{}, r, host)
	if err != nil {
		if r.Body != nil {
			_ = r.Body.Close()
		}
		return nil, err
	}
	res.Request = r
	return res, nil
}

// Do sends a request in a call, which is used once, with the Host of the settings.
// Of the request it uses method, path and query, header, body and context. Fields
// that are for one connection are not sent, but for Upgrade where Connection names
// it. The body is closed, at the latest when that of the answer is. Where there is
// no answer it may not have been read, and then it is not closed; if it was read
// but is not lost, the request gets one that gives it again. So the request can be
// sent elsewhere if [Call.Sent] says that it was not sent.
//
// The answer is as [http.Transport] gives it, without Request and TLS. Its body is
// to be closed, which ends the call.
func (c *Client) Do(k *Call, r *http.Request) (*http.Response, error) {
	res, body, err := c.do(k, r, c.set.Host)
	if err != nil && body != nil {
		r.Body = body
	}
	return res, err
}

// CloseIdleConnections closes the connections that are kept, and those that become
// free before the next request.
func (c *Client) CloseIdleConnections() { c.pool.closeIdle() }

// Connect makes a connection and keeps it for the next request. It tells whether
// the address is there, and that it does not speak HTTP/2 (else [ErrHTTP2]).
func (c *Client) Connect(ctx context.Context) error {
	if !c.pool.slot() {
		cn, err := c.pool.wait(ctx)
		switch {
		case err != nil:
			return err
		case cn != nil:
			c.pool.put(cn)
			return nil
		}
	}
	cn, err := c.dial(ctx)
	if err != nil {
		c.pool.gone()
		return err
	}
	c.pool.put(cn)
	return nil
}

// do sends a request. Beside an error it gives what the body is now, if it was read
// and is not lost.
func (c *Client) do(k *Call, r *http.Request, host string) (*http.Response, io.ReadCloser, error) {
	buf := c.head()
	defer func() {
		k.body.out.head = nil // which is in buf
		c.heads.Put(buf)
	}()
	out, err := c.prepare(k, r, host, buf)
	if err != nil {
		return nil, nil, err
	}
	k.begin(c, r.Context())
	res, err := c.exchange(k, out)
	if err == nil {
		return res, nil, nil
	}
	err = k.fail(err)
	if k.sent != nil {
		return nil, nil, err
	}
	return nil, out.again(), err
}

// exchange sends what was prepared and reads the head of the answer. It does so
// again, over a new connection, where the kept one was dead and the request
// cannot have had an effect.
func (c *Client) exchange(k *Call, out *outgoing) (*http.Response, error) {
	for fresh := false; ; fresh = true {
		cn, err := c.take(k, fresh)
		if err != nil {
			return nil, err
		}
		if err := k.attach(cn); err != nil {
			return nil, err
		}
		unsent := cn.write(out.head)
		k.wrote = k.wrote || cn.put > 0
		if unsent == nil && out.stream != nil {
			k.send(cn, out)
		}
		var res *http.Response
		if unsent == nil || cn.spoken() { // else it would be waited for in vain
			res, err = c.answer(k, cn, out)
		} else {
			err = unsent
		}
		if err == nil {
			return res, nil
		}
		if fresh || !k.again(cn, out, err) {
			return nil, err
		}
		k.detach()
		c.drop(cn)
	}
}

// again reports whether a request that got err may be sent once more.
func (k *Call) again(cn *conn, out *outgoing, err error) bool {
	if !cn.used || cn.got > 0 || k.ended() || errors.Is(err, ErrNoAnswer) || k.sent != nil {
		return false
	}
	return cn.put == 0 || out.replayable
}

// answer reads the head of the answer.
func (c *Client) answer(k *Call, cn *conn, out *outgoing) (*http.Response, error) {
	if err := cn.readAnswer(k, c.set, out); err != nil {
		return nil, fmt.Errorf("reading the head: %w", err)
	}
	k.headed()
	return k.open(cn, out)
}
