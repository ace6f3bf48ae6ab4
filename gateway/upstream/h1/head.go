package h1

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"

	"github.com/gatehouse-dev/gatehouse/gateway/wire"
)

// maxInterim is how many interim answers there may be ahead of the final one.
const maxInterim = 100

func malformed(what string) error { return fmt.Errorf("%w: %s", ErrAnswer, what) }

// readAnswer reads the head of the final answer into the call. Interim ones are
// dropped.
func (c *conn) readAnswer(k *Call, set Settings, out *outgoing) error {
	left := set.HeadBytes
	for range maxInterim {
		head, err := c.readHead(left)
		if err != nil {
			return err
		}
		left -= len(head)
		if err := parse(&k.res, head, set.Fields, k.Room); err != nil {
			return err
		}
		switch code := k.res.StatusCode; {
		case code >= 200:
			return nil
		case code == http.StatusSwitchingProtocols:
			if !out.upgrade || k.res.ProtoMinor == 0 {
				return malformed("it switches protocols, which nobody asked for")
			}
			return nil
		}
	}
	return malformed("it has too many interim answers")
}

// readHead reads a head and gives it with its empty line, until the next read.
func (c *conn) readHead(limit int) ([]byte, error) {
	var long []byte // where the buffer is too short for it
	for seen := 0; ; {
		b, _ := c.in.Peek(c.in.Buffered())
		if long != nil {
			b = append(long, b...)
		}
		n, err := headEnd(b, seen)
		switch {
		case err != nil:
			return nil, err
		case n > limit || n == 0 && len(b) >= limit:
			return nil, malformed("its head is too long")
		case n > 0:
			behind := len(b) - n
			_, _ = c.in.Discard(c.in.Buffered() - behind)
			return b[:n], nil
		}
		seen = len(b)
		if long == nil && c.in.Buffered() == c.in.Size() {
			long = append(make([]byte, 0, 4*len(b)), b...)
		} else if long != nil {
			long = b
		}
		if long != nil {
			_, _ = c.in.Discard(c.in.Buffered())
		}
		if _, err := c.in.Peek(c.in.Buffered() + 1); err != nil {
			if errors.Is(err, io.EOF) && seen > 0 {
				err = io.ErrUnexpectedEOF
			}
			return nil, err
		}
	}
}

// headEnd tells how long the head is that b begins with, 0 where it is not whole.
// Up to from b has been looked at before. Every line ends in CR LF.
func headEnd(b []byte, from int) (int, error) {
	for i := from; ; i++ {
		j := bytes.IndexByte(b[i:], '\n')
		if j < 0 {
			return 0, nil
		}
		i += j
		switch {
		case i == 0 || b[i-1] != '\r':
			return 0, malformed("a line does not end in CR LF")
		case i == 1 || b[i-2] == '\n':
			return i + 1, nil
		}
	}
}

// parse reads a head.
func parse(res *http.Response, head []byte, fields, room int) error {
	i := bytes.IndexByte(head, '\n')
	if err := parseStatus(res, head[:i-1]); err != nil {
		return err
	}
	block := head[i+1:]
	if len(block) < 2 {
		return malformed("it has no status line")
	}
	if folds(block) {
		return malformed("a field that frames goes on in the next line")
	}
	h, err := wire.Rules{Max: fields, Tolerant: true, Room: room}.Fields(block[:len(block)-2])
	if err != nil {
		return fmt.Errorf("%w: %w", ErrAnswer, err)
	}
	res.Header = h
	return nil
}

// parseStatus reads a status line (RFC 9112, section 4). The space behind the
// code may be missing where there is no reason; there are servers that forget it.
func parseStatus(res *http.Response, line []byte) error {
	const version = "HTTP/1."
	if len(line) < len("HTTP/1.1 200") || string(line[:len(version)]) != version || line[8] != ' ' {
		return malformed("it is not HTTP/1.0 or HTTP/1.1")
	}
	code := 0
	for _, d := range line[9:12] {
		if d < '0' || d > '9' {
			return malformed("its status is no number")
		}
		code = code*10 + int(d-'0')
	}
	switch {
	case line[7] != '0' && line[7] != '1':
		return malformed("it is not HTTP/1.0 or HTTP/1.1")
	case code < 100:
		return malformed("its status is none")
	case len(line) > 12 && line[12] != ' ':
		return malformed("its status line")
	}
	for _, x := range line[12:] {
		if x < ' ' && x != '\t' || x == 0x7f {
			return malformed("its status line has a control character")
		}
	}
	res.StatusCode, res.Status = code, statusText(line[9:])
	res.Proto, res.ProtoMajor, res.ProtoMinor = "HTTP/1.1", 1, 1
	if line[7] == '0' {
		res.Proto, res.ProtoMinor = "HTTP/1.0", 0
	}
	return nil
}

// statusText gives a status as text. What comes all the time costs no memory.
func statusText(b []byte) string {
	switch string(b) {
	case "200 OK":
		return "200 OK"
	case "201 Created":
		return "201 Created"
	case "204 No Content":
		return "204 No Content"
	case "304 Not Modified":
		return "304 Not Modified"
	case "404 Not Found":
		return "404 Not Found"
	}
	return string(b)
}

// folds reports whether a field that says how the message is framed goes on in a
// second line.
func folds(block []byte) bool {
	var name []byte
	for len(block) > 2 {
		i := bytes.IndexByte(block, '\n') + 1
		if block[0] == ' ' || block[0] == '\t' {
			switch http.CanonicalHeaderKey(string(name)) {
			case "Content-Length", "Transfer-Encoding", "Connection", "Trailer":
				return true
			}
		} else {
			name, _, _ = bytes.Cut(block[:i], []byte{':'})
		}
		block = block[i:]
	}
	return false
}

// length reads Content-Length, which is plain digits and there once at most. -1
// where it is not there.
func length(h http.Header) (int64, error) {
	values := h["Content-Length"]
	if len(values) == 0 {
		return -1, nil
	}
	if len(values) > 1 || values[0] == "" {
		return 0, malformed("it has more than one length")
	}
	for i := range len(values[0]) {
		if c := values[0][i]; c < '0' || c > '9' {
			return 0, malformed("its length is no number")
		}
	}
	n, err := strconv.ParseInt(values[0], 10, 64)
	if err != nil {
		return 0, malformed("its length is too large")
	}
	return n, nil
}
