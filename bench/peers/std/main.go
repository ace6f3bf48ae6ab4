// Command std is the reverse proxy of the standard library as one would write it
// for production: pooled buffers, as many idle connections to the backend as
// there are clients, nothing compressed. It logs nothing.
package main

import (
	"crypto/tls"
	"flag"
	"io"
	"log"
	"net/http"
	"net/http/httputil"
	"net/url"
	"os"
	"sync"
	"time"
)

func main() {
	listen := flag.String("listen", "", "address")
	upstream := flag.String("upstream", "", "address of the backend")
	cert := flag.String("cert", "", "certificate (PEM); empty: plain HTTP")
	key := flag.String("key", "", "its key")
	flag.Parse()
	srv := &http.Server{
		Addr: *listen, ReadHeaderTimeout: 10 * time.Second, IdleTimeout: time.Minute, ErrorLog: log.New(io.Discard, "", 0),
		TLSConfig: &tls.Config{MinVersion: tls.VersionTLS13},
		Handler: &httputil.ReverseProxy{
			Rewrite: func(r *httputil.ProxyRequest) {
				r.SetURL(&url.URL{Scheme: "http", Host: *upstream})
				r.SetXForwarded()
			},
			Transport:  &http.Transport{MaxIdleConns: 20_000, MaxIdleConnsPerHost: 20_000, DisableCompression: true},
			BufferPool: &buffers{}, ErrorLog: log.New(io.Discard, "", 0),
		},
	}
	if err := serve(srv, *cert, *key); err != nil {
		log.SetOutput(os.Stderr)
		log.Fatal(err)
	}
}

func serve(srv *http.Server, cert, key string) error {
	if cert == "" {
		return srv.ListenAndServe()
	}
	return srv.ListenAndServeTLS(cert, key)
}

type buffers struct{ pool sync.Pool }

func (b *buffers) Get() []byte {
	if p, ok := b.pool.Get().(*[]byte); ok {
		return *p
	}
	return make([]byte, 32<<10)
}

func (b *buffers) Put(p []byte) { b.pool.Put(&p) }
