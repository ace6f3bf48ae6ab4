package gateway

import (
	"context"
	"errors"
	"maps"
	"net/http"
	"net/http/httputil"
	"sync"
	"time"

	"github.com/gatehouse-dev/gatehouse/middleware"
)

// reference is the shell made of httputil.ReverseProxy, whose transport is the
// pipeline. It is the measure of what the gateway's own does.
type reference struct {
	g        *Gateway
	listener string
}

func (f reference) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	p := f.g.enter()
	defer f.g.leave(p)
	s := &passage{g: f.g, p: p, in: r, control: *http.NewResponseController(w)}
	s.exchange = middleware.Exchange{
		ID: newID(), Start: time.Now(), Client: clientAddress(r, nil), Listener: f.listener,
		TLS: tlsVersion(r.TLS), Secure: r.TLS != nil, Request: r, Memory: p.memory, Spool: p.spool, Cutter: s,
	}
	s.x = &s.exchange
	defer s.x.Release()
	s.handler = p.handlerFor(s, r, f.listener)
	w.Header()["Content-Type"] = nil
	proxy := httputil.ReverseProxy{
		Rewrite: s.referenceRewrite, Transport: referenceTransport{s},
		ModifyResponse: func(res *http.Response) error {
			if s.closes() {
				res.Header.Set("Connection", "close")
			}
			return nil
		},
		ErrorHandler: func(w http.ResponseWriter, _ *http.Request, err error) {
			if errors.Is(err, context.Canceled) {
				panic(http.ErrAbortHandler)
			}
			w.WriteHeader(http.StatusTeapot) // which no case expects
		},
		ErrorLog: p.errorLog,
	}
	proxy.ServeHTTP(w, r)
}

func (s *passage) referenceRewrite(pr *httputil.ProxyRequest) {
	out, x := pr.Out, s.x
	out.Trailer = nil
	out.Header.Set("X-Request-Id", x.ID)
	version := map[string]string{"HTTP/1.0": "1.0", "HTTP/1.1": "1.1", "HTTP/2.0": "2"}[s.in.Proto]
	out.Header.Add("Via", version+" "+s.g.mark.name)
	if s.in.Host != "" {
		out.Header.Set("X-Forwarded-Host", s.in.Host)
	}
	out.Header.Set("X-Forwarded-Proto", "https")
	if x.TLS == "" {
		out.Header.Set("X-Forwarded-Proto", "http")
	}
	if x.Client.IsValid() {
		out.Header.Set("X-Forwarded-For", x.Client.String())
	}
	if s.escaped != "" {
		out.URL.Path, out.URL.RawPath = x.Forward, s.escaped
	}
	out.URL.Scheme, out.URL.Host, out.URL.User, out.URL.Fragment = "http", s.in.Host, nil, ""
	out.URL.RawQuery = s.in.URL.RawQuery
}

type referenceTransport struct{ s *passage }

func (f referenceTransport) RoundTrip(out *http.Request) (*http.Response, error) {
	ctx, _ := f.s.p.tracing.Start(f.s.in.Context(), f.s.in.Header, "reference")
	f.s.x.Request = out.WithContext(ctx)
	f.s.p.tracing.Inject(ctx, f.s.x.Request.Header)
	return f.s.handler(f.s.x)
}

// adopting is a ResponseWriter that takes the header of an answer as it is.
type adopting struct {
	http.ResponseWriter
	h http.Header
}

func (a *adopting) Adopt(h http.Header)         { a.h = h }
func (a *adopting) Header() http.Header         { return a.h }
func (a *adopting) Unwrap() http.ResponseWriter { return a.ResponseWriter }

func (a *adopting) WriteHeader(status int) {
	maps.Copy(a.ResponseWriter.Header(), a.h)
	a.ResponseWriter.WriteHeader(status)
}

// adopts serves h with such writers.
func adopts(h http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		a := &adopting{ResponseWriter: w, h: http.Header{}}
		h.ServeHTTP(a, r)
		maps.Copy(w.Header(), a.h) // the trailers are in it by now
	})
}

// shells gives servers of net/http that differ in their shells alone: the
// gateway's own, the same with writers that adopt, and the reference.
func (w *world) shells(listener string) (own, adopting, standard *http.Server, closed func()) {
	var wg sync.WaitGroup
	serve := func(h http.Handler) *http.Server {
		srv := &http.Server{Handler: h, Addr: "127.0.0.1:0", ErrorLog: w.g.ErrorLog(), DisableGeneralOptionsHandler: true}
		if listener == "public" {
			srv.TLSConfig = w.g.tls(listener)
		}
		ln := listenAt(w.t, srv)
		wg.Go(func() {
			if srv.TLSConfig != nil {
				_ = srv.ServeTLS(ln, "", "")
				return
			}
			_ = srv.Serve(ln)
		})
		return srv
	}
	own, adopting, standard = serve(w.g.Handler(listener)), serve(adopts(w.g.Handler(listener))), serve(reference{w.g, listener})
	return own, adopting, standard, func() {
		_, _, _ = own.Close(), adopting.Close(), standard.Close()
		wg.Wait()
	}
}
