package middleware_test

import (
	"errors"
	"io"
	"math"
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

// Who finds too little keeps nobody from what there is.
func TestBudget(t *testing.T) {
	b := middleware.NewBudget(10)
	begun, stop, over := make(chan struct{}), make(chan struct{}), make(chan struct{})
	go func() {
		defer close(over)
		b.Take(11)
		close(begun)
		for {
			select {
			case <-stop:
				return
			default:
				if b.Take(11) {
					t.Error("there was too much")
				}
			}
		}
	}()
	<-begun
	for range 1_000_000 {
		if !b.Take(5) {
			t.Error("there was enough")
			break
		}
		b.Give(5)
	}
	close(stop)
	<-over
	if b.Left() != 10 || (*middleware.Budget)(nil).Left() != math.MaxInt64 {
		t.Errorf("%d are left", b.Left())
	}
}
