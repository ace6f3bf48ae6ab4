package table

import (
	"bytes"
	"encoding/csv"
	"io"
	"testing"
	"time"

	"github.com/gatehouse-dev/gatehouse/middleware/mask/redact"
)

// BenchmarkReader measures plans against encoding/csv, which reads all fields
// and writes them again: x-csv is how many times as fast it is, by the quickest
// round of both, as the machine does other things too.
func BenchmarkReader(b *testing.B) {
	text := exportOf(5000)
	for name, spec := range exportSpecs(b) {
		b.Run(name, func(b *testing.B) {
			plan := compile(b, spec)
			b.SetBytes(int64(len(text)))
			b.ReportAllocs()
			ours, theirs := time.Hour, time.Hour
			for b.Loop() {
				start := time.Now()
				r := NewReader(plan, bytes.NewReader(text), redact.Limits{})
				if _, err := io.Copy(io.Discard, struct{ io.Reader }{r}); err != nil {
					b.Fatal(err)
				}
				ours = min(ours, time.Since(start))
				b.StopTimer()
				start = time.Now()
				standard(b, text)
				theirs = min(theirs, time.Since(start))
				b.StartTimer()
			}
			b.ReportMetric(float64(theirs)/float64(ours), "x-csv")
		})
	}
}

func standard(b *testing.B, text []byte) {
	r, w := csv.NewReader(bytes.NewReader(text)), csv.NewWriter(io.Discard)
	r.ReuseRecord = true
	for {
		record, err := r.Read()
		if err == io.EOF {
			break
		}
		if err == nil {
			err = w.Write(record)
		}
		if err != nil {
			b.Fatal(err)
		}
	}
	if w.Flush(); w.Error() != nil {
		b.Fatal(w.Error())
	}
}
