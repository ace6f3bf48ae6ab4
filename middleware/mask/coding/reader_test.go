package coding

import (
	"bytes"
	"errors"
	"io"
	"os"
	"strings"
	"sync"
	"testing"

	"github.com/gatehouse-dev/gatehouse/middleware/middlewaretest"
)

// TestMain fails where a test leaves a goroutine behind.
func TestMain(m *testing.M) { middlewaretest.Main(m) }

// TestFlushed: what a sender has flushed is there before it sends more. Where it
// is not, the test hangs.
func TestFlushed(t *testing.T) {
	for _, coding := range codings {
		t.Run(coding, func(t *testing.T) {
			in, out := io.Pipe()
			r, err := Open(coding, in, Options{})
			if err != nil {
				t.Fatal(err)
			}
			next := make(chan string, 1) // what is flushed may not have been read to its end
			var sender sync.WaitGroup
			sender.Go(func() {
				w := packer(t, coding, out)
				for event := range next {
					_, err := io.WriteString(w, event)
					if err := errors.Join(err, w.Flush()); err != nil && !errors.Is(err, io.ErrClosedPipe) {
						t.Error(err)
					}
				}
			})
			for _, event := range []string{text, "x", strings.Repeat(text, 1000), "\n"} {
				next <- event
				got := make([]byte, len(event))
				if _, err := io.ReadFull(r, got); err != nil || string(got) != event {
					t.Errorf("%.50q, %v", got, err)
				}
			}
			close(next)
			if err := r.Close(); err != nil {
				t.Error(err)
			}
			sender.Wait()
		})
	}
}

// TestMembers: the end of a member is there before the next begins.
func TestMembers(t *testing.T) {
	in, out := io.Pipe()
	r, err := Open("gzip", in, Options{})
	if err != nil {
		t.Fatal(err)
	}
	for range 3 {
		var wg sync.WaitGroup
		wg.Go(func() { _, _ = out.Write(pack(t, "gzip", text)) })
		got := make([]byte, len(text))
		if _, err := io.ReadFull(r, got); err != nil || string(got) != text {
			t.Fatalf("%q, %v", got, err)
		}
		wg.Wait()
	}
	if err := r.Close(); err != nil {
		t.Error(err)
	}
}

// TestExpansion: a text may be large, or of a high ratio, but not both.
func TestExpansion(t *testing.T) {
	for _, coding := range codings {
		zeros := pack(t, coding, string(make([]byte, 100_000)))
		ratio := 100_000 / int64(len(zeros)) // rounded down: too little by less than one
		for _, tt := range []struct {
			name string
			opts Options
			err  error
		}{
			{"free by default", Options{Ratio: 1}, nil},
			{"free", Options{Ratio: 1, Free: 100_000}, nil},
			{"not free", Options{Ratio: 1, Free: 99_999}, ErrExpansion},
			{"ratio by default", Options{Free: 1}, ErrExpansion},
			{"ratio", Options{Ratio: ratio + 1, Free: 1}, nil},
			{"too little", Options{Ratio: ratio - 1, Free: 1}, ErrExpansion},
			{"largest ratio", Options{Ratio: 1<<63 - 1, Free: 1}, nil},
		} {
			r, err := Open(coding, bytes.NewReader(zeros), tt.opts)
			if err != nil {
				t.Fatal(err)
			}
			got, err := io.ReadAll(r)
			if err != tt.err || err == nil && len(got) != 100_000 {
				t.Errorf("%s, %s: %d bytes, %v", coding, tt.name, len(got), err)
			}
			if err == ErrExpansion {
				if n, err := r.Read(make([]byte, 1)); n != 0 || err != ErrExpansion {
					t.Errorf("%s, %s: goes on with %d bytes, %v", coding, tt.name, n, err)
				}
			}
			if err := r.Close(); err != nil {
				t.Error(err)
			}
		}
	}
}

// body is one that knows whether it was closed.
type body struct {
	io.Reader
	closed int
}

func (b *body) Close() error {
	b.closed++
	return os.ErrClosed
}

// TestClose: Close closes the body once, wherever the reading stands, and gives
// its error.
func TestClose(t *testing.T) {
	for _, coding := range codings {
		for _, read := range []int64{0, 1, int64(len(text)), 1 << 20} {
			b := &body{Reader: bytes.NewReader(pack(t, coding, text))}
			r, err := Open(coding, b, Options{})
			if err != nil {
				t.Fatal(err)
			}
			if _, err := io.CopyN(io.Discard, r, read); err != nil && err != io.EOF {
				t.Fatal(err)
			}
			if err := r.Close(); err != os.ErrClosed || b.closed != 1 {
				t.Errorf("%s: %v, closed %d times", coding, err, b.closed)
			}
			if err := r.Close(); err != nil || b.closed != 1 {
				t.Errorf("%s, again: %v, closed %d times", coding, err, b.closed)
			}
			if n, err := r.Read(make([]byte, 1)); n != 0 || err == nil || err == io.EOF {
				t.Errorf("%s: read %d bytes after close, %v", coding, n, err)
			}
		}
	}
	b := &body{Reader: strings.NewReader(text)}
	if _, err := Open("deflate", b, Options{}); err == nil || b.closed != 0 {
		t.Errorf("%v, closed %d times", err, b.closed)
	}
	if r, err := Open("", b, Options{}); err != nil || r.Close() != os.ErrClosed || b.closed != 1 {
		t.Errorf("identity: %v, closed %d times", err, b.closed)
	}
}

// stuck is a body that gives nothing, ever.
type stuck struct{}

func (stuck) Read([]byte) (int, error) { return 0, nil }

func TestStuck(t *testing.T) {
	for _, coding := range codings {
		if _, err := unpack(t, coding, stuck{}); err != io.ErrNoProgress {
			t.Errorf("%s: %v", coding, err)
		}
	}
}

// TestReuse: decoders that are used again, by many at once, among bodies that
// fail and readers that leave, mix nothing up.
func TestReuse(t *testing.T) {
	texts := []string{"", "x", text, strings.Repeat(text, 300)}
	var wg sync.WaitGroup
	for worker := range 8 {
		wg.Go(func() {
			for i := range 24 {
				coding := codings[(worker+i)%len(codings)]
				want := texts[i%len(texts)]
				packed := pack(t, coding, want)
				switch i % 3 {
				case 0:
					packed = packed[:len(packed)-1]
					if got, err := unpack(t, coding, bytes.NewReader(packed)); !errors.Is(err, ErrCoding) || !strings.HasPrefix(want, got) {
						t.Errorf("%s: %d bytes, %v", coding, len(got), err)
					}
				case 1:
					r, err := Open(coding, bytes.NewReader(packed), Options{})
					if err != nil {
						t.Error(err)
						continue
					}
					_, _ = r.Read(make([]byte, 1))
					_ = r.Close()
				default:
					if got, err := unpack(t, coding, bytes.NewReader(packed)); err != nil || got != want {
						t.Errorf("%s: %d bytes of %d, %v", coding, len(got), len(want), err)
					}
				}
			}
		})
	}
	wg.Wait()
}
