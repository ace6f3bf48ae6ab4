package gateway_test

import (
	"fmt"
	"strings"
	"testing"
)

const (
	csvType   = "Content-Type: text/csv\r\n"
	linesType = "Content-Type: application/x-ndjson\r\n"
)

// TestMaskBypassByFormat: whatever form a backend gives its answer, no masked
// value leaves.
func TestMaskBypassByFormat(t *testing.T) {
	a := attack(t, "")
	sheet := "tenant,name,ssn\nacme,Ann," + clear + "\n"
	for name, raw := range map[string]string{
		"csv":                    answer("200 OK", csvType, sheet),
		"csv, type in capitals":  answer("200 OK", "Content-Type: TEXT/CSV\r\n", sheet),
		"csv, header=absent":     answer("200 OK", "Content-Type: text/csv;header=absent\r\n", "acme,Ann,"+clear+"\n"),
		"csv, header=ABSENT":     answer("200 OK", "Content-Type: text/csv; Header=\"ABSENT\"\r\n", "acme,Ann,"+clear+"\n"),
		"csv, header absent":     answer("200 OK", csvType, "acme,Ann,"+clear+"\n"),
		"csv, utf-16":            answer("200 OK", "Content-Type: text/csv; charset=utf-16\r\n", sheet),
		"csv, utf-7 twice":       answer("200 OK", "Content-Type: text/csv; charset=utf-8; charset=utf-7\r\n", sheet),
		"csv, semicolons":        answer("200 OK", csvType, strings.ReplaceAll(sheet, ",", ";")),
		"csv, tabs":              answer("200 OK", csvType, strings.ReplaceAll(sheet, ",", "\t")),
		"csv, sep=":              answer("200 OK", csvType, "sep=;\n"+strings.ReplaceAll(sheet, ",", ";")),
		"csv, bom":               answer("200 OK", csvType, "\ufeff"+strings.ReplaceAll(sheet, "tenant,name,ssn", "ssn,name,tenant")),
		"csv, bom, first":        answer("200 OK", csvType, "\ufeffssn,tenant\n"+clear+",acme\n"),
		"csv, bom in quotes":     answer("200 OK", csvType, "\ufeff\"ssn\",tenant\n"+clear+",acme\n"),
		"csv, two boms":          answer("200 OK", csvType, "\ufeff\ufeffssn,tenant\n"+clear+",acme\n"),
		"csv, bom in the middle": answer("200 OK", csvType, "tenant,\ufeffssn\nacme,"+clear+"\n"),
		"csv, zero width":        answer("200 OK", csvType, "tenant,s\u200bsn\u200b ssn\nacme,"+clear+"\n"),
		"csv, spaces":            answer("200 OK", csvType, "tenant, ssn \nacme,"+clear+"\n"),
		"csv, nbsp":              answer("200 OK", csvType, "tenant,\u00a0ssn\u00a0\nacme,"+clear+"\n"),
		"csv, case":              answer("200 OK", csvType, "tenant,S_S-N\nacme,"+clear+"\n"),
		"csv, long s":            answer("200 OK", csvType, "tenant,\u017fSN\nacme,"+clear+"\n"),
		"csv, prefixed":          answer("200 OK", csvType, "tenant,employee.ssn,employee/kin/0\nacme,"+clear+","+clear+"\n"),
		"csv, in words":          answer("200 OK", csvType, "tenant,Employee SSN (full)\nacme,"+clear+"\n"),
		"csv, quoted":            answer("200 OK", csvType, "tenant,\"ssn\"\nacme,\""+clear+"\"\n"),
		"csv, twice":             answer("200 OK", csvType, "tenant,ssn,ssn\nacme,1,"+clear+"\n"),
		"csv, crlf":              answer("200 OK", csvType, strings.ReplaceAll(sheet, "\n", "\r\n")),
		"csv, cr":                answer("200 OK", csvType, strings.ReplaceAll(sheet, "\n", "\r")),
		"csv, cr after header":   answer("200 OK", csvType, strings.Replace(sheet, "\n", "\r", 1)),
		"csv, extra field":       answer("200 OK", csvType, "tenant,ssn\nacme,1,"+clear+"\n"),
		"csv, missing field":     answer("200 OK", csvType, "tenant,ssn,name\nacme,"+clear+"\n"),
		"csv, quote in a field":  answer("200 OK", csvType, "tenant,ssn,name\nacme,1\"2,"+clear+"\"\n"),
		"csv, nul":               answer("200 OK", csvType, "tenant,ss\x00n\nacme,"+clear+"\n"),
		"csv, other tenant":      answer("200 OK", csvType, "tenant,name\nacme,x\nglobex,"+clear+"\n"),
		"csv, other tenant, cr":  answer("200 OK", csvType, "tenant,name\nglobex,\"x\nacme,"+clear+"\"\n"),
		"csv, tenant twice":      answer("200 OK", csvType, "tenant,tenant,name\nacme,globex,"+clear+"\n"),
		"csv, tenant loosely":    answer("200 OK", csvType, "tenant,TENANT,name\nacme,globex,"+clear+"\n"),
		"csv, no tenant":         answer("200 OK", csvType, "name\n"+clear+"\n"),
		"csv, many columns":      answer("200 OK", csvType, strings.Repeat("a,", 100_000)+"ssn\n"+strings.Repeat(",", 100_000)+clear+"\n"),
		"csv, error":             answer("500 Oops", csvType, sheet),
		"csv, redirect":          answer("302 Found", csvType+"Location: /\r\n", sheet),
		"csv, not found":         answer("404 Not Found", csvType, sheet),
		"csv that is json":       answer("200 OK", csvType, record),
		"json that is csv":       answer("200 OK", jsonType, sheet),
		"tab-separated":          answer("200 OK", "Content-Type: text/tab-separated-values\r\n", sheet),

		"events":                 answer("200 OK", eventType, event),
		"events, cr":             answer("200 OK", eventType, strings.ReplaceAll(event, "\n", "\r")),
		"events, mixed":          answer("200 OK", eventType, "data:"+record+"\r\ndata:\r\n\r"),
		"events, bom":            answer("200 OK", eventType, "\ufeff"+event),
		"events, two boms":       answer("200 OK", eventType, "\ufeff\ufeff"+event),
		"events, no colon":       answer("200 OK", eventType, "data\n\n"+event),
		"events, unknown field":  answer("200 OK", eventType, clear+"\nx: "+clear+"\n\n"+event),
		"events, id":             answer("200 OK", eventType, "id: ["+clear+"]\nevent: <"+clear+">\nretry: "+clear+"\n"+event),
		"events, comment":        answer("200 OK", eventType, ": "+clear+"\n:"+clear+"\r"+event),
		"events, text":           answer("200 OK", eventType, "data: "+clear+"\n\n"),
		"events, done and more":  answer("200 OK", eventType, "data: [DONE]\ndata: "+clear+"\n\n"),
		"events, split name":     answer("200 OK", eventType, "data: {\"tenant\":\"acme\",\"s\ndata: sn\":\""+clear+"\"}\n\n"),
		"events, line separator": answer("200 OK", eventType, "data: {\"tenant\":\"acme\",\u2028\"ssn\":\""+clear+"\"}\n\n"),
		"events, spaces":         answer("200 OK", eventType, "data:  "+record+"\nDATA: "+clear+"\n data: "+clear+"\n\n"),
		"events, other tenant":   answer("200 OK", eventType, "id: globex\ndata: {\"tenant\":\"globex\",\"name\":\""+clear+"\"}\n\n"),
		"events, no end":         answer("200 OK", eventType, strings.TrimSuffix(event, "\n")),
		"events, nul":            answer("200 OK", eventType, "data: {\"tenant\":\"acme\"}\x00"+clear+"\n\n"),
		"events, error":          answer("500 Oops", eventType, event),
		"events, latin-1":        answer("200 OK", "Content-Type: text/event-stream; charset=latin1\r\n", event),

		"lines":                 answer("200 OK", linesType, record+"\n"),
		"lines, crlf":           answer("200 OK", linesType, record+"\r\n\r\n"+record+"\r\n"),
		"lines, blank":          answer("200 OK", linesType, "\n\n"+record+"\n\n"),
		"lines, two on one":     answer("200 OK", linesType, record+record+"\n"),
		"lines, bom":            answer("200 OK", linesType, "\ufeff"+record+"\n"),
		"lines, record sep":     answer("200 OK", linesType, "\x1e"+record+"\n"),
		"lines, scalar":         answer("200 OK", linesType, `"`+clear+`"`+"\n"),
		"lines, array":          answer("200 OK", linesType, `[{"tenant":"globex","name":"`+clear+`"}]`+"\n"),
		"json-seq":              answer("200 OK", "Content-Type: application/json-seq\r\n", "\x1e"+record+"\n"),
		"json, odd suffix":      answer("200 OK", "Content-Type: text/html+json\r\n", record),
		"json, svg":             answer("200 OK", "Content-Type: image/svg+json\r\n", record),
		"json, only the suffix": answer("200 OK", "Content-Type: application/+json\r\n", record),
		"json, comma":           answer("200 OK", "Content-Type: application/json, text/html\r\n", "<p>"+clear),
		"json, structured":      answer("200 OK", "Content-Type: application/json+xml\r\n", "<p>"+clear),
		"multipart":             answer("200 OK", "Content-Type: multipart/mixed; boundary=-\r\n", "---\r\nContent-Type: application/json\r\n\r\n"+record+"\r\n-----\r\n"),
		"multipart as json":     answer("200 OK", jsonType, "---\r\nContent-Type: application/json\r\n\r\n"+record+"\r\n-----\r\n"),

		"gzip, csv":           answer("200 OK", csvType+"Content-Encoding: GZIP\r\n", gz(sheet)),
		"gzip, events":        answer("200 OK", eventType+"Content-Encoding: x-gzip\r\n", gz(event)),
		"gzip, empty members": answer("200 OK", jsonType+"Content-Encoding: gzip\r\n", gz("")+gz(record)+gz("")),
		"gzip, identity":      answer("200 OK", jsonType+"Content-Encoding: gzip, identity\r\n", gz(record)),
		"gzip, in transit":    "HTTP/1.1 200 OK\r\n" + jsonType + "Transfer-Encoding: gzip\r\nConnection: close\r\n\r\n" + gz(record),
		"aes128gcm":           answer("200 OK", jsonType+"Content-Encoding: aes128gcm\r\n", record),
		"content-range":       answer("200 OK", jsonType+"Content-Range: bytes "+clear+"/*\r\n", record),
		"digests":             answer("200 OK", jsonType+"Repr-Digest: "+clear+"\r\nSignature: "+clear+"\r\nX-Ssn: "+clear+"\r\nTrailer: "+clear+"\r\n", record),
		"203":                 answer("203 x", csvType, sheet),
		"205 with a body":     answer("205 Reset Content", jsonType, record),
		"226":                 answer("226 IM Used", jsonType, record),
		"300":                 answer("300 Multiple Choices", jsonType, record),
		"416":                 answer("416 x", jsonType, record),
		"999":                 answer("999 x", jsonType, record),
		"099":                 answer("099 x", jsonType, record),
		"http/1.0":            "HTTP/1.0 200 OK\r\n" + jsonType + "\r\n" + record,
		"two lengths":         "HTTP/1.1 200 OK\r\n" + jsonType + "Content-Length: 5\r\nContent-Length: 500\r\n\r\n" + record,
		"length and chunks":   "HTTP/1.1 200 OK\r\n" + jsonType + "Content-Length: 5\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n" + fmt.Sprintf("%x\r\n%s\r\n0\r\n\r\n", len(record), record),
		"chunk extension":     "HTTP/1.1 200 OK\r\n" + jsonType + "Transfer-Encoding: chunked\r\nConnection: close\r\n\r\n" + fmt.Sprintf("%x;x=%s\r\n%s\r\n0\r\n\r\n", len(record), clear, record),
	} {
		a.says(raw)
		path := "/api/employees/e1"
		_, h, body := a.get(t, path, token(nil))
		if whole := fmt.Sprint(h) + body; strings.Contains(whole, clear) || strings.Contains(whole, "globex") {
			t.Errorf("%s: it left: %.600s", name, whole)
		}
		if h != nil && !strings.Contains(h.Get("Cache-Control"), "no-store") {
			t.Errorf("%s: Cache-Control: %q", name, h.Get("Cache-Control"))
		}
	}
	a.wantWhole(t, "all formats")
}
