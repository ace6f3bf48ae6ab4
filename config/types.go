package config

import (
	"encoding"
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"
)

// Duration is a time span as Go writes it: 250ms, 10s, 1h30m. It is never
// negative.
type Duration time.Duration

// D gives the duration as the standard library's type.
func (d Duration) D() time.Duration { return time.Duration(d) }

func (d Duration) String() string { return time.Duration(d).String() }

// MarshalText writes the duration as Go does.
func (d Duration) MarshalText() ([]byte, error) { return []byte(d.String()), nil }

// UnmarshalText reads a duration such as 10s.
func (d *Duration) UnmarshalText(b []byte) error {
	v, err := time.ParseDuration(string(b))
	if err != nil || v < 0 {
		return fmt.Errorf("%q is not a duration; write it like 250ms, 10s or 1h30m", b)
	}
	*d = Duration(v)
	return nil
}

// Size is a number of bytes: 512, 32KiB, 10MiB, 1GiB, or with KB, MB, GB in
// powers of ten.
type Size int64

func units() []struct {
	name string
	n    int64
} {
	return []struct {
		name string
		n    int64
	}{
		{"GiB", 1 << 30},
		{"MiB", 1 << 20},
		{"KiB", 1 << 10},
		{"GB", 1e9},
		{"MB", 1e6},
		{"KB", 1e3},
		{"B", 1},
		{"", 1},
	}
}

func (s Size) String() string {
	for _, u := range units()[:3] {
		if s != 0 && int64(s)%u.n == 0 {
			return strconv.FormatInt(int64(s)/u.n, 10) + u.name
		}
	}
	return strconv.FormatInt(int64(s), 10)
}

// MarshalText writes the size with the largest binary unit that fits.
func (s Size) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// UnmarshalText reads a size such as 10MiB.
func (s *Size) UnmarshalText(b []byte) error {
	in := strings.TrimSpace(string(b))
	for _, u := range units() {
		digits, ok := strings.CutSuffix(in, u.name)
		if !ok {
			continue
		}
		n, err := strconv.ParseInt(strings.TrimSpace(digits), 10, 64)
		if err != nil || n < 0 || n > math.MaxInt64/u.n {
			break
		}
		*s = Size(n * u.n)
		return nil
	}
	return fmt.Errorf("%q is not a size; write it like 512, 32KiB or 10MiB", b)
}

// Secret is a value that must not be seen: it prints as *** everywhere.
type Secret string

// Reveal gives the secret itself, to the one place that needs it.
func (s Secret) Reveal() string { return string(s) }

func (s Secret) String() string {
	if s == "" {
		return ""
	}
	return "***"
}

// GoString hides the secret from %#v.
func (s Secret) GoString() string { return `"` + s.String() + `"` }

// MarshalText hides the secret from JSON and YAML.
func (s Secret) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// Rate is so many per time: 100/1m.
type Rate struct {
	Count int64
	Per   time.Duration
}

func (r Rate) String() string {
	if r.Count == 0 {
		return ""
	}
	per := r.Per.String()
	for _, z := range []string{"m0s", "h0m"} {
		if strings.HasSuffix(per, z) {
			per = per[:len(per)-2]
		}
	}
	return strconv.FormatInt(r.Count, 10) + "/" + per
}

// MarshalText writes the rate as 100/1m.
func (r Rate) MarshalText() ([]byte, error) { return []byte(r.String()), nil }

// UnmarshalText reads a rate such as 100/1m; a bare unit is one of it: 5/s.
func (r *Rate) UnmarshalText(b []byte) error {
	count, per, ok := strings.Cut(string(b), "/")
	n, err := strconv.ParseInt(count, 10, 64)
	if per == "s" || per == "m" || per == "h" {
		per = "1" + per
	}
	d, derr := time.ParseDuration(per)
	if !ok || err != nil || derr != nil || n < 1 || d <= 0 {
		return fmt.Errorf("%q is not a rate; write it like 100/1m", b)
	}
	*r = Rate{Count: n, Per: d}
	return nil
}

var (
	_ encoding.TextUnmarshaler = (*Duration)(nil)
	_ encoding.TextUnmarshaler = (*Size)(nil)
	_ encoding.TextUnmarshaler = (*Rate)(nil)
	_ fmt.GoStringer           = Secret("")
)
