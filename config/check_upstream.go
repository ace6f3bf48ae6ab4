package config

import "net"

func (k *checker) upstreams() {
	for _, name := range names(k, "upstreams", k.c.Upstreams) {
		u, path := k.c.Upstreams[name], join("upstreams", name)
		k.unique(join(path, "endpoints"), u.Endpoints)
		for i, e := range u.Endpoints {
			k.endpoint(index(join(path, "endpoints"), i), e, u.Insecure)
		}
		if u.Health != nil && u.Health.Path != "" && u.Health.Path[0] != '/' {
			k.mistake(join(path, "health.path"), "%q does not begin with /", u.Health.Path)
		}
	}
}

func (k *checker) endpoint(path, text string, insecure bool) {
	u := k.url(path, text)
	switch {
	case u == nil:
	case u.Path != "" && u.Path != "/" || u.RawQuery != "" || u.ForceQuery:
		k.mistake(path, "%q has more than a scheme, a host and a port", text)
	case plain(u) && !insecure && !k.unread(join(parent(parent(path)), "insecure")):
		k.mistake(path, "%q is plain http beyond loopback; use https, or write insecure: true beside endpoints", text)
	}
}

func (k *checker) store() {
	r := k.c.Store.Redis
	if r == nil {
		return
	}
	k.unique("store.redis.addresses", r.Addresses)
	for i, a := range r.Addresses {
		host, port, err := net.SplitHostPort(a)
		if err != nil || !isHost(host) || !isPort(port) || port == "0" {
			k.mistake(index("store.redis.addresses", i), "%q is not an address; write it as host:port, such as 127.0.0.1:6379", a)
		}
	}
	if r.CA != "" && !r.TLS {
		k.mistake("store.redis.ca", "ca needs tls: true")
	}
	if r.Username != "" && r.Password == "" {
		k.mistake("store.redis.username", "username needs a password")
	}
}
