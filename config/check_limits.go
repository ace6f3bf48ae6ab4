package config

// The most that limits may say. What is more is no bound any more: a client
// could make the gateway hold or do as much, for every connection that it has.
const (
	mostHeaderBytes  Size = 1 << 20
	mostHeaderFields      = 10000
	mostCookies           = 3000 // net/http reads no more
	mostStreams           = 10000
)

// limits checks what is bounded for the whole gateway.
func (k *checker) limits() {
	l := k.c.Limits
	if l.HeaderBytes > mostHeaderBytes {
		k.mistake("limits.header_bytes", "header_bytes must be at most %s", mostHeaderBytes)
	}
	for _, c := range []struct {
		key         string
		value, most int
	}{
		{"header_fields", l.HeaderFields, mostHeaderFields},
		{"cookies", l.Cookies, mostCookies},
		{"streams", l.Streams, mostStreams},
	} {
		if c.value > c.most {
			k.mistake(join("limits", c.key), "%s must be at most %d", c.key, c.most)
		}
	}
}
