package problem

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/gatehouse-dev/gatehouse/middleware"
	mt "github.com/gatehouse-dev/gatehouse/middleware/middlewaretest"
)

func TestHandle(t *testing.T) {
	secret := errors.New("dial tcp 10.1.2.3: secret")
	tests := []struct {
		name   string
		next   middleware.Handler
		status int
		code   string
		close  bool
	}{
		{"refusal", func(*middleware.Exchange) (*http.Response, error) {
			return nil, middleware.Refuse("acl", middleware.Forbidden, "no").With(secret)
		}, 403, "forbidden", false},
		{"wrapped refusal", func(*middleware.Exchange) (*http.Response, error) {
			return nil, fmt.Errorf("%w: %w", secret, middleware.Refuse("a", middleware.RateLimited, "slow down"))
		}, 429, "rate_limited", false},
		{"a policy's own code", func(*middleware.Exchange) (*http.Response, error) {
			return nil, middleware.Refuse("authz", "mfa_required", "use a second factor")
		}, 403, "mfa_required", false},
		{"any other error", func(*middleware.Exchange) (*http.Response, error) { return nil, secret }, 500, "internal_error", false},
		{"cancelled", func(*middleware.Exchange) (*http.Response, error) { return nil, context.Canceled }, 502, "upstream_unavailable", false},
		{"a header that would be two", func(*middleware.Exchange) (*http.Response, error) {
			return nil, middleware.Refuse("a", middleware.TokenInvalid, "no").Set("WWW-Authenticate", "Bearer\r\nSet-Cookie: secret=1")
		}, 500, "internal_error", false},
		{"a header without a name", func(*middleware.Exchange) (*http.Response, error) {
			return nil, middleware.Refuse("a", middleware.TokenInvalid, "no").Set("X: y\r\nZ", "v")
		}, 500, "internal_error", false},
		{"panic", func(*middleware.Exchange) (*http.Response, error) { panic(secret) }, 500, "internal_error", true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			panics := 0
			s := New(func(_ *middleware.Exchange, _ any, stack []byte) {
				panics++
				if !strings.Contains(string(stack), "problem_test.go") {
					t.Error("the stack does not show where the panic came from")
				}
			})
			x := mt.Exchange(t, "GET", "https://h/", nil)
			res, body, err := mt.Run(t, s, x, tt.next)
			if err != nil {
				t.Fatal(err)
			}
			var d map[string]any
			if err := json.Unmarshal([]byte(body), &d); err != nil {
				t.Fatal(err)
			}
			if res.StatusCode != tt.status || d["code"] != tt.code || d["status"] != float64(tt.status) ||
				d["request_id"] != x.ID || d["type"] != "about:blank" || d["title"] != http.StatusText(tt.status) {
				t.Errorf("got %d %s", res.StatusCode, body)
			}
			if res.Header.Get("Content-Type") != "application/problem+json" || int64(len(body)) != res.ContentLength {
				t.Errorf("headers %v for %d bytes", res.Header, len(body))
			}
			if strings.Contains(body, "secret") {
				t.Errorf("the cause is shown: %s", body)
			}
			if x.Refusal == nil || x.Refusal.Close != tt.close || (panics == 1) != tt.close {
				t.Errorf("refusal %+v, panics %d", x.Refusal, panics)
			}
		})
	}
}

func TestAbortGoesOn(t *testing.T) {
	defer func() {
		if p := recover(); p != http.ErrAbortHandler { //nolint:errorlint // the very value
			t.Errorf("recovered %v", p)
		}
	}()
	_, _ = New(nil).Handle(mt.Exchange(t, "GET", "https://h/", nil), func(*middleware.Exchange) (*http.Response, error) {
		panic(http.ErrAbortHandler)
	})
}
