package config

import "testing"

func TestNearest(t *testing.T) {
	known := []string{"rate_limits", "routes", "hr", "warn", "GET", "auth-service"}
	for word, want := range map[string]string{
		"rote_limits":  "rate_limits",
		"ratelimits":   "rate_limits",
		"rate-limits":  "rate_limits",
		"ruotes":       "routes", // two neighbours swapped
		"rh":           "hr",
		"warning":      "warn",
		"get":          "GET",
		"auth_service": "auth-service",
		"":             "",
		"x":            "",
		"wibble":       "",
	} {
		if got := nearest(word, known); got != want {
			t.Errorf("nearest to %q is %q, want %q", word, got, want)
		}
	}
}

func TestDistance(t *testing.T) {
	for _, c := range []struct {
		a, b string
		want int
	}{
		{"", "", 0},
		{"", "abc", 3},
		{"abc", "", 3},
		{"abc", "abc", 0},
		{"abc", "acb", 1},
		{"abc", "abcd", 1},
		{"kitten", "sitting", 3},
	} {
		if got := distance([]rune(c.a), []rune(c.b)); got != c.want {
			t.Errorf("%q to %q: %d, want %d", c.a, c.b, got, c.want)
		}
	}
}
