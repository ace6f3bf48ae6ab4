package upload

import (
	"bufio"
	"bytes"
	"io"
)

// Pictures are walked from their header to their end as a decoder would, without
// decoding them: that tells their dimensions, the number of their frames, and
// what follows their end.
const (
	maxFrames = 5000
	maxMovie  = 20 // all frames together, in pictures of the largest size
)

const large = "it has more pixels than are accepted"

// walker reads a picture once, in order.
type walker struct {
	*bufio.Reader
	v      *view
	frames int
	area   int64
	broken bool
}

func newWalker(v *view) *walker {
	return &walker{Reader: bufio.NewReaderSize(v.reader(), windowSize), v: v}
}

// take gives the next n bytes; zeros where the file ends before.
func (w *walker) take(n int) []byte {
	b := make([]byte, n)
	if _, err := io.ReadFull(w, b); err != nil {
		w.broken = true
	}
	return b
}

func (w *walker) skip(n int64) {
	if got, err := io.CopyN(io.Discard, w.Reader, n); err != nil || got != n {
		w.broken = true
	}
}

// frame counts a picture and reports whether it is one too many or too large.
func (w *walker) frame(width, height int64) bool {
	w.frames++
	area := width * height
	w.area += area
	return area > w.v.pixels || w.frames > maxFrames || w.area > maxMovie*w.v.pixels
}

// rest notes what follows the end of the picture. Cameras fill up with zeros.
func (w *walker) rest() {
	buf := make([]byte, windowSize)
	for {
		n, err := w.Read(buf)
		if len(bytes.Trim(buf[:n], "\x00\r\n ")) > 0 {
			w.v.trailing = true
			return
		}
		if err != nil {
			return
		}
	}
}

// walked makes a check of a walk.
func walked(walk func(w *walker) string) func(v *view) string {
	return func(v *view) string {
		if reason := walk(newWalker(v)); reason != "" {
			return reason
		}
		return embedded(v)
	}
}
