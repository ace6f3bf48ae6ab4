package config

import (
	"encoding/base64"
	"maps"
	"net"
	"net/url"
	"slices"
	"strings"
)

// alerts checks the sinks. Their names are one set: metrics and the command know
// a sink by its name alone.
func (k *checker) alerts() {
	taken := map[string]string{}
	distinct := func(section string, list []string) {
		for _, name := range list {
			if name == "none" {
				k.mistake(join(section, name), "none stands for no sink in metrics; take another name")
			}
			if first := taken[name]; first != "" {
				k.mistake(join(section, name), "%q is the name of a sink in %s already", name, first)
			}
			taken[name] = section
		}
	}
	c := &k.c.Alerts
	distinct("alerts.log", names(k, "alerts.log", c.Log))
	distinct("alerts.webhook", names(k, "alerts.webhook", c.Webhook))
	distinct("alerts.slack", names(k, "alerts.slack", c.Slack))
	distinct("alerts.syslog", names(k, "alerts.syslog", c.Syslog))
	for _, name := range slices.Sorted(maps.Keys(c.Log)) {
		k.unique(join("alerts.log", name)+".classes", c.Log[name].Classes)
	}
	for _, name := range slices.Sorted(maps.Keys(c.Webhook)) {
		w, at := c.Webhook[name], join("alerts.webhook", name)
		k.unique(join(at, "classes"), w.Classes)
		k.receiver(at, w.URL, w.CA, w.Insecure)
		k.signing(join(at, "secret"), w.Secret)
		k.signing(join(at, "old_secret"), w.OldSecret)
	}
	for _, name := range slices.Sorted(maps.Keys(c.Slack)) {
		s, at := c.Slack[name], join("alerts.slack", name)
		k.unique(join(at, "classes"), s.Classes)
		k.receiver(at, s.URL, s.CA, s.Insecure)
	}
	for _, name := range slices.Sorted(maps.Keys(c.Syslog)) {
		k.syslog(c.Syslog[name], join("alerts.syslog", name))
	}
}

// receiver checks where events are posted to. What stands in the URL is not told:
// with some services it is all that keeps others from posting there.
func (k *checker) receiver(path string, secret Secret, ca string, insecure bool) {
	if secret == "" {
		return
	}
	at := join(path, "url")
	u, err := url.Parse(secret.Reveal())
	switch {
	case err != nil || u.Scheme != "https" && u.Scheme != "http" || !isHost(u.Hostname()) ||
		u.Port() != "" && (!isPort(u.Port()) || u.Port() == "0") || strings.HasSuffix(u.Host, ":"):
		k.mistake(at, "this is not a URL; write it like https://host/path")
		return
	case u.User != nil:
		k.mistake(at, "credentials do not belong into a URL")
	case u.Fragment != "":
		k.mistake(at, "the URL has a fragment, which is never sent")
	case plain(u) && !insecure:
		k.mistake(at, "what is sent there could be read on the way; use https, or allow it with insecure: true")
	}
	if ca != "" && u.Scheme == "http" {
		k.mistake(join(path, "ca"), "the URL is plain http, so there is nothing to vouch for")
	}
}

// signing checks a secret of Standard Webhooks.
func (k *checker) signing(path string, secret Secret) {
	if secret == "" {
		return
	}
	text, ok := strings.CutPrefix(secret.Reveal(), "whsec_")
	key, err := base64.StdEncoding.DecodeString(text)
	if !ok || err != nil || len(key) < 24 || len(key) > 64 {
		k.mistake(path, `a secret is whsec_ and 24 to 64 random bytes in base64; make one with: echo "whsec_$(openssl rand -base64 32)"`)
	}
}

func (k *checker) syslog(s *AlertSyslog, path string) {
	k.unique(join(path, "classes"), s.Classes)
	host, port, err := net.SplitHostPort(s.Address)
	if s.Address != "" && (err != nil || !isPort(port) || port == "0" || !isHost(host)) {
		k.mistake(join(path, "address"), "%q is not an address; write it as host:port, such as siem.example.com:6514", s.Address)
	}
	if s.ServerName != "" && !isHost(s.ServerName) {
		k.mistake(join(path, "server_name"), "%q is not a host name", s.ServerName)
	}
	if s.Hostname != "" && (!isHost(s.Hostname)) {
		k.mistake(join(path, "hostname"), "%q is not a host name", s.Hostname)
	}
	if !s.Plain {
		return
	}
	if err == nil && !isLoopback(host) && !s.Insecure {
		k.mistake(join(path, "plain"), "what is sent there could be read on the way; use TLS, or allow it with insecure: true")
	}
	for key, given := range map[string]bool{"ca": s.CA != "", "server_name": s.ServerName != "", "client_certificate": s.ClientCertificate != nil} {
		if given {
			k.mistake(join(path, key), "%s is for TLS, and this is plain TCP", key)
		}
	}
}
