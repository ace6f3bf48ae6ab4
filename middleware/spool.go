package middleware

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"io"
	"os"
)

// Spool keeps what is too large for memory and must be known whole before it is
// judged: files on their way through. A small one stays in memory; a larger one
// goes to a file without a name, which nobody else can open and which is gone
// with the process, however it ends.
type Spool struct {
	folder string
	room   *Budget
}

// NewSpool makes a spool of at most size bytes on disk. The folder "" is the
// system's for temporary files.
func NewSpool(folder string, size int64) *Spool {
	return &Spool{folder: folder, room: NewBudget(size)}
}

const (
	inMemory  = 64 << 10 // a larger blob goes to disk
	spoolStep = 1 << 20  // by which room on disk is taken
)

// diskError tells what the disk failed with from what the client did.
type diskError struct{ error }

func (e *diskError) Unwrap() error { return e.error }

var errNoRoom = errors.New("the room for files is used up")

// Blob is content that was read whole. It may be read as often as is wanted,
// and must be closed.
type Blob struct {
	data  []byte
	file  *os.File
	size  int64
	taken int64 // of memory or room
	from  *Budget
}

// take reads src to its end. What it fails with is the error of src, that of the
// disk, or says that there is no memory or no room.
func (s *Spool) take(src io.Reader, memory *Budget) (*Blob, error) {
	if !memory.Take(inMemory) {
		return nil, errNoMemory
	}
	b := &Blob{taken: inMemory, from: memory}
	head := make([]byte, inMemory)
	n, more, err := readUpTo(src, head)
	switch {
	case err != nil:
		b.Close()
		return nil, err
	case !more:
		b.data, b.size = append([]byte(nil), head[:n]...), int64(n)
		memory.Give(inMemory - b.size)
		b.taken = b.size
		return b, nil
	}
	defer memory.Give(inMemory)
	b.taken, b.from = 0, nil
	if s == nil {
		return nil, errNoRoom
	}
	b.from = s.room
	if err := b.toDisk(s, head, src); err != nil {
		b.Close()
		return nil, err
	}
	return b, nil
}

// toDisk writes what was read and the rest of src to a file that has no name.
func (b *Blob) toDisk(s *Spool, head []byte, src io.Reader) error {
	f, err := s.create()
	if err != nil {
		return err
	}
	b.file = f
	for n, more := len(head), true; ; {
		if b.size+int64(n) > b.taken {
			if !s.room.Take(spoolStep) {
				return errNoRoom
			}
			b.taken += spoolStep
		}
		if _, err := f.Write(head[:n]); err != nil {
			return &diskError{err}
		}
		b.size += int64(n)
		if !more {
			return nil
		}
		if n, more, err = readUpTo(src, head); err != nil {
			return err
		}
	}
}

// create makes a file that has no name.
func (s *Spool) create() (*os.File, error) {
	f, err := os.CreateTemp(s.folder, "gatehouse-")
	if err != nil {
		return nil, &diskError{err}
	}
	if err := os.Remove(f.Name()); err != nil {
		_ = f.Close() // the other error tells more
		return nil, &diskError{err}
	}
	return f, nil
}

// Try reports why no file can be kept in the folder.
func (s *Spool) Try() error {
	f, err := s.create()
	if err != nil {
		return err
	}
	return f.Close()
}

// readUpTo fills p, or reads src to its end, which more tells apart. Unlike
// io.ReadFull it never takes a source that broke off for one that ended.
func readUpTo(src io.Reader, p []byte) (n int, more bool, err error) {
	for n < len(p) {
		m, err := src.Read(p[n:])
		n += m
		if err == io.EOF { //nolint:errorlint // io.Reader gives it bare
			return n, false, nil
		}
		if err != nil {
			return n, false, err
		}
	}
	return n, true, nil
}

// Size of the content in bytes.
func (b *Blob) Size() int64 { return b.size }

// ReadAt reads from an offset, as [io.ReaderAt] says.
func (b *Blob) ReadAt(p []byte, off int64) (int, error) {
	if b.file != nil {
		return b.file.ReadAt(p, off)
	}
	return bytes.NewReader(b.data).ReadAt(p, off)
}

// Reader reads the content from its beginning. Readers do not disturb each
// other.
func (b *Blob) Reader() *io.SectionReader { return io.NewSectionReader(b, 0, b.size) }

// Sum is the SHA-256 of the content.
func (b *Blob) Sum() (sum [sha256.Size]byte, err error) {
	h := sha256.New()
	if _, err := io.Copy(h, b.Reader()); err != nil {
		return sum, err
	}
	h.Sum(sum[:0])
	return sum, nil
}

// Close gives back what the content takes. It may be called twice.
func (b *Blob) Close() {
	if b.file != nil {
		_ = b.file.Close() // of a file that nobody will open again
	}
	b.from.Give(b.taken)
	b.taken = 0
}
