// Package clamd asks ClamAV's daemon about content, by its INSTREAM command
// (clamd(8)): nothing is written to a file that both must see, and the daemon
// may run elsewhere.
//
// An answer counts only if it says in full what the protocol has for "clean" or
// "found". Whatever else happens, no daemon, a slow one, one that breaks off or
// says that the content is too large for it, is an error: it is not known what
// the content is.
package clamd

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"io"
	"net"
	"strings"
	"time"
)

// Client asks one daemon. It may be used by many at once; each asks over a
// connection of its own.
type Client struct {
	network, address string
	timeout          time.Duration
	max              int64
}

// New makes a client of the daemon at an address, which is host:port or unix:
// and the path of a socket. A question takes at most timeout, and content of
// more than max bytes is not asked about.
func New(address string, timeout time.Duration, max int64) *Client {
	c := &Client{network: "tcp", address: address, timeout: timeout, max: max}
	if path, is := strings.CutPrefix(address, "unix:"); is {
		c.network, c.address = "unix", path
	}
	return c
}

// ErrTooLarge says that content is larger than is asked about.
var ErrTooLarge = errors.New("the content is too large for the scanner")

const (
	chunk     = 64 << 10 // of content, in one message
	maxAnswer = 4 << 10
)

// Scan gives the name of the signature that is found in size bytes of content,
// and "" where the daemon says that there is none.
func (c *Client) Scan(ctx context.Context, content io.Reader, size int64) (found string, err error) {
	if size > c.max {
		return "", ErrTooLarge
	}
	ctx, cancel := context.WithTimeout(ctx, c.timeout)
	defer cancel()
	conn, err := new(net.Dialer).DialContext(ctx, c.network, c.address)
	if err != nil {
		return "", err
	}
	defer conn.Close()
	// Closing ends whatever the connection is waiting for.
	stop := context.AfterFunc(ctx, func() { _ = conn.Close() })
	defer stop()
	answer, err := ask(conn, content, size)
	if cause := ctx.Err(); cause != nil {
		return "", cause
	}
	if err != nil {
		return "", err
	}
	return read(answer)
}

// ask sends all of the content, or until the daemon takes no more, and reads
// what it says to it.
func ask(conn net.Conn, content io.Reader, size int64) ([]byte, error) {
	sent := send(conn, content, size)
	if errors.As(sent, new(*contentError)) {
		return nil, sent // the daemon waits for more
	}
	answer, err := io.ReadAll(io.LimitReader(conn, maxAnswer))
	switch {
	case sent != nil && bytes.HasPrefix(answer, []byte("INSTREAM size limit exceeded.")):
		return nil, ErrTooLarge
	case sent != nil:
		return nil, sent
	}
	return answer, err
}

// contentError is an error of the content itself.
type contentError struct{ error }

func (e *contentError) Unwrap() error { return e.error }

func send(w io.Writer, content io.Reader, size int64) error {
	if _, err := io.WriteString(w, "zINSTREAM\x00"); err != nil {
		return err
	}
	buf := make([]byte, 4+chunk)
	for size > 0 {
		n := min(size, chunk)
		if _, err := io.ReadFull(content, buf[4:4+n]); err != nil {
			return &contentError{err}
		}
		binary.BigEndian.PutUint32(buf, uint32(n))
		if _, err := w.Write(buf[:4+n]); err != nil {
			return err
		}
		size -= n
	}
	_, err := w.Write(make([]byte, 4)) // the end
	return err
}

// read takes the answer apart: "stream: OK", or "stream: NAME FOUND", each with
// a NUL behind.
func read(answer []byte) (found string, err error) {
	s, whole := strings.CutSuffix(string(answer), "\x00")
	if !whole {
		return "", errors.New("the scanner's answer broke off")
	}
	if s == "stream: OK" {
		return "", nil
	}
	if strings.HasPrefix(s, "INSTREAM size limit exceeded.") {
		return "", ErrTooLarge
	}
	name, is := strings.CutPrefix(s, "stream: ")
	name, end := strings.CutSuffix(name, " FOUND")
	odd := func(r rune) bool { return r <= ' ' || r > '~' }
	if !is || !end || name == "" || len(name) > 256 || strings.ContainsFunc(name, odd) {
		return "", errors.New("the scanner's answer is not understood")
	}
	return name, nil
}
