package limits

import (
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/gatehouse-dev/gatehouse/config"
	mt "github.com/gatehouse-dev/gatehouse/middleware/middlewaretest"
)

func TestDeclared(t *testing.T) {
	for _, tt := range []struct {
		size int
		code string
	}{{0, ""}, {9, ""}, {10, ""}, {11, "body_too_large"}} {
		u := mt.NewUpstream(t, 200, "text/plain", "x")
		x := mt.Exchange(t, "POST", "https://h/", strings.NewReader(strings.Repeat("a", tt.size)))
		_, _, err := mt.Run(t, New(config.Limits{BodyBytes: 10}), x, u.Handle)
		if mt.Code(err) != tt.code {
			t.Errorf("%d bytes: %v, want %q", tt.size, err, tt.code)
		}
		if calls := u.Calls.Load(); (calls == 0) != (tt.code != "") {
			t.Errorf("%d bytes: the upstream saw %d requests", tt.size, calls)
		}
	}
}

func TestUndeclared(t *testing.T) {
	for _, size := range []int{0, 1, 9, 10, 11, 25} {
		for _, chunk := range []func(io.Reader) io.Reader{iotest.OneByteReader, iotest.DataErrReader, func(r io.Reader) io.Reader { return r }} {
			b := &bounded{ReadCloser: io.NopCloser(chunk(strings.NewReader(strings.Repeat("a", size)))), max: 10}
			got, err := io.ReadAll(b)
			var tooLarge *http.MaxBytesError
			if errors.As(err, &tooLarge) != (size > 10) {
				t.Errorf("%d bytes: %v", size, err)
			}
			if len(got) != min(size, 10) {
				t.Errorf("%d bytes: %d got through", size, len(got))
			}
		}
	}
}

func TestAbsent(t *testing.T) {
	if New(config.Limits{}) != nil {
		t.Error("a stage without a limit")
	}
}
