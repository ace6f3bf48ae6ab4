package config

import (
	"net"
	"net/netip"
	"net/url"
	"strconv"
	"strings"
)

// address checks a host:port to listen on, and tells whether it can be reached
// from this machine only. What it cannot read it takes to be reachable.
func (k *checker) address(path, address string) (loopback, ok bool) {
	host, port, err := net.SplitHostPort(address)
	if err != nil || !isPort(port) || host != "" && !isHost(host) {
		k.mistake(path, "%q is not an address; write it as host:port, such as 127.0.0.1:8080 or :8443", address)
		return false, false
	}
	return isLoopback(host), true
}

// isPort accepts 0 too, which is any free port.
func isPort(s string) bool {
	n, err := strconv.ParseUint(s, 10, 16)
	return err == nil && strconv.FormatUint(n, 10) == s
}

// isLoopback tells whether a host is this machine. Names other than localhost
// can be made to point anywhere.
func isLoopback(host string) bool {
	if host == "localhost" {
		return true
	}
	a, err := netip.ParseAddr(host)
	return err == nil && a.Unmap().IsLoopback()
}

// isHost accepts an IP address or a host name (RFC 1123, with _).
func isHost(s string) bool {
	if _, err := netip.ParseAddr(s); err == nil {
		return true
	}
	for label := range strings.SplitSeq(s, ".") {
		if label == "" || len(label) > 63 || label[0] == '-' || label[len(label)-1] == '-' {
			return false
		}
		for _, r := range label {
			alnum := 'a' <= r && r <= 'z' || 'A' <= r && r <= 'Z' || '0' <= r && r <= '9'
			if !alnum && r != '-' && r != '_' {
				return false
			}
		}
	}
	return len(s) <= 253
}

// url checks an absolute http or https URL without credentials. It gives nil
// where there is none.
func (k *checker) url(path, text string) *url.URL {
	u, err := url.Parse(text)
	switch {
	case err != nil || u.Scheme != "https" && u.Scheme != "http" || !isHost(u.Hostname()) ||
		u.Port() != "" && (!isPort(u.Port()) || u.Port() == "0") || strings.HasSuffix(u.Host, ":"):
		k.mistake(path, "%q is not a URL; write it like https://host:port", redact(text, u))
	case u.User != nil:
		k.mistake(path, "credentials do not belong into a URL")
	case u.Fragment != "":
		k.mistake(path, "%q has a fragment, which is never sent", text)
	default:
		return u
	}
	return nil
}

// redact gives a text that may be printed: not what looks like credentials.
func redact(text string, u *url.URL) string {
	if u != nil && u.User != nil || u == nil && strings.Contains(text, "@") {
		return "***"
	}
	return text
}

// plain tells whether what is sent to u could be read on the way.
func plain(u *url.URL) bool { return u.Scheme == "http" && !isLoopback(u.Hostname()) }
