package mask

import (
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/gatehouse-dev/gatehouse/config"
	"github.com/gatehouse-dev/gatehouse/middleware"
	"github.com/gatehouse-dev/gatehouse/middleware/middlewaretest"
	"github.com/gatehouse-dev/gatehouse/policies"
)

func countingStage(t testing.TB, s middleware.Stage, sensitive ...string) middleware.Stage {
	t.Helper()
	s, err := Counting(s, sensitive)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// What is told of answers, by what the decision makes of them. Those that nothing
// is done to leave byte for byte as they came.
func TestServed(t *testing.T) {
	plain, rows := &policies.Decision{Allow: true}, byBranch()
	rows.Mask = nil
	salaries := &policies.Decision{Allow: true, Mask: []policies.Mask{{Path: "$..salary", Action: policies.ActionRedact}}}
	list := `{"count": 3, "items":[{"branch":"lagos","ssn":"1","salary":10},{"branch":"kano","ssn":"2","salary":null},{"branch":"abuja","ssn":null,"salary":30}], "tags":["a"] }`
	const lines, sse, table = "application/x-ndjson", "text/event-stream", "text/csv"
	ndjson := "{\"ssn\":1}\n\n{\"n\":1}\n{\"ssn\":[1,2]}\n"
	stream := ": hello\n\nid: 1\ndata: {\"ssn\":1}\n\ndata: {\"n\":1}\n\n"
	csvText := "name,ssn,salary\r\nAda,1,2\r\nBob,,3\r\n"
	for _, tt := range []struct {
		name       string
		d          *policies.Decision
		method     string
		status     int
		typ, coded string
		body       string
		records    int64
		sensitive  int64
	}{
		{"a list", plain, "GET", 200, jsonType, "", list, 3, 4},
		{"a list at the root", plain, "GET", 200, jsonType, "", ` [{"ssn":1},{"SSN":"2"},{"n":1}]`, 3, 2},
		{"an object", plain, "GET", 200, jsonType, "", body, 1, 1},
		{"packed", plain, "GET", 200, jsonType, "gzip", gzipped(t, list), 3, 4},
		{"packed otherwise", plain, "GET", 200, jsonType, "deflate", "not known", 0, 0},
		{"packed, and not", plain, "GET", 200, jsonType, "gzip", list, 0, 0},
		{"a problem of another type", plain, "GET", 200, "application/hal+json", "", body, 1, 1},
		{"lines", plain, "GET", 200, lines, "", ndjson, 3, 3},
		{"lines, packed", plain, "GET", 200, lines, "gzip", gzipped(t, ndjson), 3, 3},
		{"events", plain, "GET", 200, sse, "", stream, 2, 1},
		{"a table", plain, "GET", 200, table, "", csvText, 2, 3},
		{"not what it says", plain, "GET", 200, jsonType, "", `<html>[{"ssn":1}]`, 0, 0},
		{"a mark in front, and something behind", plain, "GET", 200, jsonType, "", "\ufeff[{\"ssn\":1}] x", 1, 1},
		{"a table that is none", plain, "GET", 200, table, "", "1;2\n3;4\n", 0, 0},
		{"text", plain, "GET", 200, "text/plain", "", list, 0, 0},
		{"a piece", plain, "GET", 206, jsonType, "", list, 0, 0},
		{"an error", plain, "GET", 404, jsonType, "", list, 0, 0},
		{"what was made", plain, "POST", 201, jsonType, "", body, 1, 1},
		{"HEAD", plain, "HEAD", 200, jsonType, "", "", 0, 0},

		{"masked", decision(), "GET", 200, jsonType, "", list, 3, 2},
		{"masked otherwise", salaries, "GET", 200, jsonType, "", list, 3, 2},
		{"rows", rows, "GET", 200, jsonType, "", list, 2, 3},
		{"rows, masked", byBranch(), "GET", 200, jsonType, "", list, 2, 2},
		{"rows, none of them", byBranch(), "GET", 200, jsonType, "", `{"items":[{"branch":"kano","ssn":1}],"tags":["a","b"]}`, 0, 0},
		{"one row", byTenant(), "GET", 200, jsonType, "", `{"tenant":"t1","salary":1,"list":[1,2,3]}`, 1, 1},
		{"lines, masked", decision(), "GET", 200, lines, "", "{\"ssn\":1,\"salary\":2}\n{\"salary\":3}\n", 2, 2},
		{"events, masked", decision(), "GET", 200, sse, "", "data: {\"ssn\":1,\"salary\":2}\n\n", 1, 1},
		{"a table, masked", decision(), "GET", 200, table, "", csvText, 2, 2},
		{"an error, masked", decision(), "GET", 500, jsonType, "", list, 0, 0},
	} {
		for _, full := range []config.Size{0, 1 << 20} {
			if tt.typ == sse && full > 0 {
				continue
			}
			s := countingStage(t, newStage(t, full), "$..ssn", "$..salary", "$..*")
			x := exchange(t, tt.d, func(x *middleware.Exchange) { x.Request.Method = tt.method })
			up := middlewaretest.NewUpstream(t, tt.status, tt.typ, tt.body)
			if tt.coded != "" {
				up.Header.Set("Content-Encoding", tt.coded)
			}
			_, got, err := middlewaretest.Run(t, s, x, up.Handle)
			if err != nil {
				t.Fatalf("%s: %v", tt.name, err)
			}
			if want := (middleware.Served{Records: tt.records, Sensitive: tt.sensitive}); x.Served != want {
				t.Errorf("%s: %+v, want %+v\n%s", tt.name, x.Served, want, got)
			}
			if tt.d == plain && got != tt.body {
				t.Errorf("%s: sent %q, want %q", tt.name, got, tt.body)
			}
		}
	}
}

// Nothing is held back by being counted: what the upstream has given is there before
// it gives more, and the head of the answer stays as it is.
func TestCountedAtOnce(t *testing.T) {
	for typ, pieces := range map[string][]string{
		jsonType:               {`[{"ssn"`, `:1},`, ` `, `{"ssn":"`, `2"}]`},
		"application/x-ndjson": {"{\"ssn\"", ":1}\n{", "\"ssn\":2}"},
		"text/event-stream":    {"data: {\"ssn", "\":1}\n", "\n", "data: {\"ssn\":2}\n\n"},
		"text/csv":             {"ssn\n1", "\n", "2"},
	} {
		x := exchange(t, &policies.Decision{Allow: true})
		r, w := io.Pipe()
		h := http.Header{"Content-Type": {typ}, "Etag": {`"1"`}, "Content-Length": {"7"}}
		res, err := countingStage(t, newStage(t, 0), "$..ssn").Handle(x, func(*middleware.Exchange) (*http.Response, error) {
			return &http.Response{StatusCode: 200, Header: h, Body: r, ContentLength: 7, Request: x.Request}, nil
		})
		if err != nil || res.ContentLength != 7 || res.Header.Get("Etag") == "" {
			t.Fatalf("%s: %v %v", typ, err, res)
		}
		buf := make([]byte, 100)
		for _, p := range pieces {
			go func() { _, _ = io.WriteString(w, p) }()
			n, err := res.Body.Read(buf) // waits for ever where more is asked for first
			if string(buf[:n]) != p || err != nil {
				t.Errorf("%s: %q %v, want %q", typ, buf[:n], err, p)
			}
		}
		_ = w.Close()
		if n, err := res.Body.Read(buf); n != 0 || err != io.EOF {
			t.Errorf("%s: %d %v at the end", typ, n, err)
		}
		for range 2 {
			if err := res.Body.Close(); err != nil {
				t.Error(err)
			}
		}
		if x.Served.Records != 2 || x.Served.Sensitive != 2 {
			t.Errorf("%s: %+v", typ, x.Served)
		}
	}
}

// An answer that breaks off, that nobody reads to its end, or that there is no
// memory to count, is one all the same.
func TestCountedInPart(t *testing.T) {
	list := `[{"ssn":1},{"ssn":2},` + strings.Repeat(`{"ssn":3},`, 10_000) + `{}]`
	for _, typ := range []string{jsonType, "application/x-ndjson", "text/event-stream", "text/csv"} {
		for _, coded := range []string{"", "gzip"} {
			x := exchange(t, &policies.Decision{Allow: true})
			broken := io.MultiReader(strings.NewReader(list[:5000]), iotest.ErrReader(io.ErrUnexpectedEOF))
			h := http.Header{"Content-Type": {typ}}
			if coded != "" {
				h.Set("Content-Encoding", coded)
			}
			res, err := countingStage(t, newStage(t, 0), "$..ssn").Handle(x, func(*middleware.Exchange) (*http.Response, error) {
				return &http.Response{StatusCode: 200, Header: h, Body: io.NopCloser(broken), ContentLength: -1, Request: x.Request}, nil
			})
			if err != nil {
				t.Fatal(err)
			}
			got, err := io.ReadAll(io.LimitReader(res.Body, 6000))
			if string(got) != list[:5000] || err != io.ErrUnexpectedEOF {
				t.Errorf("%s %s: %d bytes, %v", typ, coded, len(got), err)
			}
			_ = res.Body.Close()
			if typ == jsonType && coded == "" && (x.Served.Records < 400 || x.Served.Sensitive < 400 || x.Served.Records > 600) {
				t.Errorf("%s: %+v", typ, x.Served)
			}
		}
	}
	x := exchange(t, &policies.Decision{Allow: true}, func(x *middleware.Exchange) { x.Memory = middleware.NewBudget(10) })
	_, got, err := middlewaretest.Run(t, countingStage(t, newStage(t, 0), "$..ssn"), x, middlewaretest.NewUpstream(t, 200, jsonType, body).Handle)
	if got != body || err != nil || x.Served != (middleware.Served{}) {
		t.Errorf("without memory: %q %v %+v", got, err, x.Served)
	}
}

// What counting takes is given back.
func TestCountingGivesBack(t *testing.T) {
	for _, coded := range []string{"", "gzip"} {
		x := exchange(t, &policies.Decision{Allow: true}, func(x *middleware.Exchange) { x.Memory = middleware.NewBudget(1 << 20) })
		up := middlewaretest.NewUpstream(t, 200, jsonType, body)
		if coded != "" {
			up.Body = gzipped(t, body)
			up.Header.Set("Content-Encoding", coded)
		}
		_, _, err := middlewaretest.Run(t, countingStage(t, newStage(t, 0), "$..ssn"), x, up.Handle)
		if err != nil || x.Served.Sensitive != 1 || !x.Memory.Take(1<<20) {
			t.Errorf("%q: %v %+v", coded, err, x.Served)
		}
	}
}

// Of GraphQL, lists are counted where they stand, and what the query calls otherwise
// is known by what the schema calls it, where anything is masked.
func TestServedByGraphQL(t *testing.T) {
	const query = `{ staff { id pay: salary ssn } }`
	answer := `{"data":{"staff":[{"id":1,"pay":10,"ssn":1},{"id":2,"pay":20,"ssn":2}]}}`
	for _, tt := range []struct {
		d    *policies.Decision
		want middleware.Served
	}{
		{&policies.Decision{Allow: true}, middleware.Served{Records: 2}},
		{decision(), middleware.Served{Records: 2, Sensitive: 2}},
	} {
		s := countingStage(t, graphQL(t, config.Mask{}), "$..salary", "$..ssn")
		x := exchange(t, tt.d, asking(query))
		_, _, err := middlewaretest.Run(t, s, x, middlewaretest.NewUpstream(t, 200, jsonType, answer).Handle)
		if err != nil || x.Served != tt.want {
			t.Errorf("%+v, want %+v (%v)", x.Served, tt.want, err)
		}
	}
}

func TestCountingRefusesPaths(t *testing.T) {
	if _, err := Counting(newStage(t, 0), []string{"$..ssn", "ssn"}); err == nil {
		t.Error("a path that is none")
	}
	if s, err := Counting(nil, nil); s != nil || err != nil {
		t.Errorf("no stage: %v %v", s, err)
	}
}

// BenchmarkServed is a list of 100 records through the stage, counted and not.
func BenchmarkServed(b *testing.B) {
	var list strings.Builder
	list.WriteString(`{"count":100,"items":[`)
	for i := range 100 {
		if i > 0 {
			list.WriteByte(',')
		}
		fmt.Fprintf(&list, `{"id":%d,"name":"Ada Lovelace %d","email":"ada%d@example.com","ssn":"123-45-%04d","salary":%d,"branch":"lagos","title":"Engineer","address":{"street":"%d High Street","city":"London"},"tags":["a","b"]}`, i, i, i, i, 40000+i, i)
	}
	list.WriteString(`]}`)
	text := list.String()
	for name, d := range map[string]*policies.Decision{"untouched": {Allow: true}, "masked": decision(), "rows and masked": byBranch()} {
		for _, counts := range []bool{false, true} {
			b.Run(fmt.Sprintf("%s/counted=%v", name, counts), func(b *testing.B) {
				s := newStage(b, 0)
				if counts {
					s = countingStage(b, s, "$..ssn", "$..salary", "$..email")
				}
				x := exchange(b, d)
				b.ReportAllocs()
				b.SetBytes(int64(len(text)))
				buf := make([]byte, 32<<10)
				for b.Loop() {
					res, err := s.Handle(x, func(x *middleware.Exchange) (*http.Response, error) {
						return &http.Response{StatusCode: 200, Header: http.Header{"Content-Type": {jsonType}}, Body: io.NopCloser(strings.NewReader(text)), ContentLength: int64(len(text)), Request: x.Request}, nil
					})
					if err != nil {
						b.Fatal(err)
					}
					for err == nil {
						_, err = res.Body.Read(buf)
					}
					_ = res.Body.Close()
					x.Masked = nil
				}
			})
		}
	}
}

// What a client asks for does not keep an answer from being counted: neither in
// pieces nor in a coding that nobody here knows. Other pieces stay what they are.
func TestCountedWhateverIsAsked(t *testing.T) {
	const list = `[{"ssn":1},{"ssn":2},{"ssn":3}]`
	for _, tt := range []struct {
		method, typ, ranges, accepts string
		calls, status                int
		records                      int64
		asked                        string // codings
	}{
		{"GET", jsonType, "bytes=0-", "deflate, gzip;q=0.5, *", 2, 200, 3, "gzip;q=0.5"},
		{"GET", jsonType, "bytes=0-0,1-", "compress", 1, 200, 3, "identity"},
		{"POST", jsonType, "bytes=1-", "", 1, 200, 3, ""},
		{"GET", "video/mp4", "bytes=1-", "br, ZSTD, identity;q=0", 1, 206, 0, "br, ZSTD, identity;q=0"},
		{"GET", jsonType, "", "gzip", 1, 200, 3, "gzip"},
	} {
		calls, open := 0, 0
		x := exchange(t, &policies.Decision{Allow: true}, func(x *middleware.Exchange) {
			x.Request.Method = tt.method
			if tt.method == "POST" {
				x.Request.Body = io.NopCloser(strings.NewReader("{}"))
			}
			for name, v := range map[string]string{"Range": tt.ranges, "If-Range": `"1"`, "Accept-Encoding": tt.accepts} {
				if v != "" {
					x.Request.Header.Set(name, v)
				}
			}
		})
		res, err := countingStage(t, newStage(t, 0), "$..ssn").Handle(x, func(x *middleware.Exchange) (*http.Response, error) {
			calls++
			open++
			h, status, body := http.Header{"Content-Type": {tt.typ}}, 200, list
			if r := x.Request.Header.Get("Range"); r != "" {
				status = 206
				if strings.Contains(r, ",") {
					h.Set("Content-Type", "multipart/byteranges; boundary=x")
				}
			}
			res := &http.Response{StatusCode: status, Header: h, Body: io.NopCloser(strings.NewReader(body)), ContentLength: -1, Request: x.Request}
			middleware.OnClose(res, func(int64, error) { open-- })
			return res, nil
		})
		if err != nil {
			t.Fatal(err)
		}
		body, err := io.ReadAll(res.Body)
		_ = res.Body.Close()
		if err != nil || string(body) != list || open != 0 || calls != tt.calls || res.StatusCode != tt.status ||
			x.Served.Records != tt.records || x.Served.Sensitive != tt.records || x.Request.Header.Get("Accept-Encoding") != tt.asked {
			t.Errorf("%+v: %d calls, %d open, status %d, %+v, codings %q, %v", tt, calls, open, res.StatusCode, x.Served, x.Request.Header.Get("Accept-Encoding"), err)
		}
	}
}
