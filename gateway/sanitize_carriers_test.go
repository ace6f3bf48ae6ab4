package gateway

import (
	"bytes"
	"compress/gzip"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"mime"
	"mime/multipart"
	"net/http"
	"net/url"
	"os"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"text/tabwriter"
	"unicode/utf16"
)

// A carrier brings a text to the backend in one of the places that a request
// has for it, and reads it there as an application would.
type carrier struct {
	name string
	// write makes the request, and is not ok where the text cannot stand there.
	write func(text string) (r raw, ok bool)
	// read gives the texts that the application gets.
	read func(r *http.Request, body []byte) []string
	// refused is the code with which the carrier is refused, whatever it holds.
	refused string
	// held: in mode strip the text is refused, since it cannot be changed there.
	held     bool
	bodyless bool
}

func posted(kind, body string) raw {
	r := raw{method: "POST", body: body}
	if kind != "" {
		r.headers = [][2]string{{"Content-Type", kind}}
	}
	return r
}

// quote writes JSON as many clients do; escaped, as careful ones do.
func quote(s string) string {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	_ = e.Encode(s)
	return strings.TrimSpace(b.String())
}

func escaped(s string) string {
	var b strings.Builder
	for _, u := range utf16.Encode([]rune(s)) {
		fmt.Fprintf(&b, `\u%04x`, u)
	}
	return `"` + b.String() + `"`
}

// texts gives all texts of a JSON document, names included.
func texts(_ *http.Request, body []byte) []string {
	var v any
	if json.Unmarshal(body, &v) != nil {
		return []string{string(body)}
	}
	var out []string
	var walk func(any)
	walk = func(v any) {
		switch v := v.(type) {
		case string:
			out = append(out, v)
		case []any:
			for _, e := range v {
				walk(e)
			}
		case map[string]any:
			for k, e := range v {
				out = append(out, k)
				walk(e)
			}
		}
	}
	walk(v)
	return out
}

func pairs(_ *http.Request, body []byte) []string {
	values, _ := url.ParseQuery(string(body))
	return flat(values)
}

func flat(values map[string][]string) []string {
	var out []string
	for k, v := range values {
		out = append(append(out, k), v...)
	}
	return out
}

func parts(r *http.Request, body []byte) []string {
	_, params, _ := mime.ParseMediaType(r.Header.Get("Content-Type"))
	form := multipart.NewReader(bytes.NewReader(body), params["boundary"])
	var out []string
	for {
		p, err := form.NextPart()
		if err != nil {
			return out
		}
		b, _ := io.ReadAll(p)
		out = append(out, p.FormName(), string(b))
		if strings.Contains(p.Header.Get("Content-Type"), "json") {
			out = append(out, texts(nil, b)...)
		}
	}
}

func whole(_ *http.Request, body []byte) []string { return []string{string(body)} }

// wide writes units of two or four bytes, with a mark where bom is set.
func wide(s string, size int, order binary.ByteOrder, bom bool) string {
	if bom {
		s = "\ufeff" + s
	}
	var out []byte
	for _, u := range utf16.Encode([]rune(s)) {
		unit := make([]byte, size)
		if size == 2 {
			order.PutUint16(unit, u)
		} else {
			order.PutUint32(unit, uint32(u))
		}
		out = append(out, unit...)
	}
	return string(out)
}

func utf7(s string) string {
	return strings.NewReplacer("<", "+ADw-", ">", "+AD4-", `"`, "+ACI-", "+", "+-").Replace(s)
}

func packed(s string) string {
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	_, _ = io.WriteString(w, s)
	_ = w.Close()
	return b.String()
}

// always makes a carrier that holds every text.
func always(name string, read func(*http.Request, []byte) []string, write func(s string) raw) carrier {
	return carrier{name: name, read: read, write: func(s string) (raw, bool) { return write(s), true }}
}

func carriers() []carrier {
	const js, form = "application/json", "application/x-www-form-urlencoded"
	list := []carrier{
		always("JSON", texts, func(s string) raw { return posted(js, `{"a":`+quote(s)+`}`) }),
		always("JSON, escaped", texts, func(s string) raw { return posted(js+"; charset=utf-8", `{"a":`+escaped(s)+`}`) }),
		always("JSON, nested", texts, func(s string) raw {
			return posted("application/merge-patch+json", `{"a":[{"b":[[`+quote(s)+`]]}]}`)
		}),
		always("JSON, whole", texts, func(s string) raw { return posted(js, quote(s)) }),
		always("JSON, chunked", texts, func(s string) raw {
			r := posted(js, `{"a":`+quote(s)+`}`)
			r.noLength = true
			return r
		}),
		always("JSON, name", texts, func(s string) raw { return posted(js, `{`+escaped(s)+`:1}`) }),
		always("form", pairs, func(s string) raw { return posted(form, "b=1&a="+url.QueryEscape(s)) }),
		always("form, raw", pairs, func(s string) raw {
			return posted(form, "a="+strings.NewReplacer("%", "%25", "&", "%26", "+", "%2b", ";", "%3b").Replace(s))
		}),
		always("form, name", pairs, func(s string) raw { return posted(form, url.QueryEscape(s)+"=1") }),
		{name: "multipart", read: parts, write: func(s string) (raw, bool) { return multi("", s) }},
		{name: "multipart, JSON", read: parts, write: func(s string) (raw, bool) { return multi("Content-Type: application/json\r\n", `[`+escaped(s)+`]`) }},
		always("text/plain", whole, func(s string) raw { return posted("text/plain", s) }),
		always("query", nil, func(s string) raw { return raw{target: "?q=" + url.QueryEscape(s)} }),
		always("query, name", nil, func(s string) raw { return raw{target: "?" + url.QueryEscape(s) + "=1"} }),
		{name: "header", write: func(s string) (raw, bool) {
			return raw{headers: [][2]string{{"X-Note", s}}}, !strings.ContainsFunc(s, func(r rune) bool { return r < ' ' && r != '\t' || r == 0x7f })
		}},
	}
	for i := range list {
		switch list[i].name {
		case "JSON, name", "form, name":
			list[i].held = true
		case "query", "query, name":
			list[i].held, list[i].bodyless = true, true
			list[i].read = func(r *http.Request, _ []byte) []string { return flat(r.URL.Query()) }
		case "header":
			list[i].held, list[i].bodyless = true, true
			list[i].read = func(r *http.Request, _ []byte) []string { return r.Header.Values("X-Note") }
		}
	}
	return append(list, unreadable()...)
}

// unreadable are carriers that are not looked into, and not let through.
func unreadable() []carrier {
	doc := func(s string) string { return `{"a":` + quote(s) + `}` }
	refused := func(code, name string, write func(s string) raw) carrier {
		c := always(name, whole, write)
		c.refused = code
		return c
	}
	const js = "application/json"
	out := []carrier{
		refused("media_type_unsupported", "no Content-Type", func(s string) raw { return posted("", doc(s)) }),
		refused("media_type_unsupported", "another type", func(s string) raw { return posted("application/xml", doc(s)) }),
		refused("media_type_unsupported", "text/html", func(s string) raw { return posted("text/html", s) }),
		refused("media_type_unsupported", "gzip", func(s string) raw {
			r := posted(js, packed(doc(s)))
			r.headers = append(r.headers, [2]string{"Content-Encoding", "gzip"})
			return r
		}),
		refused("body_malformed", "gzip, not said", func(s string) raw { return posted(js, packed(doc(s))) }),
		refused("body_malformed", "JSON with a mark", func(s string) raw { return posted(js, "\ufeff"+doc(s)) }),
	}
	for _, c := range []string{"utf-7", "utf-16", "utf-16le", "utf-32", "iso-8859-1", "windows-1252", "shift_jis", "ibm037"} {
		out = append(out, refused("media_type_unsupported", "charset "+c, func(s string) raw { return posted(js+"; charset="+c, utf7(doc(s))) }))
	}
	for _, bom := range []bool{false, true} {
		for _, size := range []int{2, 4} {
			for order, what := range map[binary.ByteOrder]string{binary.LittleEndian: "LE", binary.BigEndian: "BE"} {
				name := fmt.Sprintf("UTF-%d%s, not said, mark %v", size*8, what, bom)
				out = append(out, refused("body_malformed", name, func(s string) raw { return posted(js, wide(doc(s), size, order, bom)) }))
			}
		}
	}
	return out
}

// multi writes a form of one part; what could not be told from a boundary is not
// written.
func multi(headers, s string) (raw, bool) {
	return posted("multipart/form-data; boundary=b0undary", "--b0undary\r\nContent-Disposition: form-data; name=\"a\"\r\n"+headers+"\r\n"+s+"\r\n--b0undary--\r\n"), true
}

// families are what is tried: markup, and injections.
func families() map[string][]string {
	return map[string][]string{
		"script":      {"<script>alert(1)</script>x", "<ScRiPt src=//x.example>"},
		"handler":     {"<img src=x onerror=alert(1)>", "<svg/onload=alert(1)>"},
		"unfinished":  {"<img src=x onerror=alert(1) ", "x<b", "<!--", "</p"},
		"nested":      {"<scr<script>ipt>alert(1)</script>", "<<b>script>"},
		"entities":    {"<b>&lt;script&gt;alert(1)&lt;/script&gt;", "<i></i>&#60;img src=x onerror=alert(1)&#62;"},
		"controls":    {"<\x01script>alert(1)</script>", "<\x7fimg src=x onerror=alert(1)>"},
		"mutation":    {`<svg></p><style><a id="</style><img src=1 onerror=alert(1)>">`, `<noscript><p title="</noscript><img src=x onerror=alert(1)>">`},
		"SQL union":   {"1 UNION SELECT 1,2", "1' UNION SELECT username, password FROM users --"},
		"SQL comment": {"admin'--", "1; DROP TABLE users --"},
		"SQL boolean": {"1' OR '1'='1", "' OR 1=1 --"},
	}
}

func harmlessTexts() []string {
	return []string{"Siobhán O'Brien", "AT&T; R&D", "5 < 6, I <3 it", "select a union representative", "Ẹ̀kọ́ 👋🏾 日本", "&lt;script&gt; is text", "100% sure + \"quoted\" \\ back/slash", "a=b&c=d;e"}
}

// liveMarkup is what a browser takes for the beginning of markup, once whatever
// drops control characters has done so.
func liveMarkup(s string) bool {
	s = regexp.MustCompile(`[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]`).ReplaceAllString(s, "")
	return regexp.MustCompile(`<[a-zA-Z!?]|</.`).MatchString(s)
}

// TestCarriers brings every payload by every carrier to a backend behind a real
// gateway, over HTTP/1.1 and HTTP/2, in every mode that promises something. With
// -v it prints what became of them.
func TestCarriers(t *testing.T) {
	w := open(t)
	b := &receiver{}
	w.backend("HR", b.receive)
	var routes strings.Builder
	for _, mode := range []string{"strip", "reject"} {
		fmt.Fprintf(&routes, "  - {name: %[1]s, match: {path: /%[1]s}, upstream: hr, public: true, policy: off, sanitize: {html: %[1]s, sql_injection: reject, query: reject, "+
			"headers: [x-note], media_types: [application/json, application/*+json, application/x-www-form-urlencoded, multipart/form-data, text/plain]}}\n", mode)
	}
	w.start("upstreams:\n  hr: {endpoints: [\"{HR}\"]}\nroutes:\n"+routes.String(), "")
	table := &carrierTable{cells: map[string]map[string]map[string]int{}}
	for _, p := range []proto{plainH1, tlsH2} {
		for _, c := range carriers() {
			for _, mode := range []string{"strip", "reject"} {
				for family, list := range families() {
					for _, s := range list {
						table.add(c.name, family, tryCarrier(t, w, b, p, c, mode, family, s))
					}
				}
				for _, s := range harmlessTexts() {
					table.add(c.name, "harmless", tryHarmless(t, w, b, p, c, mode, s))
				}
			}
		}
	}
	if testing.Verbose() {
		table.print()
	}
}

// receiver is the backend: it remembers the last request.
type receiver struct {
	mu   sync.Mutex
	last *http.Request
	body []byte
}

func (b *receiver) receive(_ http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	b.mu.Lock()
	defer b.mu.Unlock()
	b.last, b.body = r, body
}

func (b *receiver) take() (*http.Request, []byte) {
	b.mu.Lock()
	defer b.mu.Unlock()
	r, body := b.last, b.body
	b.last, b.body = nil, nil
	return r, body
}

// tryCarrier sends one payload and says what became of it.
func tryCarrier(t *testing.T, w *world, b *receiver, p proto, c carrier, mode, family, s string) string {
	r, ok := c.write(s)
	if !ok {
		return "-"
	}
	r.target = "/" + mode + r.target
	o := w.ask(p, r)
	got, body := b.take()
	at := fmt.Sprintf("%s, %s, %s, %s %q", p, c.name, mode, family, s)
	if got == nil {
		want := "input_rejected"
		if c.refused != "" {
			want = c.refused
		}
		// The door itself takes no control characters in a query.
		if o.code() != want && !(c.bodyless && (o.code() == "path_invalid" || o.status == 400)) {
			t.Errorf("%s: refused with %v, want %s", at, o, want)
		}
		if strings.Contains(o.body, "alert") || strings.Contains(o.body, "UNION") {
			t.Errorf("%s: the refusal shows what was sent: %s", at, o.body)
		}
		return fmt.Sprint(o.status)
	}
	sql := strings.HasPrefix(family, "SQL")
	if c.refused != "" || mode == "reject" || c.held || sql {
		t.Errorf("%s: it arrived: %s %.200q", at, got.URL, body)
	}
	for _, text := range c.read(got, body) {
		if liveMarkup(text) {
			t.Errorf("%s: live at the backend: %q", at, text)
		}
	}
	return "clean"
}

// tryHarmless sends a text that has to arrive byte for byte.
func tryHarmless(t *testing.T, w *world, b *receiver, p proto, c carrier, mode, s string) string {
	r, ok := c.write(s)
	if !ok {
		return "-"
	}
	target := r.target
	r.target = "/" + mode + r.target
	o := w.ask(p, r)
	got, body := b.take()
	at := fmt.Sprintf("%s, %s, %s, harmless %q", p, c.name, mode, s)
	if c.refused != "" {
		if got != nil || o.code() != c.refused {
			t.Errorf("%s: %v", at, o)
		}
		return fmt.Sprint(o.status)
	}
	switch {
	case got == nil:
		t.Errorf("%s: refused: %v", at, o)
		return fmt.Sprint(o.status)
	case !c.bodyless && !strings.HasPrefix(c.name, "multipart") && string(body) != r.body:
		t.Errorf("%s: %q became %q", at, r.body, body)
	case target != "" && "?"+got.URL.RawQuery != target:
		t.Errorf("%s: the query became %q", at, got.URL.RawQuery)
	case !slices.Contains(c.read(got, body), s) && !slices.Contains(c.read(got, body), "["+escaped(s)+"]"):
		t.Errorf("%s: the backend reads %q", at, c.read(got, body))
	}
	return "same"
}

// carrierTable counts what became of payloads, by carrier and family.
type carrierTable struct {
	names []string
	cells map[string]map[string]map[string]int
}

func (c *carrierTable) add(carrier, family, result string) {
	if c.cells[carrier] == nil {
		c.names = append(c.names, carrier)
		c.cells[carrier] = map[string]map[string]int{}
	}
	if c.cells[carrier][family] == nil {
		c.cells[carrier][family] = map[string]int{}
	}
	c.cells[carrier][family][result]++
}

func (c *carrierTable) print() {
	columns := append(slices.Sorted(maps.Keys(families())), "harmless")
	rows := tabwriter.NewWriter(os.Stdout, 0, 0, 2, ' ', 0)
	fmt.Fprintln(rows, "carrier\t"+strings.Join(columns, "\t"))
	for _, name := range c.names {
		fmt.Fprint(rows, name)
		for _, family := range columns {
			var cell []string
			for _, result := range slices.Sorted(maps.Keys(c.cells[name][family])) {
				cell = append(cell, fmt.Sprintf("%d %s", c.cells[name][family][result], result))
			}
			fmt.Fprint(rows, "\t", strings.Join(cell, ", "))
		}
		fmt.Fprintln(rows)
	}
	_ = rows.Flush()
}
