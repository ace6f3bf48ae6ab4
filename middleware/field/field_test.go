package field

import (
	"strings"
	"testing"

	"golang.org/x/net/http/httpguts"
)

func TestValidName(t *testing.T) {
	for s, want := range map[string]bool{
		"": false, "X-A": true, "x_a.b!#$%&'*+^`|~9": true, "X A": false, "X-A ": false, "X:A": false,
		"X\r\nA": false, "X\x00": false, "X\x7f": false, "Ä": false, `X"`: false, "X(": false,
	} {
		if got := ValidName(s); got != want {
			t.Errorf("%q: got %v", s, got)
		}
	}
}

func TestValidValue(t *testing.T) {
	for s, want := range map[string]bool{
		"": true, "a b\tc": true, "é\xff": true, "a\r\nb": false, "a\nb": false, "a\rb": false, "a\x00": false, "\x1b[0m": false, "\x7f": false,
	} {
		if got := ValidValue(s); got != want {
			t.Errorf("%q: got %v", s, got)
		}
	}
}

// Each byte is judged as the library of Go does, wherever in a text it stands.
func TestEveryByte(t *testing.T) {
	for i := range 256 {
		c := string([]byte{byte(i)})
		if got, want := ValidName(c), httpguts.ValidHeaderFieldName(c); got != want {
			t.Errorf("name %q: got %v", c, got)
		}
		for at := range 20 {
			name := strings.Repeat("a", at) + c + strings.Repeat("z", 19-at)
			if got, want := ValidName(name), httpguts.ValidHeaderFieldName(name); got != want {
				t.Errorf("name %q: got %v", name, got)
			}
			value := strings.Repeat("\xff", at) + c + strings.Repeat("\t", 19-at)
			if got, want := ValidValue(value), httpguts.ValidHeaderFieldValue(value); got != want {
				t.Errorf("value %q: got %v", value, got)
			}
			value = strings.Repeat(" ", at) + c + strings.Repeat("~", 19-at)
			if got, want := ValidValue(value), httpguts.ValidHeaderFieldValue(value); got != want {
				t.Errorf("value %q: got %v", value, got)
			}
		}
	}
}
