package policies

import "testing"

func TestParseRate(t *testing.T) {
	for text, want := range map[string]string{
		"50/1m": "50/1m", "50/60s": "50/1m", "5/s": "5/1s", "5/h": "5/1h", "1/8784h": "1/8784h", "7/1ms": "7/1ms", "9/1h30m": "9/1h30m",
		"": "", "50": "", "50/": "", "/1m": "", "0/1m": "", "-1/1m": "", "1.5/1m": "", "5/-1m": "", "5/0s": "", "5/1us": "", "5/8785h": "", "5/1d": "",
		" 5/1m": "", "1000001/1ms": "", "99999999999999999999/1m": "",
	} {
		r, err := ParseRate(text)
		if got := r.String(); err == nil && got != want || (err != nil) != (want == "") {
			t.Errorf("%q: %q, %v, want %q", text, got, err, want)
		}
		var again Rate
		if err == nil && (again.UnmarshalText([]byte(r.String())) != nil || again != r) {
			t.Errorf("%q: %v read again is %v", text, r, again)
		}
	}
}

func TestMore(t *testing.T) {
	for _, tt := range []struct {
		a, b string
		want int
	}{{"60/1m", "1/1s", 0}, {"61/1m", "1/1s", 1}, {"1/1h", "1/1m", -1}} {
		a, _ := ParseRate(tt.a)
		b, _ := ParseRate(tt.b)
		if got := a.More(b); got != tt.want || b.More(a) != -tt.want {
			t.Errorf("%s and %s: %d", tt.a, tt.b, got)
		}
	}
}
