package upload

import (
	"context"
	"io"
)

// view is what a check sees of a file. Nothing reads a file whole into memory:
// checks read it front to back through a window, or at the places that its own
// directory names. What the disk fails with is kept, so that no check has to
// tell it from a file that is broken.
type view struct {
	ctx  context.Context // of the request; a view lives no longer
	from io.ReaderAt
	size int64
	head []byte // the first bytes, for what goes by magic numbers
	err  error  // why the file could not be read
}

const (
	headSize   = 4 << 10 // what the detection of media types looks at
	windowSize = 64 << 10
)

func newView(ctx context.Context, from io.ReaderAt, size int64) *view {
	v := &view{ctx: ctx, from: from, size: size}
	head := make([]byte, min(headSize, size))
	n, _ := v.ReadAt(head, 0)
	v.head = head[:n]
	return v
}

// ReadAt reads from an offset, as [io.ReaderAt] says, while the client waits.
func (v *view) ReadAt(p []byte, off int64) (int, error) {
	if err := v.ctx.Err(); err != nil {
		v.err = err
		return 0, err
	}
	n, err := v.from.ReadAt(p, off)
	if err != nil && err != io.EOF { //nolint:errorlint // io.ReaderAt gives it bare
		v.err = err
	}
	return n, err
}

// reader reads the file from its beginning.
func (v *view) reader() *io.SectionReader { return io.NewSectionReader(v, 0, v.size) }

// tail gives the last n bytes of the file, or all of it.
func (v *view) tail(n int64) []byte {
	b := make([]byte, min(n, v.size))
	got, _ := v.ReadAt(b, v.size-int64(len(b)))
	return b[:got]
}

// windows shows f the whole file piece by piece until it says that it has seen
// enough. Every piece but the first starts with the last keep bytes of the one
// before, so that nothing of that length is cut in two.
func (v *view) windows(keep int, f func(piece []byte) (more bool)) {
	buf := make([]byte, keep+windowSize)
	kept := 0
	for off := int64(0); off < v.size; {
		n, _ := v.ReadAt(buf[kept:min(int64(len(buf)), int64(kept)+v.size-off)], off)
		if n == 0 || !f(buf[:kept+n]) {
			return
		}
		off += int64(n)
		end := kept + n
		kept = copy(buf, buf[max(0, end-keep):end])
	}
}
