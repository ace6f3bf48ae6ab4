package sanitize

import (
	"go/ast"
	"go/build"
	"go/parser"
	"go/token"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"

	libinjection "github.com/corazawaf/libinjection-go"
)

// The kinds of tokens, as libinjection writes them in fingerprints. A text of
// words alone has tokens of these kinds and of those in signal.
const (
	quiet  = "1nfv.,?" // numbers, words, functions, variables, punctuation
	signal = "EU&BktToA"
)

// tables gives the words and phrases of the library by kind, and the
// fingerprints that it flags.
func tables(t *testing.T) (words map[string]byte, flagged []string) {
	t.Helper()
	pkg, err := build.Import("github.com/corazawaf/libinjection-go", ".", build.FindOnly)
	if err != nil {
		t.Fatal(err)
	}
	file, err := parser.ParseFile(token.NewFileSet(), filepath.Join(pkg.Dir, "sqli_data.go"), nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	words = map[string]byte{}
	ast.Inspect(file, func(n ast.Node) bool {
		kv, ok := n.(*ast.KeyValueExpr)
		if !ok {
			return true
		}
		key, isKey := kv.Key.(*ast.BasicLit)
		value, isValue := kv.Value.(*ast.BasicLit)
		if !isKey || !isValue || key.Kind != token.STRING || value.Kind != token.CHAR {
			return true
		}
		k, _ := strconv.Unquote(key.Value)
		v, _ := strconv.Unquote(value.Value)
		if v == "F" {
			flagged = append(flagged, strings.TrimPrefix(k, "0"))
		} else {
			words[k] = v[0]
		}
		return true
	})
	if len(words) < 900 || len(flagged) < 8000 {
		t.Fatalf("%d words and %d fingerprints: the tables are not read", len(words), len(flagged))
	}
	return words, flagged
}

// What is flagged without a listed word has a character that harmless does not
// let through.
func TestHarmlessFollowsTheTables(t *testing.T) {
	words, flagged := tables(t)
	w := newSQLWords()
	quietly := strings.ToUpper(quiet)
	for _, f := range flagged {
		if strings.Trim(f, quietly) == "" {
			t.Errorf("%s is flagged, and needs no word that signals", f)
		}
	}
	for phrase, kind := range words {
		plain := !strings.ContainsFunc(phrase, func(r rune) bool {
			return r != ' ' && (r >= 0x80 || w.class[r] == beyond)
		})
		if !plain || !strings.ContainsRune(signal, rune(kind)) {
			if plain && !strings.ContainsRune(quiet, rune(kind)) {
				t.Errorf("%s is of the kind %c, about which nothing is known", phrase, kind)
			}
			continue
		}
		if !slices.ContainsFunc(strings.FieldsFunc(phrase, func(r rune) bool { return w.class[r] == blank }), func(s string) bool {
			return w.has([]byte(s))
		}) {
			t.Errorf("%s (%c) has no listed word", phrase, kind)
		}
	}
	for r := rune(0x80); r <= unicode.MaxRune; r++ {
		if up := strings.ToUpper(string(r)); up[0] < 0x80 && !folds(utf8.AppendRune(nil, r)) {
			t.Errorf("%U is %s in capitals", r, up)
		}
	}
}

func TestHarmless(t *testing.T) {
	w := newSQLWords()
	for text, want := range map[string]bool{
		"": true, "Ada Lovelace": true, "Adébáyọ̀ Ọlátúnjí": true, "EMP123, floor 7.": true, "voilà": true, "active": true, "12.50": true,
		"1 union": false, "unıon": false, "ſet": false, "7union": false, "O'Brien": false, "a-b": false, "SELECT": false, "x.Union": false,
		"voilà\u00a0union": false, "a=b": false, "rock and roll": false, "x\x00y": false, "_utf8 x": false,
	} {
		if got := w.harmless([]byte(text)); got != want {
			t.Errorf("%q: %v", text, got)
		}
	}
	if (*sqlWords)(nil).harmless([]byte("a")) {
		t.Error("nothing is harmless without the words")
	}
}

// FuzzHarmless makes sentences of the library's own words: each byte of the input
// picks one, or what stands between two.
func FuzzHarmless(f *testing.F) {
	f.Add([]byte("1 union select"), []byte{1, 2, 3})
	f.Add([]byte("a collate utf8_bin 1"), []byte{200, 0, 100, 7})
	w := newSQLWords()
	pool := strings.Fields(keywords + " by outer table join user null true current_date sleep version utf8_bin 1 0x1 1e 5.5 . , ? x à \u00a0 ı")
	f.Fuzz(func(t *testing.T, text, picks []byte) {
		var sentence strings.Builder
		for i, b := range picks {
			sentence.WriteString(pool[(int(b)+i*37)%len(pool)] + " ")
		}
		for _, s := range []string{string(text), sentence.String(), sentence.String() + string(text)} {
			if !utf8.ValidString(s) || !w.harmless([]byte(s)) {
				continue
			}
			if is, print := libinjection.IsSQLi(s); is {
				t.Fatalf("%q is flagged as %s", s, print)
			}
		}
	})
}
