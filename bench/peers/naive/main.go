// Command naive is the standard library's reverse proxy with the libraries that
// the gateway is built on too, used as their documentation shows it: a token is
// parsed and verified each time, the policy is evaluated on a Go map, and an
// answer is masked by decoding and encoding it. It stands for the gateways
// written in Go that cannot be installed for a measurement.
package main

import (
	"context"
	"crypto/tls"
	"flag"
	"io"
	"log"
	"log/slog"
	"net/http"
	"net/http/httputil"
	"net/url"
	"os"
	"time"
)

// options are the command line.
type options struct {
	listen, upstream, cert, key        string
	issuer, audience, public, policies string
	jwt, rate, policy, mask            bool
	audit                              string
}

func main() {
	var o options
	flag.StringVar(&o.listen, "listen", "", "address")
	flag.StringVar(&o.upstream, "upstream", "", "address of the backend")
	flag.StringVar(&o.cert, "cert", "", "certificate (PEM); empty: plain HTTP")
	flag.StringVar(&o.key, "key", "", "its key")
	flag.StringVar(&o.issuer, "issuer", "", "the tokens' issuer")
	flag.StringVar(&o.audience, "audience", "", "the tokens' audience")
	flag.StringVar(&o.public, "public", "", "the key that tokens are signed with (PEM)")
	flag.StringVar(&o.policies, "policies", "", "folder of Rego and data")
	flag.BoolVar(&o.jwt, "jwt", false, "want a token")
	flag.BoolVar(&o.rate, "rate", false, "limit by address")
	flag.BoolVar(&o.policy, "policy", false, "ask the policies")
	flag.BoolVar(&o.mask, "mask", false, "mask answers")
	flag.StringVar(&o.audit, "audit", "", "file for a line for each request")
	flag.Parse()
	if err := serve(context.Background(), o); err != nil {
		log.New(os.Stderr, "", 0).Fatal(err)
	}
}

// asked is what the steps know of a request.
type asked struct {
	subject map[string]any
	masks   []string
}

type askedKey struct{}

func of(r *http.Request) *asked {
	a, _ := r.Context().Value(askedKey{}).(*asked)
	return a
}

func serve(ctx context.Context, o options) error {
	quiet := log.New(io.Discard, "", 0)
	var handler http.Handler = &httputil.ReverseProxy{
		Rewrite: func(r *httputil.ProxyRequest) {
			r.SetURL(&url.URL{Scheme: "http", Host: o.upstream})
			r.SetXForwarded()
		},
		// Without this there would be a new connection for nearly every request,
		// and little else to be seen.
		Transport:      &http.Transport{MaxIdleConns: 20_000, MaxIdleConnsPerHost: 20_000, DisableCompression: true},
		ModifyResponse: maskBody, ErrorLog: quiet,
	}
	steps, err := steps(ctx, o)
	if err != nil {
		return err
	}
	for _, step := range steps {
		handler = step(handler)
	}
	begin := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		handler.ServeHTTP(w, r.WithContext(context.WithValue(r.Context(), askedKey{}, &asked{})))
	})
	srv := &http.Server{
		Addr: o.listen, Handler: begin, ReadHeaderTimeout: 10 * time.Second, ErrorLog: quiet, TLSConfig: &tls.Config{MinVersion: tls.VersionTLS13},
	}
	if o.cert == "" {
		return srv.ListenAndServe()
	}
	return srv.ListenAndServeTLS(o.cert, o.key)
}

type step func(http.Handler) http.Handler

// steps are the ones that are asked for, the innermost first.
func steps(ctx context.Context, o options) ([]step, error) {
	var out []step
	if o.policy || o.mask {
		s, err := decide(ctx, o)
		if err != nil {
			return nil, err
		}
		out = append(out, s)
	}
	if o.jwt {
		s, err := authenticate(o)
		if err != nil {
			return nil, err
		}
		out = append(out, s)
	}
	if o.rate {
		out = append(out, limit())
	}
	if o.audit != "" {
		f, err := os.OpenFile(o.audit, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
		if err != nil {
			return nil, err
		}
		out = append(out, record(slog.New(slog.NewJSONHandler(f, nil))))
	}
	return out, nil
}

// record writes a line for each request.
func record(l *slog.Logger) step {
	return func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			begin := time.Now()
			next.ServeHTTP(w, r)
			subject := of(r).subject
			l.Info("request", "method", r.Method, "path", r.URL.Path, "client", r.RemoteAddr, "seconds", time.Since(begin).Seconds(),
				"subject", subject["id"], "role", subject["role"])
		})
	}
}
