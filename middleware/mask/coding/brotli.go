package coding

import (
	"io"
	"sync"

	"github.com/andybalholm/brotli"
)

// unbrotli reads a br body. The library reads ahead, finds what is behind the
// end, and an end that is missing.
type unbrotli struct{ *brotli.Reader }

var spareBrotli sync.Pool

func newBrotli() *unbrotli {
	if b, ok := spareBrotli.Get().(*unbrotli); ok {
		return b
	}
	return &unbrotli{brotli.NewReader(nothing{})}
}

func (b *unbrotli) start(body io.Reader) { _ = b.Reset(body) } // which always works

func (b *unbrotli) release(again bool) {
	if again {
		_ = b.Reset(nothing{})
		spareBrotli.Put(b)
	}
}
