package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"mime"
	"net/http"
	"os"
	"strconv"
	"strings"

	"github.com/lestrrat-go/jwx/v2/jwa"
	"github.com/lestrrat-go/jwx/v2/jwk"
	"github.com/lestrrat-go/jwx/v2/jwt"
	"github.com/open-policy-agent/opa/v1/rego"
	"github.com/ulule/limiter/v3"
	"github.com/ulule/limiter/v3/drivers/middleware/stdlib"
	"github.com/ulule/limiter/v3/drivers/store/memory"
)

// authenticate verifies a token with jwt.Parse.
func authenticate(o options) (step, error) {
	text, err := os.ReadFile(o.public)
	if err != nil {
		return nil, err
	}
	key, err := jwk.ParseKey(text, jwk.WithPEM(true))
	if err != nil {
		return nil, err
	}
	return func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			text, _ := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
			token, err := jwt.Parse([]byte(text), jwt.WithKey(jwa.RS256, key), jwt.WithIssuer(o.issuer), jwt.WithAudience(o.audience))
			if err != nil {
				http.Error(w, "a token is wanted", http.StatusUnauthorized)
				return
			}
			subject := map[string]any{"id": token.Subject()}
			for _, name := range []string{"role", "tenant", "branch", "amr"} {
				if v, ok := token.Get(name); ok {
					subject[name] = v
				}
			}
			of(r).subject = subject
			next.ServeHTTP(w, r)
		})
	}, nil
}

// limit counts by address, as the gateway does: a wide limit, and a narrow one
// under /limited/.
func limit() step {
	rates := func(count int64) *stdlib.Middleware {
		return stdlib.NewMiddleware(limiter.New(memory.NewStore(), limiter.Rate{Period: 60e9, Limit: count}))
	}
	wide, narrow := rates(1_000_000_000), rates(5)
	return func(next http.Handler) http.Handler {
		w, n := wide.Handler(next), narrow.Handler(next)
		return http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
			if strings.HasPrefix(r.URL.Path, "/limited/") {
				n.ServeHTTP(rw, r)
				return
			}
			w.ServeHTTP(rw, r)
		})
	}
}

// routeOf is the name that the policies know a path by.
func routeOf(path string, open bool) string {
	switch {
	case open:
		return "open"
	case strings.HasPrefix(path, "/employees/"):
		return "employees"
	case strings.HasPrefix(path, "/limited/"):
		return "documents"
	}
	return "files"
}

// decide evaluates the policies with the whole question as a map.
func decide(ctx context.Context, o options) (step, error) {
	query, err := rego.New(rego.Query("decision := data.gatehouse"), rego.Load([]string{o.policies}, nil)).PrepareForEval(ctx)
	if err != nil {
		return nil, err
	}
	return func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			a := of(r)
			results, err := query.Eval(r.Context(), rego.EvalInput(question(r, a, !o.jwt)))
			decision, ok := map[string]any{}, false
			if err == nil && len(results) == 1 {
				decision, ok = results[0].Bindings["decision"].(map[string]any)
			}
			objections, _ := decision["deny"].([]any)
			if allow, _ := decision["allow"].(bool); !ok || !allow || len(objections) > 0 {
				http.Error(w, "the policy says no", http.StatusForbidden)
				return
			}
			masks, _ := decision["mask"].([]any)
			for _, m := range masks {
				entry, _ := m.(map[string]any)
				a.masks = append(a.masks, fmt.Sprint(entry["path"]))
			}
			next.ServeHTTP(w, r)
		})
	}, nil
}

func question(r *http.Request, a *asked, open bool) map[string]any {
	q := map[string]any{
		"action":   map[string]any{"method": r.Method},
		"resource": map[string]any{"route": routeOf(r.URL.Path, open), "path": r.URL.Path, "host": r.Host},
		"context":  map[string]any{"client_address": r.RemoteAddr},
	}
	if a.subject != nil {
		q["subject"] = a.subject
	}
	return q
}

// maskBody decodes the answer, takes out what is masked and encodes it again.
func maskBody(res *http.Response) error {
	masks := of(res.Request).masks
	if kind, _, _ := mime.ParseMediaType(res.Header.Get("Content-Type")); len(masks) == 0 || kind != "application/json" {
		return nil
	}
	text, err := io.ReadAll(res.Body)
	_ = res.Body.Close()
	if err != nil {
		return err
	}
	var v any
	if err := json.Unmarshal(text, &v); err != nil {
		return err
	}
	for _, path := range masks {
		drop(v, strings.Split(strings.TrimPrefix(path, "$."), "."))
	}
	if text, err = json.Marshal(v); err != nil {
		return err
	}
	res.Body = io.NopCloser(bytes.NewReader(text))
	res.ContentLength = int64(len(text))
	res.Header.Set("Content-Length", strconv.Itoa(len(text)))
	return nil
}

// drop takes the value at a path out of v. A name that ends in [*] is a list.
func drop(v any, path []string) {
	object, ok := v.(map[string]any)
	if !ok {
		return
	}
	name, list := strings.CutSuffix(path[0], "[*]")
	switch {
	case list:
		items, _ := object[name].([]any)
		for _, item := range items {
			drop(item, path[1:])
		}
	case len(path) == 1:
		delete(object, name)
	default:
		drop(object[name], path[1:])
	}
}
