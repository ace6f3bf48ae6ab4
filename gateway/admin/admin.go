// Package admin is the listener for operators: health, metrics and
// administration. It is never the one that clients use.
//
// /livez, /readyz and /metrics are open to whoever reaches the address, but for
// pages of other sites in a browser.
// Everything under /admin/ and /debug/pprof/ needs the bearer token or a client
// certificate; where neither is configured it does not exist.
package admin

import (
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"net"
	"net/http"
	"strings"
	"time"

	"github.com/gatehouse-dev/gatehouse/certs"
	"github.com/gatehouse-dev/gatehouse/config"
	"github.com/gatehouse-dev/gatehouse/gateway"
	"github.com/gatehouse-dev/gatehouse/middleware/authn"
)

// Admin serves the admin listener.
type Admin struct {
	g        *gateway.Gateway
	reloader *gateway.Reloader
	metrics  http.Handler
	listener net.Listener
	server   *http.Server
}

// Listen opens the admin listener of the gateway's plan. The error is
// config.Mistakes.
func Listen(g *gateway.Gateway, reloader *gateway.Reloader, metrics http.Handler) (*Admin, error) {
	c := g.Plan().Config()
	l, err := net.Listen("tcp", c.Admin.Address)
	if err != nil {
		return nil, config.Mistakes{c.Mistake("admin.address", "%v", err)}
	}
	a := &Admin{g: g, reloader: reloader, metrics: metrics, listener: l}
	a.server = server(a.routes(), patience)
	a.server.ErrorLog = g.ErrorLog()
	if len(c.Admin.Certificates) > 0 {
		// Those of the plan that is current when an operator connects: an
		// authority that a reload has taken out opens nothing any more.
		a.server.TLSConfig = certs.Listener(func() *certs.Server { return g.Plan().AdminTLS() })
	}
	return a, nil
}

// Address is where the listener listens.
func (a *Admin) Address() net.Addr { return a.listener.Addr() }

// Serve answers until ctx is done. It outlives the public listeners' drain, so
// that readiness can tell of it.
func (a *Admin) Serve(ctx context.Context) error {
	failed := make(chan error, 1)
	go func() {
		if a.server.TLSConfig != nil {
			failed <- a.server.ServeTLS(a.listener, "", "")
			return
		}
		failed <- a.server.Serve(a.listener)
	}()
	select {
	case err := <-failed:
		return err
	case <-ctx.Done():
	}
	stop, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	if err := a.server.Shutdown(stop); err != nil {
		_ = a.server.Close()
	}
	if err := <-failed; !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return nil
}

// patience is how long an operator may take to send a request, and again to take
// the answer.
const patience = 10 * time.Second

// server makes the HTTP server of a handler. Some of what it answers is open to
// whoever reaches it, so nobody may hold a connection, or one of the few
// collections of metrics that may run at once.
func server(h http.Handler, patience time.Duration) *http.Server {
	bounded := func(w http.ResponseWriter, r *http.Request) {
		// Whoever sends a body, which net/http reads to its end before it answers
		// even where nobody else does. Others have no deadline: it would end the
		// request of a profile.
		if r.ContentLength != 0 {
			_ = http.NewResponseController(w).SetReadDeadline(time.Now().Add(patience))
		}
		h.ServeHTTP(w, r)
	}
	return &http.Server{
		Handler: http.HandlerFunc(bounded), ReadHeaderTimeout: patience, IdleTimeout: time.Minute, MaxHeaderBytes: 16 << 10,
		WriteTimeout:                 2 * patience, // pprof adds what a profile takes
		DisableGeneralOptionsHandler: true,
	}
}

func (a *Admin) routes() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /livez", func(w http.ResponseWriter, _ *http.Request) { write(w, http.StatusOK, map[string]bool{"live": true}) })
	mux.HandleFunc("GET /readyz", a.ready)
	mux.Handle("GET /metrics", a.metrics)

	inner := http.NewServeMux()
	inner.HandleFunc("POST /admin/reload", a.reload)
	inner.HandleFunc("GET /admin/reload", func(w http.ResponseWriter, _ *http.Request) { write(w, http.StatusOK, a.reloader.Last()) })
	inner.HandleFunc("GET /admin/explain", a.explain)
	inner.HandleFunc("GET /admin/unclassified", func(w http.ResponseWriter, _ *http.Request) { write(w, http.StatusOK, a.g.Unclassified()) })
	inner.HandleFunc("GET /admin/shadow", a.shadow)
	inner.HandleFunc("GET /admin/limits", a.limits)
	inner.HandleFunc("GET /admin/upstreams", a.upstreams)
	a.orderRoutes(inner)
	inner.Handle("/debug/pprof/", a.profiles())
	mux.Handle("/", a.protected(inner))
	checked := a.sameSite(mux)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("X-Content-Type-Options", "nosniff")
		w.Header().Set("Cache-Control", "no-store")
		checked.ServeHTTP(w, r)
	})
}

// protected lets through who shows the token or a verified client certificate.
// The settings are those of the current plan, so that a token can be changed by
// a reload.
func (a *Admin) protected(inner http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		c := a.g.Plan().Config().Admin
		switch {
		case c.Token == "" && c.ClientCA == "":
			write(w, http.StatusNotFound, map[string]string{"error": "administration is off: neither admin.token nor admin.client_ca is configured"})
		case a.who(r) != "":
			inner.ServeHTTP(w, r)
		default:
			w.Header().Set("WWW-Authenticate", `Bearer realm="gatehouse admin"`)
			write(w, http.StatusUnauthorized, map[string]string{"error": "this needs the admin token or a client certificate"})
		}
	})
}

// who tells who asks, for the record: "admin", which is whoever has the token, or
// "admin NAME" by the client certificate; "" where it is nobody who may.
func (a *Admin) who(r *http.Request) string {
	c := a.g.Plan().Config().Admin
	if c.ClientCA != "" {
		if cert := a.operator(r.TLS); cert != nil {
			return strings.TrimSpace("admin " + cert.Subject.CommonName)
		}
	}
	if c.Token != "" && bearer(r, c.Token.Reveal()) {
		return "admin"
	}
	return ""
}

// operator gives the certificate that the client has shown, nil where the
// authorities of the current plan do not vouch for it: the connection may be
// older.
func (a *Admin) operator(c *tls.ConnectionState) *x509.Certificate {
	s := a.g.Plan().AdminTLS()
	if c == nil || s == nil {
		return nil
	}
	client, err := s.Admit(c, "")
	if err != nil {
		return nil
	}
	return client
}

// bearer compares digests, so that the time it takes tells nothing of the
// token, not even its length.
func bearer(r *http.Request, token string) bool {
	scheme, given, _ := strings.Cut(r.Header.Get("Authorization"), " ")
	want, got := sha256.Sum256([]byte(token)), sha256.Sum256([]byte(given))
	return strings.EqualFold(scheme, "Bearer") && subtle.ConstantTimeCompare(want[:], got[:]) == 1
}

// ready answers 200 where requests can be served. A refused reload does not
// make a gateway unready, since the last good plan serves, but it is told here.
func (a *Admin) ready(w http.ResponseWriter, r *http.Request) {
	conditions := a.g.Plan().Conditions(r.Context())
	last := a.reloader.Last()
	config := gateway.Condition{Name: "config", OK: true}
	if !last.OK {
		config.Detail = "the last reload was refused and the last good plan goes on: " + last.Error
	}
	drain := gateway.Condition{Name: "serving", OK: !a.g.Draining()}
	if !drain.OK {
		drain.Detail = "draining"
	}
	conditions = append(conditions, config, drain)
	ready, status := true, http.StatusOK
	for _, c := range conditions {
		ready = ready && c.OK
	}
	if !ready {
		status = http.StatusServiceUnavailable
	}
	write(w, status, map[string]any{"ready": ready, "conditions": conditions, "policy_revision": a.g.Plan().Revision()})
}

func (a *Admin) reload(w http.ResponseWriter, r *http.Request) {
	control := http.NewResponseController(w)
	_ = control.SetWriteDeadline(time.Time{}) // it takes what it takes
	status := http.StatusOK
	if err := a.reloader.Reload(r.Context()); err != nil {
		status = http.StatusUnprocessableEntity
	}
	_ = control.SetWriteDeadline(time.Now().Add(patience))
	write(w, status, a.reloader.Last())
}

// shadow tells what the policies in the shadow would have done.
func (a *Admin) shadow(w http.ResponseWriter, _ *http.Request) {
	report, ok := a.g.Shadow()
	if !ok {
		write(w, http.StatusNotFound, map[string]string{"error": "no policies are in the shadow: policies.shadow is not configured"})
		return
	}
	write(w, http.StatusOK, report)
}

// explain answers GET /admin/explain?method=GET&url=…&claims=… as the verb does.
func (a *Admin) explain(w http.ResponseWriter, r *http.Request) {
	q := r.URL.Query()
	var claims map[string]any
	if text := q.Get("claims"); text != "" {
		var err error
		if claims, err = authn.Claims([]byte(text)); err != nil {
			write(w, http.StatusBadRequest, map[string]string{"error": "claims: " + err.Error()})
			return
		}
	}
	method := q.Get("method")
	if method == "" {
		method = http.MethodGet
	}
	e, err := a.g.Plan().Explain(method, q.Get("url"), claims, time.Now())
	if err != nil {
		write(w, http.StatusBadRequest, map[string]string{"error": err.Error()})
		return
	}
	write(w, http.StatusOK, e)
}

func write(w http.ResponseWriter, status int, v any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	enc := json.NewEncoder(w)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", "  ")
	_ = enc.Encode(v) // a client that went away
}
