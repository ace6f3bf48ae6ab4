package acme

import (
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"go.uber.org/zap"

	"github.com/gatehouse-dev/gatehouse/config"
)

// hostile is a certificate that is asked of an authority which answers as it
// pleases.
func hostile(t *testing.T, answer http.HandlerFunc) *Certificate {
	t.Helper()
	srv := httptest.NewTLSServer(answer)
	t.Cleanup(srv.Close)
	ca := filepath.Join(t.TempDir(), "ca.pem")
	block := &pem.Block{Type: "CERTIFICATE", Bytes: srv.Certificate().Raw}
	if err := os.WriteFile(ca, pem.EncodeToMemory(block), 0o600); err != nil {
		t.Fatal(err)
	}
	c, err := open(&config.ACME{
		Agree: true, Storage: t.TempDir(), Directory: srv.URL + "/dir", CA: ca, Challenges: []string{http01},
	}, zap.NewNop(), quick())
	if err != nil {
		t.Fatal(err)
	}
	m := c.Manage("hostile.example")
	t.Cleanup(func() {
		srv.CloseClientConnections()
		if err := m.Close(); err != nil {
			t.Error(err)
		}
		if err := c.Close(); err != nil {
			t.Error(err)
		}
	})
	m.Start()
	return m
}

// failure waits for the first try to fail.
func failure(t *testing.T, m *Certificate) string {
	t.Helper()
	for range 6000 {
		if err := m.Err(); err != nil {
			return err.Error()
		}
		time.Sleep(10 * time.Millisecond)
	}
	t.Fatal("it does not fail")
	return ""
}

// TestEndlessAnswers come from an authority that would fill the memory, and the
// log, if it were let.
func TestEndlessAnswers(t *testing.T) {
	t.Parallel()
	for _, status := range []int{http.StatusOK, http.StatusTeapot} {
		const size = 256 << 20
		sent := make(chan int64, 100)
		m := hostile(t, func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "application/json")
			w.WriteHeader(status)
			n, _ := io.Copy(w, io.LimitReader(zeros{}, size))
			sent <- n
		})
		text := failure(t, m)
		if len(text) > 1000 || !strings.Contains(text, fmt.Sprintf("%v (HTTP %d)", errTooLong, status)) {
			t.Errorf("%d: the error has %d bytes: %.300q", status, len(text), text)
		}
		if n := <-sent; n == size {
			t.Errorf("%d: all of it was taken", status)
		}
	}
}

// An error is told as far as it is of a sensible length, and an answer of the
// largest length is whole.
func TestAnswersWithinBounds(t *testing.T) {
	t.Parallel()
	m := hostile(t, func(w http.ResponseWriter, _ *http.Request) { http.Error(w, "closed for repair", http.StatusTeapot) })
	if text := failure(t, m); !strings.Contains(text, "closed for repair") {
		t.Errorf("%q", text)
	}
	m = hostile(t, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("X-Long", strings.Repeat("x", 2*maxHeader))
	})
	if text := failure(t, m); !strings.Contains(text, "headers exceeded") {
		t.Errorf("%.300q", text)
	}
	for size, want := range map[int64]error{0: nil, 99: nil, 100: nil, 101: errTooLong, 5000: errTooLong} {
		b := &boundedBody{ReadCloser: io.NopCloser(io.LimitReader(zeros{}, size)), left: 100}
		data, err := io.ReadAll(b)
		if !errors.Is(err, want) || int64(len(data)) != min(size, 100) {
			t.Errorf("%d: %d bytes, %v", size, len(data), err)
		}
	}
}

// TestLedToPlainHTTP has a directory that leads to where anybody could answer.
func TestLedToPlainHTTP(t *testing.T) {
	t.Parallel()
	plain := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { t.Errorf("%s was asked", r.URL) }))
	defer plain.Close()
	m := hostile(t, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		fmt.Fprintf(w, `{"newNonce": %[1]q, "newAccount": %[1]q, "newOrder": %[1]q}`, plain.URL)
	})
	if text := failure(t, m); !strings.Contains(text, "which is not https") {
		t.Errorf("%q", text)
	}
}

type zeros struct{}

func (zeros) Read(p []byte) (int, error) {
	for i := range p {
		p[i] = '0'
	}
	return len(p), nil
}
