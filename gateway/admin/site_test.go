package admin

import (
	"net/http"
	"testing"
)

func TestPagesOfOtherSites(t *testing.T) {
	w := start(t, `{address: "127.0.0.1:0", token: `+token+`}`, fine, keys)
	for _, c := range []struct {
		host, name, value string
		want              int
	}{
		{"", "", "", 200},
		{"localhost:9901", "", "", 200},
		{"[::1]:9901", "", "", 200},
		{"::1", "", "", 200},
		{"", "Sec-Fetch-Site", "none", 200},
		{"", "Sec-Fetch-Site", "same-origin", 200},
		{"localhost", "Origin", "http://localhost", 200},
		{"evil.example", "", "", 421},
		{"localhost.evil.example", "", "", 421},
		{"10.0.0.1", "", "", 421},
		{"", "Sec-Fetch-Site", "cross-site", 403},
		{"", "Sec-Fetch-Site", "same-site", 403},
		{"localhost", "Origin", "http://localhost:3000", 403},
		{"", "Origin", "null", 403},
		{"", "Origin", "https://evil.example", 403},
	} {
		for _, target := range []string{"/livez", "/admin/reload"} {
			r, err := http.NewRequestWithContext(t.Context(), "GET", w.admin+target, nil)
			if err != nil {
				t.Fatal(err)
			}
			r.Header.Set("Authorization", "Bearer "+token)
			if c.host != "" {
				r.Host = c.host
			}
			if c.name != "" {
				r.Header.Set(c.name, c.value)
			}
			res, err := w.client.Do(r)
			if err != nil {
				t.Fatal(err)
			}
			_ = res.Body.Close()
			if res.StatusCode != c.want {
				t.Errorf("%s as %q with %s: %s: %d, want %d", target, c.host, c.name, c.value, res.StatusCode, c.want)
			}
		}
	}
}
