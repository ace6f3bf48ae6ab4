package record

import (
	"io"
	"testing"
)

// BenchmarkLine is what the writer does for one decision, off the request path.
func BenchmarkLine(b *testing.B) {
	e := entry(question(), allowed())
	m, err := NewMask([]any{"/input/subject/claims/email", "/input/subject/id"})
	if err != nil {
		b.Fatal(err)
	}
	e.Mask = m
	forms := secretForms()
	b.ReportAllocs()
	for b.Loop() {
		if _, err := e.line(forms); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkWrite is what a request pays for being on record.
func BenchmarkWrite(b *testing.B) {
	w := Open(Options{Output: io.Discard, Queue: 4096})
	e := entry(question(), allowed())
	b.ReportAllocs()
	for b.Loop() {
		w.Write(e)
	}
	if err := w.Close(); err != nil {
		b.Fatal(err)
	}
}
