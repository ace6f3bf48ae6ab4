package detect

import (
	"bytes"
	"testing"
	"time"
	"unicode/utf8"
)

// BenchmarkClass tells for values as answers have them what a look costs, and
// as ratios what utf8.Valid and bytes.IndexByte cost on the same text.
func BenchmarkClass(b *testing.B) {
	texts := []struct{ name, text string }{
		{"word", "Engineer"},
		{"name", "Ada Lovelace-Byron"},
		{"time", "2024-05-17T10:00:00Z"},
		{"uuid", "550e8400-e29b-41d4-a716-446655440000"},
		{"hash", "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"},
		{"sentence", "a longer text, as people write them into such fields, of one line"},
		{"email", "ada.lovelace@example.com"},
		{"phone", "+44 20 7946 0958"},
		{"card", "4111 1111 1111 1111"},
		{"iban", "GB29NWBK60161331926819"},
		{"digits", "4111 2222 3333 4444 5555 6666 7777 8888 9999 4111 2222 3333 4444 5555 6666 7777"},
	}
	d := newDetector(b, map[string]string{"nin": `\d{11}`})
	for _, tt := range texts {
		b.Run(tt.name, func(b *testing.B) {
			text := []byte(tt.text)
			var sum int
			b.ReportAllocs()
			for b.Loop() {
				sum += len(d.Class(text, true))
			}
			spent := b.Elapsed()
			b.StopTimer()
			start := time.Now()
			for range b.N {
				if utf8.Valid(text) {
					sum++
				}
			}
			valid := time.Since(start)
			start = time.Now()
			for range b.N {
				sum += bytes.IndexByte(text, 0) + 1 // 0 each
			}
			index := time.Since(start)
			b.ReportMetric(float64(spent)/float64(valid), "x-utf8.Valid")
			b.ReportMetric(float64(spent)/float64(index), "x-IndexByte")
			if sum == 0 {
				b.Fatal("nothing was done")
			}
		})
	}
}

func TestAllocations(t *testing.T) {
	d := newDetector(t, map[string]string{"nin": `\d{11}`})
	for _, s := range append([]string{"Engineer", "ada@example.com", "+44 20 7946 0958", "12345678901", "123-45-6789"}, append(testCards(), testIBANs()...)...) {
		text := []byte(s)
		if n := testing.AllocsPerRun(20, func() { d.Class(text, true); d.Class(text, false) }); n != 0 {
			t.Errorf("%s: %v allocations", s, n)
		}
	}
}
