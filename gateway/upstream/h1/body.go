package h1

import (
	"errors"
	"io"
	"net"
	"net/http"
	"os"
	"strings"
	"time"

	"github.com/gatehouse-dev/gatehouse/gateway/wire"
)

// framing is how the end of a body is found (RFC 9112, section 6.3).
type framing uint8

const (
	none framing = iota
	byLength
	byChunks
	byEnd // of the connection
)

// body is the body of an answer. Reading is for one goroutine at a time, and may
// run beside Close.
type body struct {
	call    *Call
	conn    *conn
	framing framing
	mixed   bool  // chunks beside a length
	keep    bool  // the connection is good for another request after it
	left    int64 // by length
	err     error // sticky, of whoever reads
	chunks  wire.Chunked
	out     outgoing // the request; here so that a call is one piece of memory
}

// open makes the answer of what its head says.
func (k *Call) open(cn *conn, out *outgoing) (*http.Response, error) {
	res, b := &k.res, &k.body
	b.call, b.conn = k, cn
	if res.StatusCode == http.StatusSwitchingProtocols {
		cn.idle = 0 // whoever speaks the other protocol bounds it
		_ = cn.SetDeadline(time.Time{})
		res.Body = &tunnel{call: k, conn: cn}
		return res, nil
	}
	if err := b.frame(res, out.method); err != nil {
		return nil, err
	}
	b.keep = !k.Once && !res.Close && b.framing != byEnd && !b.mixed && !(res.StatusCode == http.StatusNoContent && (b.left > 0 || res.TransferEncoding != nil))
	if b.framing == byLength && b.left == 0 {
		b.framing = none
	}
	res.Body = b
	if b.framing == byChunks {
		b.chunks.Reset(cn.in)
	}
	if b.framing == none {
		b.err = io.EOF
		k.finish(b.keep)
		if k.sent == nil {
			res.Body = http.NoBody
		}
	}
	return res, nil
}

// frame finds out how the body ends, and takes away what says so besides.
func (b *body) frame(res *http.Response, method string) error {
	h := res.Header
	n, err := length(h)
	if err != nil {
		return err
	}
	_, coded := h["Transfer-Encoding"]
	chunked, err := coding(res)
	if err != nil {
		return err
	}
	old := res.ProtoMinor == 0
	connection := h["Connection"]
	res.Close = names(connection, "close") || old && (coded || !names(connection, "keep-alive"))
	res.ContentLength = n
	if chunked {
		res.ContentLength = -1
		delete(h, "Content-Length") // RFC 9112, section 6.3: the chunks are what counts
		b.mixed = n >= 0            // to us
		res.TransferEncoding = []string{"chunked"}
		if err := announced(res); err != nil {
			return err
		}
	}
	code := res.StatusCode
	switch {
	case method == http.MethodHead:
		b.framing = none
	case code == http.StatusNoContent || code == http.StatusNotModified:
		b.framing, b.left, res.ContentLength = none, max(n, 0), 0
	case chunked:
		b.framing = byChunks
	case n >= 0:
		b.framing, b.left = byLength, n
	default:
		b.framing, res.Close = byEnd, true
	}
	return nil
}

// coding reports whether the body comes in chunks. HTTP/1.0 has none: what says
// so is not believed, and the connection not used again.
func coding(res *http.Response) (bool, error) {
	values, there := res.Header["Transfer-Encoding"]
	if !there {
		return false, nil
	}
	delete(res.Header, "Transfer-Encoding")
	if res.ProtoMinor == 0 {
		return false, nil
	}
	if len(values) != 1 || !strings.EqualFold(values[0], "chunked") {
		return false, malformed("its transfer coding is not chunked")
	}
	return true, nil
}

// announced reads which trailers there will be.
func announced(res *http.Response) error {
	values, there := res.Header["Trailer"]
	if !there {
		return nil
	}
	delete(res.Header, "Trailer")
	for _, v := range values {
		for name := range strings.SplitSeq(v, ",") {
			name = http.CanonicalHeaderKey(strings.Trim(name, " \t"))
			switch name {
			case "":
				continue
			case "Content-Length", "Transfer-Encoding", "Trailer":
				return malformed("it announces a trailer that frames")
			}
			if res.Trailer == nil {
				res.Trailer = http.Header{}
			}
			res.Trailer[name] = nil
		}
	}
	return nil
}

// Read reads the body. With the end of it the connection is free for others.
func (b *body) Read(p []byte) (int, error) {
	if b.err != nil {
		return 0, b.err
	}
	n, err := b.read(p)
	switch {
	case err == nil:
		return n, nil
	case errors.Is(err, io.EOF):
		b.err = io.EOF
		b.trailers()
		b.call.finish(b.keep)
	default:
		b.err = b.call.broken(err)
	}
	return n, b.err
}

func (b *body) read(p []byte) (int, error) {
	switch b.framing {
	case byChunks:
		return b.chunks.Read(p)
	case byLength:
		n, err := b.conn.in.Read(p[:min(int64(len(p)), b.left)])
		b.left -= int64(n)
		switch {
		case b.left == 0:
			return n, io.EOF
		case errors.Is(err, io.EOF):
			err = io.ErrUnexpectedEOF
		}
		return n, err
	case byEnd:
		return b.conn.in.Read(p)
	case none:
	}
	return 0, io.EOF
}

// Arrived reports whether Read has something to give, or the end, without waiting.
// It is for who reads. Over TLS nobody knows but of what is buffered: what has come
// may be a record without content, or a part of one.
func (b *body) Arrived() bool {
	switch {
	case b.err != nil:
		return true
	case b.framing == byChunks:
		return b.chunks.Ready(b.conn.arrived)
	}
	return b.conn.in.Buffered() > 0 || b.conn.arrived()
}

// trailers hands on the fields behind the body.
func (b *body) trailers() {
	if b.framing != byChunks {
		return
	}
	res := &b.call.res
	for name, values := range b.chunks.Trailer() {
		if res.Trailer == nil {
			res.Trailer = http.Header{}
		}
		res.Trailer[name] = values
	}
}

// Close ends the call. What has not been read is lost, and the connection with
// it.
func (b *body) Close() error {
	b.call.close()
	return nil
}

// broken ends the call in the middle of its answer and tells why.
func (k *Call) broken(err error) error {
	if cn := k.end(); cn != nil {
		k.client.drop(cn)
	}
	switch {
	case k.cause != nil: // nobody writes it any more
		return k.cause
	case errors.Is(err, os.ErrDeadlineExceeded):
		return ErrIdle
	case errors.Is(err, net.ErrClosed):
		return http.ErrBodyReadAfterClose
	}
	return err
}

// tunnel is the connection after a switch of protocols, with what was read behind
// the head. Reads and writes may run beside each other.
type tunnel struct {
	call *Call
	conn *conn
}

func (t *tunnel) Read(p []byte) (int, error) {
	n, err := t.conn.in.Read(p)
	return n, t.call.why(err)
}

func (t *tunnel) Write(p []byte) (int, error) {
	n, err := t.conn.Conn.Write(p)
	return n, t.call.why(err)
}

// CloseWrite says that nothing more will be written.
func (t *tunnel) CloseWrite() error {
	if half, ok := t.conn.Conn.(interface{ CloseWrite() error }); ok {
		return half.CloseWrite()
	}
	return nil
}

// SetReadDeadline bounds the reads.
func (t *tunnel) SetReadDeadline(at time.Time) error { return t.conn.SetReadDeadline(at) }

// SetWriteDeadline bounds the writes.
func (t *tunnel) SetWriteDeadline(at time.Time) error { return t.conn.SetWriteDeadline(at) }

// Close ends the connection.
func (t *tunnel) Close() error {
	t.call.close()
	return nil
}

// why is an error, or what the call was ended by.
func (k *Call) why(err error) error {
	if err == nil || errors.Is(err, io.EOF) {
		return err
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.cause != nil {
		return k.cause
	}
	return err
}
