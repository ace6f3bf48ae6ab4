package admin

import (
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"strings"
)

// sameSite lets nothing through that a page of another site may have made an
// operator's browser send: a client certificate goes along with it unasked. On
// loopback the request must name this machine as well. A name of somebody's own
// that he lets point here (DNS rebinding) makes his page one of this site, which
// could then read health and metrics.
func (a *Admin) sameSite(inner http.Handler) http.Handler {
	tcp, ok := a.listener.Addr().(*net.TCPAddr)
	here := ok && tcp.IP.IsLoopback()
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch {
		case here && !loopback(r.Host):
			write(w, http.StatusMisdirectedRequest, map[string]string{"error": "this address is asked for as localhost or by its number"})
		case foreign(r):
			write(w, http.StatusForbidden, map[string]string{"error": "a page of another site may not ask this"})
		default:
			inner.ServeHTTP(w, r)
		}
	})
}

// loopback reports whether the host of a request names this machine.
func loopback(authority string) bool {
	host := authority
	if h, _, err := net.SplitHostPort(authority); err == nil {
		host = h
	} else if strings.HasPrefix(host, "[") && strings.HasSuffix(host, "]") {
		host = host[1 : len(host)-1]
	}
	if strings.EqualFold(host, "localhost") {
		return true
	}
	addr, err := netip.ParseAddr(host)
	return err == nil && addr.Unmap().IsLoopback()
}

// foreign reports whether a browser says that another site asks, by Fetch
// Metadata or by Origin. Other programs send neither.
func foreign(r *http.Request) bool {
	switch r.Header.Get("Sec-Fetch-Site") {
	case "", "none", "same-origin":
	default:
		return true
	}
	for _, origin := range r.Header.Values("Origin") {
		if u, err := url.Parse(origin); err != nil || u.Host == "" || !strings.EqualFold(u.Host, r.Host) {
			return true
		}
	}
	return false
}
