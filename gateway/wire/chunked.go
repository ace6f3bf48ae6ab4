package wire

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"net/http"
	"strconv"
)

// What is wrong with a body in chunks. Nothing of what was sent is told.
var (
	ErrChunk        = errors.New("the chunks of the body are malformed")
	ErrChunkWaste   = errors.New("the chunks of the body have more around them than in them")
	ErrTrailerBytes = errors.New("the trailers are too long")
)

const (
	chunkDigits  = 16       // of the size of a chunk, leading zeros included
	chunkLine    = 1 << 10  // bytes of the line that begins a chunk, extensions included
	chunkSlack   = 16       // bytes around a chunk that are not counted as waste
	chunkWaste   = 16 << 10 // bytes of waste that a body may have
	trailerBytes = 16 << 10 // default of TrailerBytes
	trailerMax   = 100      // default of TrailerMax
)

// Chunked reads a body in chunks (RFC 9112, section 7.1). Lines end in CR LF, the
// size of a chunk is plain hexadecimal of at most 16 digits and fits an int64,
// extensions are ignored and bounded, and so are trailers. The zero value is to
// be [Chunked.Reset].
type Chunked struct {
	// Bounds of the trailer section: bytes (default: 16 KiB) and fields
	// (default: 100).
	TrailerBytes, TrailerMax int

	r       *bufio.Reader
	left    int64 // of the chunk that is being read
	open    bool  // a chunk was begun and its end not read
	waste   int64 // bytes that were more around chunks than allowed
	err     error // sticky; io.EOF after the trailers
	trailer http.Header
}

// Reset makes it read the next body from r, whose buffer must hold a line of 1
// KiB. Bounds stay.
func (c *Chunked) Reset(r *bufio.Reader) {
	*c = Chunked{TrailerBytes: c.TrailerBytes, TrailerMax: c.TrailerMax, r: r}
}

// Trailer gives the fields behind the last chunk, once Read has returned io.EOF.
// Those that would frame or route a message are left out (RFC 9110, section
// 6.5.1). nil where there is none.
func (c *Chunked) Trailer() http.Header { return c.trailer }

// Read reads content. It waits for the connection only where it has none to
// give. An end before the end of the body is io.ErrUnexpectedEOF.
func (c *Chunked) Read(p []byte) (int, error) {
	n := 0
	for c.err == nil {
		if c.left == 0 {
			if n > 0 && !c.lineThere() {
				return n, nil
			}
			c.err = c.begin()
			continue
		}
		if len(p) == n || n > 0 && c.r.Buffered() == 0 {
			return n, nil
		}
		m, err := c.r.Read(p[n:min(int64(len(p)), int64(n)+c.left)])
		n += m
		c.left -= int64(m)
		c.err = early(err)
	}
	return n, c.err
}

// Ready reports whether Read has something to give, or the end, without waiting.
// Arrived tells whether something has come that is not buffered. What it reports
// as not ready may be: a line that has come in part is waited for by nobody.
func (c *Chunked) Ready(arrived func() bool) bool {
	if c.err != nil {
		return true
	}
	if c.left > 0 {
		return c.r.Buffered() > 0 || arrived()
	}
	for !c.contentThere() {
		n := c.r.Buffered()
		if n == c.r.Size() || !arrived() {
			return false
		}
		if _, _ = c.r.Peek(n + 1); c.r.Buffered() == n {
			return true // its end has come, or an error
		}
	}
	return true
}

// lineThere reports whether the end of the chunk that was read and the line of
// the next one are buffered, and of the last one all that follows: beginning it
// does not wait.
func (c *Chunked) lineThere() bool {
	b, _ := c.r.Peek(min(c.r.Buffered(), chunkLine))
	if c.open {
		b = b[min(2, len(b)):]
	}
	if len(b) > 0 && b[0] == '0' {
		return bytes.Contains(b, []byte("\r\n\r\n"))
	}
	return bytes.IndexByte(b, '\n') >= 0
}

// contentThere reports whether, behind the line of the next chunk, content of it is
// buffered; or all that follows the last one.
func (c *Chunked) contentThere() bool {
	b, _ := c.r.Peek(min(c.r.Buffered(), chunkLine))
	if c.open {
		b = b[min(2, len(b)):]
	}
	i := bytes.IndexByte(b, '\n')
	if size := bytes.TrimLeft(b, "0"); len(size) < len(b) && i >= 0 && hexDigit(size[0]) < 0 {
		return bytes.Contains(b, []byte("\r\n\r\n"))
	}
	return i >= 0 && i+1 < len(b)
}

// begin ends the chunk before and reads the line that begins the next one; after
// the last one also the trailers, and then its error is io.EOF.
func (c *Chunked) begin() error {
	if c.open {
		if err := c.end(); err != nil {
			return err
		}
	}
	line, err := c.line()
	if err != nil {
		return err
	}
	if c.left, err = chunkSize(line); err != nil {
		return err
	}
	c.waste = max(0, c.waste+int64(len(line))+4-chunkSlack-2*min(c.left, chunkWaste))
	if c.waste > chunkWaste {
		return ErrChunkWaste
	}
	if c.open = c.left > 0; c.open {
		return nil
	}
	if err := c.trailers(); err != nil {
		return err
	}
	return io.EOF
}

// end reads the CR LF behind the content of a chunk.
func (c *Chunked) end() error {
	b, err := c.r.Peek(2)
	switch {
	case len(b) > 0 && b[0] != '\r', len(b) > 1 && b[1] != '\n':
		return ErrChunk
	case err != nil:
		return early(err)
	}
	c.open = false
	_, err = c.r.Discard(2)
	return err
}

// line reads a line and gives it without its CR LF, until the next read. In it
// is no other control character but tabs.
func (c *Chunked) line() ([]byte, error) {
	line, err := c.r.ReadSlice('\n')
	switch {
	case errors.Is(err, bufio.ErrBufferFull), len(line) > chunkLine:
		return nil, ErrChunk
	case err != nil:
		return nil, early(err)
	case len(line) < 2 || line[len(line)-2] != '\r':
		return nil, ErrChunk
	}
	line = line[:len(line)-2]
	for _, x := range line {
		if x < ' ' && x != '\t' || x == 0x7f {
			return nil, ErrChunk
		}
	}
	return line, nil
}

// chunkSize reads the line that begins a chunk. Blanks behind the size are
// allowed, as ahead of an extension; there are servers that pad with them.
func chunkSize(line []byte) (int64, error) {
	var size uint64
	i := 0
	for ; i < len(line); i++ {
		d := hexDigit(line[i])
		if d < 0 {
			break
		}
		size = size<<4 | uint64(d) // of 16 digits no bit is lost
	}
	if i == 0 || i > chunkDigits || size > 1<<63-1 {
		return 0, ErrChunk
	}
	for i < len(line) && (line[i] == ' ' || line[i] == '\t') {
		i++
	}
	if i < len(line) && line[i] != ';' {
		return 0, ErrChunk
	}
	return int64(size), nil //nolint:gosec // it fits
}

func hexDigit(c byte) int {
	switch {
	case '0' <= c && c <= '9':
		return int(c - '0')
	case 'a' <= c && c <= 'f':
		return int(c-'a') + 10
	case 'A' <= c && c <= 'F':
		return int(c-'A') + 10
	}
	return -1
}

// trailers reads the trailer section up to its empty line. It is read piece by
// piece, for the buffer may be shorter than it is.
func (c *Chunked) trailers() error {
	limit, fields := c.TrailerBytes, c.TrailerMax
	if limit <= 0 {
		limit = trailerBytes
	}
	if fields <= 0 {
		fields = trailerMax
	}
	var block []byte
	begin := 0 // of the line
	for {
		piece, err := c.r.ReadSlice('\n')
		if len(block)+len(piece) > limit+2 {
			return ErrTrailerBytes
		}
		if len(block) == 0 && string(piece) == "\r\n" {
			return nil // as nearly always
		}
		block = append(block, piece...)
		switch {
		case errors.Is(err, bufio.ErrBufferFull):
			continue
		case err != nil:
			return early(err)
		case !bytes.HasSuffix(block[begin:], []byte("\r\n")):
			return ErrLine // at once: the empty line may never come
		case len(block) == begin+2:
			h, err := Rules{Max: fields}.Fields(block[:begin])
			c.trailer = proper(h)
			return err
		}
		begin = len(block)
	}
}

// proper takes away what has no place in trailers, where a reader that merges
// them with the head would be misled. It is dropped and not an error: there are
// servers that send it, and nobody here reads it.
func proper(h http.Header) http.Header {
	for _, name := range []string{"Content-Length", "Transfer-Encoding", "Trailer", "Connection", "Host"} {
		delete(h, name)
	}
	if len(h) == 0 {
		return nil
	}
	return h
}

// early is the error of a read that was not to be the last one.
func early(err error) error {
	if errors.Is(err, io.EOF) {
		return io.ErrUnexpectedEOF
	}
	return err
}

// ChunkRoom is how many bytes [Chunk] needs ahead of content: the size and a CR
// LF.
const ChunkRoom = chunkDigits + 2

// Chunk makes a chunk of n bytes, more than 0, which stand in b from [ChunkRoom]
// on, without moving them, and gives the part of b, grown by a CR LF, that is the
// chunk. So a piece of a body is read into a buffer and written out of it in one
// go. There must be 2 bytes of room behind it, or b is copied.
func Chunk(b []byte, n int) []byte {
	var digits [chunkDigits]byte
	size := strconv.AppendUint(digits[:0], uint64(n), 16) //nolint:gosec // not negative
	from := ChunkRoom - 2 - len(size)
	copy(b[from:], size)
	b[ChunkRoom-2], b[ChunkRoom-1] = '\r', '\n'
	return append(b[from:ChunkRoom+n], '\r', '\n')
}

// AppendChunk appends a chunk of p, unless p is empty: that would be the last
// one.
func AppendChunk(b, p []byte) []byte {
	if len(p) == 0 {
		return b
	}
	b = strconv.AppendUint(b, uint64(len(p)), 16)
	b = append(b, '\r', '\n')
	b = append(b, p...)
	return append(b, '\r', '\n')
}

// AppendLastChunk appends the end of a body in chunks: the last one, and the
// trailers, in which no field may stand that has no place there.
func AppendLastChunk(b []byte, trailer http.Header) []byte {
	b = append(b, '0', '\r', '\n')
	b = AppendFields(b, trailer, notInTrailers)
	return append(b, '\r', '\n')
}

func notInTrailers(name string) bool {
	switch http.CanonicalHeaderKey(name) {
	case "Content-Length", "Transfer-Encoding", "Trailer", "Connection", "Host":
		return true
	}
	return false
}
