package sanitize

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/gatehouse-dev/gatehouse/config"
	"github.com/gatehouse-dev/gatehouse/middleware"
)

// record is a form of a personnel system as a page sends it: 2 KB, without
// markup, with prose in it.
func record() []byte {
	const note = "Joined from the Ibadan branch. Prefers mornings, speaks Yorùbá, English und etwas Deutsch; five projects at a time. "
	return []byte(`{"id":70412,"name":"Adébáyọ̀ Ọlátúnjí","email":"ade@example.com","unit":"R&D","active":true,"manager":null,` +
		`"address":{"street":"12 Broad Street","city":"Lagos","postcode":"101001","country":"NG"},"phones":["+234 1 2345678","+234 1 8765432"],` +
		`"contract":{"kind":"permanent","since":"2021-03-04","hours":38.5,"salary":51000.00,"currency":"NGN"},"skills":["Go","SQL","Welding"],` +
		`"bio":"` + strings.Repeat(note, 7) + `","note":"` + strings.Repeat(note, 5) + `"}`)
}

// list is as long, of many short fields.
func list() []byte {
	var b strings.Builder
	for i := range 20 {
		fmt.Fprintf(&b, `,{"id":%d,"name":"Siobhan Murphy","title":"Senior analyst","city":"Lagos","salary":%d.50,"since":"2021-03-04"}`, i, 51000+i)
	}
	return []byte("[" + b.String()[1:] + "]")
}

// exchangeOf makes an exchange whose body is read anew.
func exchangeOf(body []byte) *middleware.Exchange {
	return &middleware.Exchange{Request: &http.Request{
		Header: http.Header{"Content-Type": {"application/json"}}, Body: io.NopCloser(bytes.NewReader(body)), ContentLength: int64(len(body)),
		URL: &url.URL{},
	}}
}

// BenchmarkBody says what a body of 2 KB costs: to read, as any stage has to
// that looks into it, and on top of that to judge.
func BenchmarkBody(b *testing.B) {
	bodies := []struct {
		what string
		body []byte
	}{{"record", record()}, {"list", list()}}
	for _, tt := range bodies {
		b.Run(tt.what+"/read", func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, err := exchangeOf(tt.body).Body(name); err != nil {
					b.Fatal(err)
				}
			}
		})
		for _, sql := range []string{off, report} {
			b.Run(tt.what+"/judge html, sql "+sql, func(b *testing.B) { benchmarkJudge(b, sql, tt.body) })
		}
	}
}

// benchmarkJudge judges a body that has been read.
func benchmarkJudge(b *testing.B, sql string, body []byte) {
	made, err := New(&config.Sanitize{SQLInjection: sql})
	if err != nil {
		b.Fatal(err)
	}
	x := exchangeOf(body)
	if _, err := x.Body(name); err != nil {
		b.Fatal(err)
	}
	last := func(*middleware.Exchange) (*http.Response, error) { return nil, nil }
	b.SetBytes(int64(len(body)))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := made.Handle(x, last); err != nil {
			b.Fatal(err)
		}
	}
}

// What has nothing to change is read in place.
func TestNothingToChangeAllocatesNothing(t *testing.T) {
	for what, body := range map[string][]byte{"record": record(), "list": list()} {
		s := &Stage{rules: &rules{base: modes{html: reject, sql: off}}, words: newSQLWords()}
		j := s.judge()
		if n := testing.AllocsPerRun(100, func() {
			j.doc.at = j.doc.at[:0]
			if out, err := j.doc.rewrite(body, nil, j); err != nil || len(out) != len(body) {
				t.Fatal(err)
			}
		}); n > 0 {
			t.Errorf("%s: %v allocations", what, n)
		}
	}
}
