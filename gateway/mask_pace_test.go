package gateway

import (
	"io"
	"net/http"
	"strconv"
	"strings"
	"testing"
)

// TestMaskedListsArriveAsTheyAreWritten: of a long answer that pauses the client
// has all that is known to be fine, before the upstream goes on: nothing is held
// for the sake of larger pieces. How the upstream tells its end does not matter.
func TestMaskedListsArriveAsTheyAreWritten(t *testing.T) {
	text, masked := people(3000)
	next := make(chan struct{})
	w := open(t)
	w.backend("API", func(rw http.ResponseWriter, r *http.Request) {
		rw.Header().Set("Content-Type", "application/json")
		if r.Header.Get("X-Sized") != "" {
			rw.Header().Set("Content-Length", strconv.Itoa(len(text)))
		}
		for rest := text; rest != ""; {
			n := min(150_000, len(rest))
			_, _ = io.WriteString(rw, rest[:n])
			_ = http.NewResponseController(rw).Flush()
			if rest = rest[n:]; rest != "" {
				select {
				case <-next:
				case <-r.Context().Done():
					return
				}
			}
		}
	})
	w.start(maskRoutes, maskPolicy)
	// What the first 150,000 bytes of the text come to, but for the record that they
	// end in.
	upTo := func(n int) int { return strings.Index(masked, text[:n][strings.LastIndex(text[:n], `{"id":`):][:12]) }
	for _, h2 := range []bool{false, true} {
		for _, sized := range []string{"", "yes"} {
			res, err := w.client(h2).Do(w.request("GET", "/api/", nil, w.as("e2", "staff"), "X-Sized: "+sized))
			if err != nil {
				t.Fatal(err)
			}
			var got strings.Builder
			for sent := 150_000; sent < len(text); sent += 150_000 {
				if _, err := io.CopyN(&got, res.Body, int64(upTo(sent)-got.Len())); err != nil {
					t.Fatal(err)
				}
				next <- struct{}{}
			}
			_, err = io.Copy(&got, res.Body)
			if err != nil || got.String() != masked {
				t.Errorf("h2=%t, sized %q: %d bytes of %d, %v", h2, sized, got.Len(), len(masked), err)
			}
			_ = res.Body.Close()
		}
	}
}

// TestMaskedListsHaveALength: an answer that is there is sent with its length,
// also where it is longer than what is waited for.
func TestMaskedListsHaveALength(t *testing.T) {
	text, masked := people(1000)
	if len(masked) < 70<<10 || len(masked) > 120<<10 {
		t.Fatalf("%d bytes", len(masked))
	}
	w := open(t)
	w.backend("API", func(rw http.ResponseWriter, _ *http.Request) {
		rw.Header().Set("Content-Type", "application/json")
		rw.Header().Set("Content-Length", strconv.Itoa(len(text)))
		_, _ = io.WriteString(rw, text)
	})
	w.start(maskRoutes, maskPolicy)
	for _, h2 := range []bool{false, true} {
		sized := 0
		for n := 0; n < 20 || sized == 0 && n < 1000; n++ { // what is there is a matter of luck
			got := do(t, w.client(h2), w.request("GET", "/api/", nil, w.as("e2", "staff")))
			if got.err != nil || got.body != masked {
				t.Fatalf("h2=%t: %d bytes of %d, %v", h2, len(got.body), len(masked), got.err)
			}
			if got.ContentLength == int64(len(masked)) {
				sized++
			} else if got.ContentLength >= 0 {
				t.Fatalf("length %d", got.ContentLength)
			}
		}
		if sized == 0 {
			t.Errorf("h2=%t: none had a length", h2)
		}
	}
}

// faultyTaker has come to something at which reading panics.
type faultyTaker struct{ *faultyBody }

func (faultyTaker) Arrived() bool { return true }

// TestPanicWhileGathering: it ends the answer as one while reading does.
func TestPanicWhileGathering(t *testing.T) {
	faultCutsAnswer(t, 300<<10, func(b *faultyBody) io.ReadCloser { return faultyTaker{b} })
}
