package h1

import (
	"bufio"
	"io"
	"net/http"
	"sync"
	"time"
)

const (
	readSize  = 4 << 10  // of what is read ahead; a head up to this length is never copied
	writeSize = 16 << 10 // of what is written at once; also what fits into one record of TLS
)

// pools keep buffers that nobody uses. The zero value is empty.
type pools struct {
	readers sync.Pool // *bufio.Reader, of readSize
	reads   sync.Pool // *[readSize]byte
	writes  sync.Pool // *[writeSize]byte
}

func (p *pools) reader(from io.Reader) *bufio.Reader {
	if r, ok := p.readers.Get().(*bufio.Reader); ok {
		r.Reset(from)
		return r
	}
	return bufio.NewReaderSize(from, readSize)
}

// putReader takes back a reader that is at the end of what it has buffered.
func (p *pools) putReader(r *bufio.Reader) {
	r.Reset(nil)
	p.readers.Put(r)
}

func (p *pools) read() *[readSize]byte {
	if b, ok := p.reads.Get().(*[readSize]byte); ok {
		return b
	}
	return new([readSize]byte)
}

func (p *pools) write() *[writeSize]byte {
	if b, ok := p.writes.Get().(*[writeSize]byte); ok {
		return b
	}
	return new([writeSize]byte)
}

// stamp is the value of Date for one second.
type stamp struct {
	second int64
	text   string
}

// now gives the value of Date.
func (s *Server) now() string {
	t := time.Now()
	d := s.date.Load()
	if d == nil || d.second != t.Unix() {
		d = &stamp{t.Unix(), t.UTC().Format(http.TimeFormat)}
		s.date.Store(d)
	}
	return d.text
}
