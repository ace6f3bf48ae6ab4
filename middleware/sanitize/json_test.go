package sanitize

import (
	"bytes"
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/gatehouse-dev/gatehouse/config"
)

// newJudge judges by the configuration.
func newJudge(t testing.TB, c config.Sanitize) *judge {
	t.Helper()
	r, err := newRules(&c)
	if err != nil {
		t.Fatal(err)
	}
	return &judge{rules: r, cleaner: newCleaner(), words: newSQLWords()}
}

// seen is a visitor that writes down what it is shown.
type seen struct{ texts []string }

func (s *seen) text(p pointer, text string) (string, error) {
	s.texts = append(s.texts, p.String()+"="+text)
	return text, nil
}

func (s *seen) pass(pointer, []byte, bool) bool { return false }

func (s *seen) name(pointer) error { return nil }

func TestJSONTextsAreSeenDecoded(t *testing.T) {
	const doc = ` {"a":"\u003cscript\u003e","b":[1,"x",{"c/d":"\ud83d\ude00\n"},[]],"":{"~":"q"},"n":-1.50e+3,"t":true,"u":null} `
	var v seen
	out, err := rewriteJSON([]byte(doc), nil, &v)
	if err != nil {
		t.Fatal(err)
	}
	want := []string{"/a=<script>", "/b/1=x", "/b/2/c~1d=😀\n", "//~0=q"}
	if d := cmp.Diff(want, v.texts); d != "" {
		t.Error(d)
	}
	if string(out) != doc {
		t.Errorf("changed to %s", out)
	}
}

func TestJSONRewrite(t *testing.T) {
	for name, tt := range map[string]struct{ in, want string }{
		"only the text":   {`{ "n" : 1.00, "a":"<b>x</b>", "z":"AT\u0026T"}`, `{ "n" : 1.00, "a":"x", "z":"AT\u0026T"}`},
		"escaped":         {`{"a":"\u003cscript\u003ealert(1)\u003c/script\u003eAda"}`, `{"a":"Ada"}`},
		"escaped again":   {`["<b>\"q\" \\ \n \u2028</b>"]`, `["\"q\" \\ \n ` + "\u2028" + `"]`},
		"no HTML escapes": {`["<b>AT&T</b> 5 > 3"]`, `["AT&T 5 > 3"]`},
		"scalar":          {` "<i>x</i>" `, ` "x" `},
		"deep":            {`[[[{"a":["<b>","ok","<i>y"]}]]]`, `[[[{"a":["","ok","y"]}]]]`},
		"hidden by NUL":   {`["\u0000<\u0000b>x"]`, `["x"]`},
	} {
		got, err := rewriteJSON([]byte(tt.in), nil, newJudge(t, config.Sanitize{}))
		if err != nil || string(got) != tt.want {
			t.Errorf("%s: %s, %v; want %s", name, got, err, tt.want)
		}
	}
}

func TestJSONRefused(t *testing.T) {
	many := make([]string, 40)
	for i := range many {
		many[i] = `"k` + strings.Repeat("x", i) + `":1`
	}
	for name, in := range map[string]string{
		"empty":             "",
		"space":             "  ",
		"byte order mark":   "\ufeff{}",
		"trailing":          `{} {}`,
		"trailing comma":    `[1,]`,
		"repeated name":     `{"a":1,"a":2}`,
		"repeated decoded":  `{"a":1,"\u0061":2}`,
		"repeated of many":  "{" + strings.Join(many, ",") + `,"kx":2}`,
		"NaN":               `[NaN]`,
		"single quotes":     `{'a':1}`,
		"comment":           `{}//x`,
		"leading zero":      `[01]`,
		"plus":              `[+1]`,
		"half number":       `[1.]`,
		"exponent":          `[1e]`,
		"invalid UTF-8":     "[\"\xff\"]",
		"overlong":          "[\"\xc0\xbcb>\"]",
		"surrogate in UTF8": "[\"\xed\xa0\x80\"]",
		"lone high":         `["\ud800"]`,
		"lone low":          `["\udc00"]`,
		"high and letter":   `["\ud800\u0061"]`,
		"control":           "[\"a\x01\"]",
		"line end in text":  "[\"a\nb\"]",
		"bad escape":        `["\x41"]`,
		"short escape":      `["\u12"]`,
		"unterminated":      `["abc`,
		"half object":       `{"a"`,
		"NUL":               "[1\x00]",
		"too deep":          strings.Repeat("[", maxDepth+1) + strings.Repeat("]", maxDepth+1),
	} {
		if _, err := rewriteJSON([]byte(in), nil, &seen{}); !errors.Is(err, errMalformed) {
			t.Errorf("%s: %v", name, err)
		}
	}
	deep := strings.Repeat("[", maxDepth) + strings.Repeat("]", maxDepth)
	if _, err := rewriteJSON([]byte(deep), nil, &seen{}); err != nil {
		t.Errorf("depth %d: %v", maxDepth, err)
	}
}

func TestNamesWithMarkup(t *testing.T) {
	doc := []byte(`{"a":{"\u003cb>":1}}`)
	for mode, want := range map[string]string{
		strip: "the name of a field in /a holds markup", ugc: "the name of a field in /a holds markup",
		reject: "the name of a field in /a holds markup", report: "", off: "",
	} {
		j := newJudge(t, config.Sanitize{HTML: mode})
		out, err := rewriteJSON(doc, nil, j)
		got := ""
		if err != nil {
			got = err.Error()
		} else if !bytes.Equal(out, doc) {
			t.Errorf("%s: changed to %s", mode, out)
		}
		if got != want {
			t.Errorf("%s: %q, want %q", mode, got, want)
		}
		if _, noted := j.found["sanitize_report"]; noted != (mode == report) {
			t.Errorf("%s: noted %v", mode, j.found)
		}
	}
}

func TestNamesWithSQL(t *testing.T) {
	doc := []byte(`{"a":{"id":1,"1' OR '1'='1":1,"order":2,"select":[]}}`)
	j := newJudge(t, config.Sanitize{})
	if out, err := rewriteJSON(doc, nil, j); err != nil || !bytes.Equal(out, doc) {
		t.Errorf("%s, %v", out, err)
	}
	if d := cmp.Diff(map[string][]string{"sanitize_sql_injection": {"/a"}}, j.found); d != "" {
		t.Error(d)
	}
	_, err := rewriteJSON(doc, nil, newJudge(t, config.Sanitize{SQLInjection: reject}))
	if err == nil || err.Error() != "the name of a field in /a looks like an SQL injection" {
		t.Error(err)
	}
}

func TestFieldModes(t *testing.T) {
	c := config.Sanitize{HTML: reject, Fields: map[string]config.SanitizeField{
		"/bio":          {HTML: ugc},
		"/items/*/note": {HTML: strip},
		"/items/1/note": {HTML: off},
		"/raw~1x":       {HTML: off},
		"/*/*/any":      {HTML: report},
	}}
	in := `{"bio":"<b>x</b><script>y</script>","items":[{"note":"<i>z"},{"note":"<i>z"},{"any":"<u>"}],"raw/x":"<a>"}`
	want := `{"bio":"<b>x</b>","items":[{"note":"z"},{"note":"<i>z"},{"any":"<u>"}],"raw/x":"<a>"}`
	j := newJudge(t, c)
	got, err := rewriteJSON([]byte(in), nil, j)
	if err != nil || string(got) != want {
		t.Errorf("%s, %v", got, err)
	}
	found := map[string][]string{
		"sanitize_ugc": {"/bio"}, "sanitize_strip": {"/items/0/note"}, "sanitize_report": {"/items/2/any"},
	}
	if d := cmp.Diff(found, j.found); d != "" {
		t.Error(d)
	}
	// An entry is for the field itself, not for what a client puts inside it.
	for _, in := range []string{`{"other":"<b>"}`, `{"bio":["<b>"]}`, `["<b>"]`} {
		if _, err := rewriteJSON([]byte(in), nil, newJudge(t, c)); err == nil {
			t.Errorf("%s passed", in)
		}
	}
}

func TestPasswordsStay(t *testing.T) {
	c := config.Sanitize{SQLInjection: off}
	in := `{"password":"a<b>c","user":{"New_Password":"<i>"},"client-secret":"<u>","pwd":"<a>","secretary":"<b>Ada"}`
	want := strings.Replace(in, "<b>Ada", "Ada", 1)
	j := newJudge(t, c)
	if got, err := rewriteJSON([]byte(in), nil, j); err != nil || string(got) != want {
		t.Errorf("%s, %v", got, err)
	}
	found := map[string][]string{
		"sanitize_report": {"/password", "/user/New_Password", "/client-secret", "/pwd"}, "sanitize_strip": {"/secretary"},
	}
	if d := cmp.Diff(found, j.found); d != "" {
		t.Error(d)
	}
	c.Fields = map[string]config.SanitizeField{"/password": {HTML: strip}}
	if got, err := rewriteJSON([]byte(`{"password":"a<b>c"}`), nil, newJudge(t, c)); err != nil || string(got) != `{"password":"ac"}` {
		t.Errorf("%s, %v", got, err)
	}
	c.HTML = reject
	if _, err := rewriteJSON([]byte(in), nil, newJudge(t, c)); err == nil {
		t.Error("reject was not heeded")
	}
}

func TestTooMuchMarkup(t *testing.T) {
	in, _ := json.Marshal([]string{strings.Repeat("<b>", maxMarkup/6), strings.Repeat("<b>", maxMarkup/6)})
	if _, err := rewriteJSON(in, nil, newJudge(t, config.Sanitize{})); err != nil {
		t.Error(err)
	}
	in, _ = json.Marshal([]string{strings.Repeat("<b>", maxMarkup/3), "x", "<b>y</b>"})
	_, err := rewriteJSON(in, nil, newJudge(t, config.Sanitize{}))
	if err == nil || err.Error() != "the field /2 holds more markup than can be taken out" {
		t.Error(err)
	}
	if out, err := rewriteJSON(in, nil, newJudge(t, config.Sanitize{HTML: report})); err != nil || !bytes.Equal(out, in) {
		t.Error(err)
	}
}

func TestOrdinaryDocumentsStay(t *testing.T) {
	for _, s := range ordinary() {
		escaped, _ := json.Marshal(map[string]any{"name": s, "list": []string{s}})
		raw := append(appendQuoted([]byte(`{"name":`), s), '}')
		for _, doc := range [][]byte{escaped, raw} {
			got, err := rewriteJSON(doc, nil, newJudge(t, config.Sanitize{}))
			if err != nil || !bytes.Equal(got, doc) {
				t.Errorf("%s became %s, %v", doc, got, err)
			}
		}
	}
}

func FuzzJSON(f *testing.F) {
	for _, s := range []string{
		`{"a":[1,-0.5e+10,true,false,null,"x\u00e9\n"]}`, `{"a":1,"a":2}`, `["\ud83d\ude00"]`, `["\ud800"]`, `"<b>x"`, ` [ ] `, "\ufeff1", `{"\u003cb>":"<"}`,
	} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, doc []byte) {
		var v seen
		same, err := rewriteJSON(doc, nil, &v)
		if err != nil && !errors.Is(err, errMalformed) {
			t.Fatal(err)
		}
		if err == nil && (!json.Valid(doc) || !bytes.Equal(same, doc)) {
			t.Fatalf("%q was accepted as %q", doc, same)
		}
		if err != nil && json.Valid(doc) && !stricter(err) {
			t.Fatalf("%q is valid: %v", doc, err)
		}
		if err != nil {
			return
		}
		j := newJudge(t, config.Sanitize{SQLInjection: off})
		out, err := rewriteJSON(doc, nil, j)
		if err != nil || j.found["sanitize_report"] != nil {
			return // a name with markup, or a password
		}
		if marked := strings.ContainsFunc(strings.Join(v.texts, ""), func(r rune) bool { return r == '<' }); !marked && !bytes.Equal(out, doc) {
			t.Fatalf("%q without markup became %q", doc, out)
		}
		again, err := rewriteJSON(out, nil, newJudge(t, config.Sanitize{HTML: reject, SQLInjection: off}))
		if err != nil || !bytes.Equal(again, out) {
			t.Fatalf("%q became %q, which is not clean: %v", doc, out, err)
		}
	})
}

// stricter reports whether the error is about what the grammar leaves open.
func stricter(err error) bool {
	for _, s := range []string{"repeated", "UTF-8", "surrogate", "too deep"} {
		if strings.Contains(err.Error(), s) {
			return true
		}
	}
	return false
}
