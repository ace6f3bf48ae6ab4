package coding

import (
	"bufio"
	"io"
	"sync"

	"github.com/klauspost/compress/zstd"
)

// maxWindow is the largest window of zstd as a content coding (RFC 9659,
// section 3).
const maxWindow = 8 << 20

// unzstd reads frames of zstd, of which a body may have several (RFC 8878,
// section 3.1).
type unzstd struct {
	*zstd.Decoder
	src *bufio.Reader
}

var spareZstd sync.Pool

func newZstd() (*unzstd, error) {
	if z, ok := spareZstd.Get().(*unzstd); ok {
		return z, nil
	}
	// With a concurrency of one the decoder has no goroutines.
	d, err := zstd.NewReader(nil, zstd.WithDecoderConcurrency(1), zstd.WithDecoderLowmem(true), zstd.WithDecoderMaxWindow(maxWindow))
	if err != nil {
		return nil, err
	}
	return &unzstd{d, bufio.NewReader(nil)}, nil
}

func (z *unzstd) start(body io.Reader) {
	z.src.Reset(body)
	_ = z.Reset(z.src) // an error is that of a closed decoder only, and Read has it too
}

func (z *unzstd) release(again bool) {
	z.src.Reset(nothing{})
	if again && z.Reset(nil) == nil {
		spareZstd.Put(z)
		return
	}
	z.Close()
}
