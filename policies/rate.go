package policies

import (
	"fmt"
	"strconv"
	"strings"
	"time"
)

// Rate is so many requests per time, as a policy gives it to a caller: the text
// 50/1m, or 5/s for five in one second. Two texts that mean the same are the
// same Rate.
type Rate struct {
	Count int64
	Per   time.Duration
}

// ParseRate reads a rate. The time is between a millisecond, below which nobody
// can count, and a year.
func ParseRate(text string) (Rate, error) {
	count, per, ok := strings.Cut(text, "/")
	n, err := strconv.ParseInt(count, 10, 64)
	if per == "s" || per == "m" || per == "h" {
		per = "1" + per
	}
	d, derr := time.ParseDuration(per)
	switch {
	case !ok || err != nil || derr != nil || n < 1:
		return Rate{}, fmt.Errorf("%q is not a rate; write it like 50/1m", text)
	case d < time.Millisecond || d > 366*24*time.Hour:
		return Rate{}, fmt.Errorf("rate %q: the time must be between 1ms and a year", text)
	case n > int64(d):
		return Rate{}, fmt.Errorf("rate %q is more than one in a nanosecond", text)
	}
	return Rate{Count: n, Per: d}, nil
}

// String writes the rate as 50/1m.
func (r Rate) String() string {
	per := r.Per.String()
	for _, z := range []string{"m0s", "h0m"} {
		if strings.HasSuffix(per, z) {
			per = per[:len(per)-2]
		}
	}
	return strconv.FormatInt(r.Count, 10) + "/" + per
}

// MarshalText writes the rate as 50/1m.
func (r Rate) MarshalText() ([]byte, error) { return []byte(r.String()), nil }

// UnmarshalText reads a rate.
func (r *Rate) UnmarshalText(text []byte) (err error) {
	*r, err = ParseRate(string(text))
	return err
}

// More compares two rates: above 0 where r gives more in the long run than
// other, below 0 where it gives less.
func (r Rate) More(other Rate) int {
	a, b := float64(r.Count)/float64(max(r.Per, 1)), float64(other.Count)/float64(max(other.Per, 1))
	switch {
	case a > b:
		return 1
	case a < b:
		return -1
	}
	return 0
}
