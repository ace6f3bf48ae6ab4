package sanitize

import (
	"encoding/json"
	"fmt"
	"net/url"
	"os"
	"strings"
	"testing"
	"unicode"

	libinjection "github.com/corazawaf/libinjection-go"

	"github.com/gatehouse-dev/gatehouse/config"
)

// lines reads a list of texts.
func lines(t testing.TB, file string) []string {
	t.Helper()
	b, err := os.ReadFile("testdata/" + file)
	if err != nil {
		t.Fatal(err)
	}
	return strings.Split(strings.TrimSuffix(string(b), "\n"), "\n")
}

// fullNames are people of many languages: each family name with three first
// names.
func fullNames() []string {
	first := []string{
		"Adébáyọ̀", "Siobhán", "Zoë", "Søren", "Łukasz", "Žofia", "İbrahim", "Ayşe", "Nguyễn", "Иван", "Ольга", "Γιώργος", "מֹשֶׁה", "محمد",
		"فاطمة", "अनिता", "বিমল", "தமிழ்", "ราชา", "みゆき", "小明", "민준", "Chloé", "Jean-Luc", "Mary Ann", "J. R. R.", "Ng'ang'a", "María José",
		"Þórunn", "Ægir", "Dʼzeko", "Keʻala", "Ọ̀ṣun", "Хүрэл", "Ани", "გიორგი", "ደበበ", "Mc", "X Æ A-12", "Q",
	}
	last := []string{
		"O'Brien", "O’Neill", "D'Angelo", "Ọlátúnjí", "van der Berg", "de la Cruz", "al-Khwārizmī", "Mc Donald", "Smith-Jones", "Müller-Lüdenscheidt",
		"Ångström", "Đặng", "Петрова", "Παπαδόπουλος", "בן־גוריון", "بن سعيد", "शर्मा", "சுப்பிரமணியம்", "ธนาคาร", "山田", "王", "김", "Ramírez y Cajal",
		"Null", "Test", "True", "Union", "Select", "Drop", "Table", "Order", "Grant", "Begin", "Case", "Like", "Set", "Sr.", "III", "& Sons", "(née Ray)",
	}
	var out []string
	for i, l := range last {
		for j := range 3 {
			out = append(out, first[(i+j*13)%len(first)]+" "+l)
		}
	}
	return out
}

// naughty are texts of the kinds that break programs, and that people send: none
// of them has a tag.
func naughty() []string {
	out := strings.Fields(`undefined undef null NULL (null) nil NIL true false True False TRUE FALSE None hasOwnProperty then constructor
		__proto__ \ \\ 0 1 1.00 $1.00 1/2 1E2 1E02 1E+02 -1 -1.00 -$1.00 -1/2 0/0 -2147483648/-1 -9223372036854775808/-1 -0 -0.0 +0 +0.0 0.00
		0..0 . 0.0.0 0,00 0,,0 , 0,0,0 --1 - -. -, NaN Infinity -Infinity INF 1#INF -1#IND 1#QNAN 0x0 0xffffffff 0xabad1dea 123456789012345678901234567890123456789
		1,000.00 1'000.00 01000 08 09 2.2250738585072011e-308 .;/[]-= ,./;'[]-= !@#$%^&*()\x60~ %s %d %n %p %x %@ {0} %*.*s %d%s $HOME $ENV{'HOME'}
		%00 \u0000 \x00 &nbsp; &amp; &lt; &gt; &lt;script&gt; &#60;b&#62; ../../../../etc/passwd ../../../../etc/hosts CON PRN AUX CLOCK$ NUL A: COM1 LPT1
		LPT2 file.txt.exe a.b.c /dev/null;touch ~root $(touch) {{7*7}} ${7*7} #{7*7} *{7*7} @(1+1) =1+1 =cmd|' @SUM(1) +1-1 -- ;-- '; "; ') ") javascript: onclick
		onerror= alert(1) eval(x) document.cookie expression() url(x) data:text/html vbscript: src=x style=x href=# ]]> --> */ ?> %> }} /> > >> >>> < << <3 <- <= <> <1 <$
		Scunthorpe Penistone Lightwater Cockburn evaluate mocha expression Arsenal classic basement DCC`)
	out = append(out,
		"<>", "< script>", "<\tb>", "<=script", "<3 <3 <3", "a<1", "a < b > c", "&ltscript", "\uff1cscript\uff1e", "‹b›", "«b»", "＜b＞", "⟨b⟩",
		"Ω≈ç√∫˜µ≤≥÷", "åß∂ƒ©˙∆˚¬…æ", "œ∑´®†¥¨ˆøπ“‘", "¡™£¢∞§¶•ªº–≠", "¸˛Ç◊ı˜Â¯˘¿", "⅛⅜⅝⅞", "ЁЂЃЄЅІЇЈЉЊЋЌЍЎЏ", "٠١٢٣٤٥٦٧٨٩", "⁰⁴⁵₀₁₂", "ด้้้้้็็็็็้้้้้็็็็็",
		"田中さんにあげて下さい", "パーティーへ行かないか", "和製漢語", "部落格", "사회과학원 어학연구소", "찦차를 타고 온 펲시맨", "社會科學院語學研究所", "울란바토르", "𠜎𠜱𠝹𠱓", "Ⱥ Ⱦ", "ヽ༼ຈل͜ຈ༽ﾉ", "(｡◕ ∀ ◕｡)",
		"👩🏽", "👨\u200d👩\u200d👧\u200d👦", "👾 🙇 💁 🙅", "🐵 🙈 🙉 🙊", "❤️ 💔 💌", "✋🏿 💪🏿 👐🏿", "🚾 🆒 🆓", "0️⃣ 1️⃣", "🇺🇸🇷🇺🇸 🇦🇫", "１２３", "הָיְתָהtestالصفحات التّحول", "﷽", "ﷺ", "مُنَاقَشَةُ سُبُلِ", "\u202etest\u202c", "\u2066test\u2067", "\u202a\u202a᚛ᚄᚓᚐᚋᚒᚄ",
		"Ṱ̺̺̕o͞ ̷i̲̬͇̪͙n̝̗͕v̟̜̘̦͟o̶̙̰̠kè͚̮̺̪̹̱̤", "Z̮̞̠͙͔ͅḀ̗̞͈̻̗Ḷ͙͎̯̹̞͓G̻O̭̗̮", "˙ɐnbᴉlɐ ɐuƃɐɯ ǝɹolop", "Ｔｈｅ ｑｕｉｃｋ", "𝐓𝐡𝐞 𝕢𝕦𝕚𝕔𝕜", "𝓣𝓱𝓮 ⒯⒣⒠", "Powerلُلُصّبُلُلصّبُررً ॣ ॣh ॣ ॣ 冗", "జ్ఞ\u200cా", "గ్ల",
		"\u00a0", "\u2000\u2001\u2028\u2029", "\u200b\u200c\u200d\ufeff", "\u00ad", "\ufffd", "\ufffe", "\U0010ffff", "\u0085", "\t", "\r\n", " leading", "trailing ", "",
		"\x01\x02\x03", "a\x00b", "\x7f", "\x1b[31mred\x1b[0m", "\x1b]0;title\x07", "If you're reading this, you've been in a coma", "Roses are \x1b[0;31mred", "But now...\x1b[20Cfor my greatest trick...\x1b[8m", "The quic\b\b\b\b\b\bk brown fo\x07",
		"`touch /tmp/x`", "$(sleep 1)", "() { 0; }; echo", "() { _; } >_[$($())] { x; }", "<<< %s", "Kernel.exit(1)", "System(\"ls\")", "eval(\"puts 'hello'\")", "--help", "--version", "-rf", "@import 'x'",
		"SELECT a FROM b WHERE c < 5 AND d > 3", "1;DROP TABLE users", "' OR 1=1 -- 1", "1' or '1'='1", "map[string]int", "x <- c(1,2)", "a <<= 2", "i<10;i++", "std::vector< int > v", "ch <- 1", "cat <<'EOF'", "#include < stdio.h >",
	)
	return out
}

// everyScript has a text for each script of Unicode, of its own characters.
func everyScript() []string {
	var out []string
	for name, table := range unicode.Scripts {
		var b strings.Builder
		for _, r := range table.R16 {
			for c := rune(r.Lo); c <= rune(r.Hi) && b.Len() < 60; c += rune(r.Stride) {
				if c != '<' {
					b.WriteRune(c)
				}
			}
		}
		for _, r := range table.R32 {
			for c := rune(r.Lo); c <= rune(r.Hi) && b.Len() < 60; c += rune(r.Stride) {
				b.WriteRune(c)
			}
		}
		out = append(out, name+": "+strings.ToValidUTF8(b.String(), ""))
	}
	return out
}

// plainTexts is everything that must not change.
func plainTexts(t testing.TB) []string {
	out := append(ordinary(), fullNames()...)
	out = append(append(out, naughty()...), everyScript()...)
	for i, s := range lines(t, "prose.txt") {
		out = append(out, s)
		if i%3 == 0 { // and as a longer text of several lines
			out = append(out, s+"\n\n- "+s+"\r\n\t• "+s)
		}
	}
	for c := range rune(0x180) { // each character alone, and around an angle
		if c != '<' {
			out = append(out, fmt.Sprintf("x%cy < %c", c, c))
		}
	}
	return out
}

// Text without a tag is what it was, byte for byte, in whatever carries it.
func TestPlainTextStays(t *testing.T) {
	texts := map[string]bool{}
	for _, s := range plainTexts(t) {
		if s = strings.ToValidUTF8(s, ""); !tokens(s) {
			texts[s] = true
		}
	}
	if len(texts) < 1000 {
		t.Fatalf("only %d texts", len(texts))
	}
	modes, changed := []string{report, strip, reject, formatting, ugc}, 0
	for _, mode := range modes {
		j := newJudge(t, config.Sanitize{HTML: mode})
		for s := range texts {
			for carrier, doc := range carried(s) {
				out, err := doc.rewrite([]byte(doc.body), j)
				if err != nil || string(out) != doc.body {
					t.Errorf("%s, %s: %q became %q, %v", mode, carrier, doc.body, out, err)
					changed++
				}
			}
		}
	}
	t.Logf("%d texts without a tag, in %d modes and %d carriers: %d changed", len(texts), len(modes), len(carried("")), changed)
}

// carriedText is a document with a text in it, and what rewrites such.
type carriedText struct {
	body    string
	rewrite func([]byte, visitor) ([]byte, error)
}

// carried gives documents that hold the text as a value and as a name.
func carried(s string) map[string]carriedText {
	escaped, _ := json.Marshal(map[string]any{"a": s, s: []string{s}})
	raw := string(appendQuoted([]byte(`{ "a" : `), s)) + " }"
	form := "a=" + url.QueryEscape(s) + "&" + url.QueryEscape(s) + "=b"
	asJSON := func(b []byte, v visitor) ([]byte, error) { return rewriteJSON(b, nil, v) }
	return map[string]carriedText{
		"JSON, escaped": {string(escaped), asJSON},
		"JSON":          {raw, asJSON},
		"form":          {form, rewriteForm},
		"text":          {s, func(b []byte, v visitor) ([]byte, error) { return rewriteText(b, nil, v) }},
	}
}

// libinjection takes some prose for SQL. Which of it is told here, and in the
// README, so that nobody is surprised; the bound may only go down.
func TestProseTakenForSQL(t *testing.T) {
	prose := lines(t, "prose.txt")
	var flagged []string
	j := newJudge(t, config.Sanitize{SQLInjection: reject})
	for _, s := range prose {
		out, err := rewriteJSON(appendQuoted(nil, s), nil, j)
		if err != nil {
			flagged = append(flagged, s)
		}
		if is, _ := libinjection.IsSQLi(s); is != (err != nil) {
			t.Errorf("%q: libinjection says %v, and the judge %s, %v", s, is, out, err)
		}
	}
	t.Logf("%d of %d texts are taken for SQL injections:", len(flagged), len(prose))
	readme, err := os.ReadFile("../README.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range flagged {
		t.Logf("  %s", s)
		if !strings.Contains(string(readme), "\n"+s+"\n") {
			t.Errorf("the README does not tell of %q", s)
		}
	}
	if len(prose) < 200 || len(flagged) > falseAlarms {
		t.Errorf("%d false alarms in %d texts, want at most %d in 200 or more", len(flagged), len(prose), falseAlarms)
	}
	for _, s := range []string{"Siobhán O'Brien", "select a union representative", "drop table 5 near the window", "SELECT name FROM staff"} {
		if is, _ := libinjection.IsSQLi(s); is {
			t.Errorf("%q is taken for an injection", s)
		}
	}
}

func TestInjectionsFound(t *testing.T) {
	attacks := lines(t, "injections.txt")
	var missed []string
	j := newJudge(t, config.Sanitize{SQLInjection: reject})
	for _, s := range attacks {
		if _, err := rewriteJSON(appendQuoted(nil, s), nil, j); err == nil {
			missed = append(missed, s)
		}
	}
	t.Logf("%d of %d injections are found; not found:", len(attacks)-len(missed), len(attacks))
	for _, s := range missed {
		t.Logf("  %s", s)
	}
	if found := len(attacks) - len(missed); found < injectionsFound {
		t.Errorf("%d are found, want %d", found, injectionsFound)
	}
}

const (
	falseAlarms     = 8
	injectionsFound = 90
)
