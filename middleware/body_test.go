package middleware_test

import (
	"errors"
	"io"
	"net/http"
	"testing"
	"testing/iotest"

	"github.com/gatehouse-dev/gatehouse/middleware"
)

// TestBrokenBodyStaysBroken: a body that could not be read is not an empty one
// to whoever asks for it next.
func TestBrokenBodyStaysBroken(t *testing.T) {
	r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "http://x/", io.NopCloser(iotest.ErrReader(errors.New("gone"))))
	if err != nil {
		t.Fatal(err)
	}
	x := &middleware.Exchange{Request: r, Memory: middleware.NewBudget(1 << 20)}
	for _, stage := range []string{"first", "second"} {
		if b, err := x.Body(stage); err == nil || len(b) > 0 || !x.HasBody() {
			t.Errorf("%s: %q, %v, has a body: %v", stage, b, err, x.HasBody())
		}
	}
	x.Release()
	if !x.Memory.Take(1 << 20) {
		t.Error("its memory did not come back")
	}
}
