package eventstream

import (
	"io"
	"runtime"
	"strings"
	"testing"

	"github.com/gatehouse-dev/gatehouse/middleware/mask/redact"
)

// endless gives the same text again and again.
type endless struct {
	text string
	at   int
}

func (e *endless) Read(p []byte) (int, error) {
	n := copy(p, e.text[e.at:])
	e.at = (e.at + n) % len(e.text)
	return n, nil
}

// TestMemory: what a Reader holds does not grow with the stream, and what a
// large event needed is given back behind it.
func TestMemory(t *testing.T) {
	size := int64(16 << 20)
	if raceEnabled {
		size /= 8
	}
	large := "data: {\"ssn\":1,\"x\":\"" + strings.Repeat("x", 250_000) + "\"}\n\n"
	for name, tt := range map[string]struct {
		text string
		most int64 // while reading
	}{
		"events":         {"id: 7\ndata: {\"ssn\":1,\"name\":\"Ada\"}\n\n", 128 << 10},
		"comment lines":  {":" + strings.Repeat("x", 100) + "\n", 128 << 10},
		"one comment":    {":" + strings.Repeat(":", 100), 128 << 10},
		"blank lines":    {"\n", 128 << 10},
		"dropped fields": {"x: " + strings.Repeat("x", 1000) + "\n\n", 128 << 10},
		"large events":   {large + "data: 1\n\n", 2 << 20},
	} {
		t.Run(name, func(t *testing.T) {
			r := NewReader(noSSN(t), io.LimitReader(&endless{text: strings.Repeat(tt.text, 100)}, size), redact.Limits{})
			var start, now runtime.MemStats
			runtime.GC()
			runtime.ReadMemStats(&start)
			held := func() int64 {
				runtime.GC()
				runtime.ReadMemStats(&now)
				return int64(now.HeapAlloc) - int64(start.HeapAlloc)
			}
			var most int64
			buf := make([]byte, 32<<10)
			for i := 0; ; i++ {
				_, err := r.Read(buf)
				if err == io.EOF {
					break
				}
				if err != nil {
					t.Fatal(err)
				}
				if i%(1<<14) == 10 {
					most = max(most, held())
				}
			}
			if most = max(most, held()); most > tt.most {
				t.Errorf("the heap grew by %d bytes", most)
			}
			runtime.KeepAlive(r)
		})
	}
	small := "data: 1\n\n"
	r := NewReader(noSSN(t), strings.NewReader(large+small), redact.Limits{})
	if _, err := io.ReadAll(r); err != nil {
		t.Fatal(err)
	}
	if n := cap(r.line) + cap(r.event.data) + cap(r.masked) + cap(r.out); n > 4*maxKept {
		t.Errorf("%d bytes are kept", n)
	}
}
