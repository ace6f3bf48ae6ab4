package mask

import (
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/gatehouse-dev/gatehouse/middleware"
	"github.com/gatehouse-dev/gatehouse/middleware/middlewaretest"
	"github.com/gatehouse-dev/gatehouse/policies"
)

// fiveFields masks as policies mostly do: some fields, in some classes.
func fiveFields() *policies.Decision {
	d := &policies.Decision{Allow: true}
	for _, path := range []string{"$.personal.ssn", "$.personal.date_of_birth", "$.pay.salary", "$.pay.bank.account", "$.health.insurance_id"} {
		d.Mask = append(d.Mask, policies.Mask{Path: path, Action: policies.ActionDrop})
	}
	return d
}

const aRecord = `{"id":"e7","name":"Ada","personal":{"ssn":"123-45-6789","date_of_birth":"1981-04-12"},` +
	`"pay":{"salary":9800000,"bank":{"account":"0123456789","name":"First Bank"}},"health":{"insurance_id":"HX-1"}}`

// oneRecord is a request for a record through a stage, of which nothing is made anew
// but what the stage makes.
type oneRecord struct {
	s    middleware.Stage
	x    *middleware.Exchange
	typ  []string
	h    http.Header
	res  http.Response
	body *strings.Reader

	length int64
	buf    []byte
}

func newRecord(t testing.TB, contentType string) *oneRecord {
	m := &oneRecord{s: newStage(t, 0), x: exchange(t, fiveFields()), typ: []string{contentType}, h: http.Header{}, body: strings.NewReader(aRecord), buf: make([]byte, 4<<10)}
	m.length = int64(len(aRecord))
	m.x.Request.Header.Set("Accept", "application/json, */*;q=0.5")
	return m
}

func (m *oneRecord) Read(p []byte) (int, error) { return m.body.Read(p) }
func (m *oneRecord) Close() error               { return nil }

func (m *oneRecord) answer(x *middleware.Exchange) (*http.Response, error) {
	clear(m.h)
	m.h["Content-Type"] = m.typ
	m.body.Reset(aRecord)
	m.res = http.Response{StatusCode: 200, Header: m.h, Body: m, ContentLength: m.length, Request: x.Request}
	return &m.res, nil
}

func (m *oneRecord) ask(t testing.TB) {
	res, err := m.s.Handle(m.x, m.answer)
	for err == nil {
		_, err = res.Body.Read(m.buf)
	}
	if err != io.EOF {
		t.Fatal(err)
	}
	_ = res.Body.Close()
}

// TestObjectsOfAnAnswer: an answer that is masked is a few pieces of memory. They
// are the answer, what outlives it, the text of what was masked and the note of
// that, the headers for the upstream, and the reader that is asked here.
func TestObjectsOfAnAnswer(t *testing.T) {
	if raceEnabled {
		t.Skip("pools forget then")
	}
	for _, typ := range jsonTypes() {
		for _, length := range []int64{int64(len(aRecord)), -1} {
			m := newRecord(t, typ)
			m.length = length
			if n := testing.AllocsPerRun(100, func() { m.ask(t); m.x.Masked = nil }); n > 6 {
				t.Errorf("%s, length %d: %v objects", typ, length, n)
			}
		}
	}
}

func jsonTypes() []string { return []string{"application/json", "application/json; charset=utf-8"} }

// TestManyMasks: whatever fits into the room of an answer or does not, what was
// masked is on record in full.
func TestManyMasks(t *testing.T) {
	for _, n := range []int{1, roomFor - 1, roomFor, roomFor + 1, 3 * roomFor} {
		d := &policies.Decision{Allow: true}
		var text strings.Builder
		text.WriteString(`{"":0`)
		var want []middleware.Finding
		var paths []string
		for i := range n {
			path := fmt.Sprintf("$.m%d", i)
			d.Mask = append(d.Mask, policies.Mask{Path: path, Action: policies.ActionDrop, Class: "c"})
			fmt.Fprintf(&text, `,"m%d":1`, i)
			want = append(want, middleware.Finding{Path: path, Class: "c", Count: 1})
			paths = append(paths, path+"=1")
		}
		text.WriteString("}")
		x := exchange(t, d)
		_, _, err := middlewaretest.Run(t, newStage(t, 0), x, middlewaretest.NewUpstream(t, 200, jsonType, text.String()).Handle)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, x.Masked); diff != "" {
			t.Errorf("%d masks: (-want +got)\n%s", n, diff)
		}
		for _, note := range x.Notes() {
			if note.Key == "masked_paths" {
				if diff := cmp.Diff(any(paths), note.Value); diff != "" {
					t.Errorf("%d masks: (-want +got)\n%s", n, diff)
				}
			}
		}
	}
}

// BenchmarkRecord is one record through the stage.
func BenchmarkRecord(b *testing.B) {
	for _, typ := range jsonTypes() {
		b.Run(typ, func(b *testing.B) {
			m := newRecord(b, typ)
			b.ReportAllocs()
			b.SetBytes(int64(len(aRecord)))
			for i := 0; b.Loop(); i++ {
				if i%64 == 0 { // notes are kept
					m.x = exchange(b, m.x.Decision)
				}
				m.ask(b)
				m.x.Masked = nil
			}
		})
	}
}

// come is a body of which all has arrived, or nothing that is not read.
type come struct {
	io.Reader
	all bool
}

func (c *come) Arrived() bool { return c.all }
func (c *come) Close() error  { return nil }

// TestPieces: a long answer that is there leaves in pieces that are worth a system
// call each, and one that is not in the pieces in which it comes.
func TestPieces(t *testing.T) {
	list := "[" + strings.Repeat(aRecord+",", 10_000) + "1]"
	for _, all := range []bool{true, false} {
		x := exchange(t, fiveFields())
		res, err := newStage(t, 0).Handle(x, func(x *middleware.Exchange) (*http.Response, error) {
			h := http.Header{"Content-Type": {jsonType}}
			return &http.Response{StatusCode: 200, Header: h, Body: &come{strings.NewReader(list), all}, ContentLength: -1, Request: x.Request}, nil
		})
		if err != nil {
			t.Fatal(err)
		}
		body := res.Body.(middleware.Taker)
		pieces, size, end := 0, 0, false
		for buf := make([]byte, 32<<10); !end; {
			var p []byte
			if p, end = body.Take(); len(p) == 0 {
				n, err := res.Body.Read(buf)
				if p = buf[:n]; err != nil {
					break
				}
			}
			pieces++
			size += len(p)
			if len(p) > gathered+20<<10 {
				t.Errorf("a piece of %d bytes", len(p))
			}
		}
		_ = res.Body.Close()
		if all && pieces > size/piece+1 || !all && pieces < len(list)/(20<<10) {
			t.Errorf("all there is %t: %d bytes in %d pieces", all, size, pieces)
		}
	}
}
