package coding

import (
	"bytes"
	"errors"
	"io"
	"runtime"
	"testing"

	"github.com/andybalholm/brotli"
	"github.com/klauspost/compress/zstd"
)

// most is what a decoder may hold, beside what was kept of the last.
var most = map[string]int64{"gzip": 256 << 10, "zstd": 10 << 20, "br": 26 << 20}

// zeros gives a body of so many zeros, packed as it is read. Closing it ends
// the packing.
func zeros(t testing.TB, coding string, n int64) io.ReadCloser {
	in, out := io.Pipe()
	go func() {
		w := packer(t, coding, out)
		_, err := io.CopyN(w, endless{}, n)
		if err == nil {
			err = w.Close()
		}
		_ = out.CloseWithError(err)
	}()
	return in
}

type endless struct{}

func (endless) Read(p []byte) (int, error) {
	clear(p)
	return len(p), nil
}

// least is what one of the largest window holds at the least: without it the
// tests do not measure what they are for.
var least = map[string]int64{"zstd": maxWindow, "br": 16 << 20}

// TestBombs: 1 GB of zeros is refused when little of it has been given.
func TestBombs(t *testing.T) {
	for _, coding := range codings {
		r, err := Open(coding, zeros(t, coding, 1<<30), Options{})
		if err != nil {
			t.Fatal(err)
		}
		n, err := io.Copy(io.Discard, r)
		packed := r.(*reader).packed.n
		if err != ErrExpansion || n > max(1<<20, 200*packed) {
			t.Errorf("%s: %d bytes of %d, %v", coding, n, packed, err)
		}
		if err := r.Close(); err != nil {
			t.Error(err)
		}
	}
}

// TestMemory: what a decoder holds does not grow with the text.
func TestMemory(t *testing.T) {
	const parts = 64 // of 16 MiB
	if raceEnabled {
		t.Skip("one goroutine has no races, and takes long to show it")
	}
	for _, coding := range codings {
		t.Run(coding, func(t *testing.T) {
			src := bodyOf(t, coding, parts)
			var start, now runtime.MemStats
			runtime.GC()
			runtime.GC()
			runtime.ReadMemStats(&start)
			r, err := Open(coding, src, Options{Ratio: 1 << 40})
			if err != nil {
				t.Fatal(err)
			}
			var held, total int64
			buf := make([]byte, 64<<10)
			for i := 0; err == nil; i++ {
				var n int
				n, err = r.Read(buf)
				total += int64(n)
				if i%2000 == 0 {
					runtime.GC()
					runtime.ReadMemStats(&now)
					held = max(held, int64(now.HeapAlloc)-int64(start.HeapAlloc))
				}
			}
			if err != io.EOF || total != int64(parts)<<24 {
				t.Errorf("%d bytes, %v", total, err)
			}
			if held > most[coding] || held < least[coding] {
				t.Errorf("the heap grew by %d bytes", held)
			}
			if err := r.Close(); err != nil {
				t.Error(err)
			}
		})
	}
}

// bodyOf gives so many times 16 MiB of zeros, in the largest window there is,
// without packing all of them: gzip and zstd are what their parts are, and br,
// flushed, is a beginning, any number of the same, and an end.
func bodyOf(t testing.TB, coding string, parts int) io.Reader {
	t.Helper()
	var b bytes.Buffer
	w := packer(t, coding, &b)
	switch coding {
	case "zstd":
		w = zstdPacker(t, &b, zstd.WithWindowSize(maxWindow))
	case "br":
		w = brotli.NewWriterOptions(&b, brotli.WriterOptions{Quality: 2, LGWin: 24})
	}
	write := func() int {
		_, err := w.Write(make([]byte, 16<<20))
		if err := errors.Join(err, w.Flush()); err != nil {
			t.Fatal(err)
		}
		return b.Len()
	}
	first, second := write(), 0
	if coding == "br" {
		second = write()
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	all := b.Bytes()
	if coding != "br" {
		return &repeated{part: all, times: parts}
	}
	return io.MultiReader(bytes.NewReader(all[:first]),
		&repeated{part: all[first:second], times: parts - 1}, bytes.NewReader(all[second:]))
}

// repeated gives a part several times.
type repeated struct {
	part  []byte
	rest  []byte
	times int
}

func (r *repeated) Read(p []byte) (int, error) {
	if len(r.rest) == 0 {
		if r.times == 0 {
			return 0, io.EOF
		}
		r.rest = r.part
		r.times--
	}
	n := copy(p, r.rest)
	r.rest = r.rest[n:]
	return n, nil
}

// TestWindows: a few bytes that ask for a large window do not get more memory
// than there is for one, also not again for each frame or member.
func TestWindows(t *testing.T) {
	const frames = 200
	frame := []byte("\x28\xb5\x2f\xfd\x00\x68\x01\x00\x00") // 8 MiB of window, no text
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	got, err := unpack(t, "zstd", bytes.NewReader(bytes.Repeat(frame, frames)))
	runtime.ReadMemStats(&after)
	if got != "" || err != nil {
		t.Fatalf("%d bytes, %v", len(got), err)
	}
	if n := after.TotalAlloc - before.TotalAlloc; n > uint64(most["zstd"]) {
		t.Errorf("%d bytes for %d frames", n, frames)
	}
}
