package detect

import (
	"bytes"
	"strings"
	"testing"
)

func newDetector(t testing.TB, ids map[string]string) *Detector {
	t.Helper()
	d, err := New(ids)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// testCards are numbers that issuers and acquirers publish for tests.
func testCards() []string {
	return []string{
		"4111111111111111", "4012888888881881", "4242424242424242", "4000056655665556", "4222222222222", // Visa
		"5555555555554444", "5105105105105100", "2223003122003222", "2223000048400011", // Mastercard
		"378282246310005", "371449635398431", "378734493671000", // American Express
		"6011111111111117", "6011000990139424", // Discover
		"3056930009020004", "30569309025904", "38520000023237", "36227206271667", // Diners Club
		"3530111333300000", "3566002020360505", // JCB
		"6200000000000005", "6205500000000000004", // UnionPay
		"6759649826438453", "6304000000000000", "6799990100000000019", // Maestro
		"9792030394440796", // Troy
	}
}

// testIBANs are the examples of the IBAN registry, or valid ones where the
// registry's own are.
func testIBANs() []string {
	return strings.Fields(`
		AD1200012030200359100100 AE070331234567890123456 AL47212110090000000235698741 AT611904300234573201
		AZ21NABZ00000000137010001944 BA391290079401028494 BE68539007547034 BG80BNBG96611020345678
		BH67BMAG00001299123456 BI4210000100010000332045181 BR1800360305000010009795493C1
		BY13NBRB3600900000002Z00AB00 CH9300762011623852957 CR05015202001026284066
		CY17002001280000001200527600 CZ6508000000192000145399 DE89370400440532013000
		DJ2100010000000154000100186 DK5000400440116243 DO28BAGR00000001212453611324 EE382200221020145685
		EG380019000500000000263180002 ES9121000418450200051332 FI2112345600000785 FK88SC123456789012
		FO6264600001631634 FR1420041010050500013M02606 GB29NWBK60161331926819 GE29NB0000000101904917
		GI75NWBK000000007099453 GL8964710001000206 GR1601101250000000012300695
		GT82TRAJ01020000001210029690 HN88CABF00000000000250005469 HR1210010051863000160
		HU42117730161111101800000000 IE29AIBK93115212345678 IL620108000000099999999
		IQ98NBIQ850123456789012 IS140159260076545510730339 IT60X0542811101000000123456
		JO94CBJO0010000000000131000302 KW81CBKU0000000000001234560101 KZ86125KZT5004100100
		LB62099900000001001901229114 LC55HEMM000100010012001200023015 LI21088100002324013AA
		LT121000011101001000 LU280019400644750000 LV80BANK0000435195001 LY83002048000020100120361
		MC5811222000010123456789030 MD24AG000225100013104168 ME25505000012345678951 MK07250120000058984
		MN121234123456789123 MR1300020001010000123456753 MT84MALT011000012345MTLCAST001S
		MU17BOMM0101101030300200000MUR NI45BAPR00000013000003558124 NL91ABNA0417164300 NO9386011117947
		OM810180000001299123456 PK36SCBL0000001123456702 PL61109010140000071219812874
		PS92PALS000000000400123456702 PT50000201231234567890154 QA58DOHB00001234567890ABCDEFG
		RO49AAAA1B31007593840000 RS35260005601001611379 RU0304452522540817810538091310419
		SA0380000000608010167519 SC18SSCB11010000000000001497USD SD2129010501234001
		SE4550000000058398257466 SI56263300012039086 SK3112000000198742637541
		SM86U0322509800000000270100 SO211000001001000100141 ST23000100010051845310146
		SV62CENR00000000000000700025 TL380080012345678910157 TN5910006035183598478831
		TR330006100519786457841326 UA213223130000026007233566001 VA59001123000012345678
		VG96VPVG0000012345678901 XK051212012345678906 YE15CBYE0001018861234567891234`)
}

// every puts sep after every n bytes of s.
func every(s string, n int, sep string) string {
	var b strings.Builder
	for i := range len(s) {
		if i > 0 && i%n == 0 {
			b.WriteString(sep)
		}
		b.WriteByte(s[i])
	}
	return b.String()
}

func TestPublishedNumbers(t *testing.T) {
	d := newDetector(t, nil)
	is := func(text string, isString bool, want string) {
		t.Helper()
		if got := d.Class([]byte(text), isString); got != want {
			t.Errorf("%q (string: %t) is %q, want %q", text, isString, got, want)
		}
	}
	for _, n := range testCards() {
		is(n, true, Card)
		is(n, false, Card)
		is(every(n, 4, " "), true, Card)
		is(every(n, 4, "-"), true, Card)
		is("paid with "+n+", thanks", true, Card)
		is(n[:4]+" "+n[4:9]+"-"+n[9:], true, "")
		is(every(n, 4, "  "), true, "")
		is(every(n, 2, " "), true, "")
		wrong := []byte(n)
		wrong[7] = '0' + (wrong[7]-'0'+1)%10
		is(string(wrong), true, "")
		is(string(wrong), false, "")
	}
	countries := map[string]bool{}
	for _, n := range testIBANs() {
		countries[n[:2]] = true
		is(n, true, IBAN)
		is(strings.ToLower(n), true, IBAN)
		is(every(n, 4, " "), true, IBAN)
		is("IBAN: "+every(n, 4, " ")+" (main)", true, IBAN)
		is(n[:len(n)-1], true, "")
		is(n+"0", true, "")
		is(n+"X", true, "")
		is("A"+n, true, "")
		is(every(n, 5, " "), true, "")
		check := []byte(n)
		check[3] = '0' + (check[3]-'0'+1)%10
		is(string(check), true, "")
	}
	for a := byte('A'); a <= 'Z'; a++ {
		for b := byte('A'); b <= 'Z'; b++ {
			if name := string([]byte{a, b}); (ibanLayout(a, b) != "") != countries[name] {
				t.Errorf("country %s: registered %t, example %t", name, !countries[name], countries[name])
			}
		}
	}
}

// TestIssuers has a number with the right check digit at the ends of every
// range and beside them.
func TestIssuers(t *testing.T) {
	d := newDetector(t, nil)
	tests := []struct {
		prefix  string
		lengths []int
	}{
		{"1", nil},
		{"40", []int{13, 16, 19}},
		{"49", []int{13, 16, 19}},
		{"51", []int{16}},
		{"55", []int{16}},
		{"59", nil},
		{"2220", nil},
		{"2221", []int{16}},
		{"2720", []int{16}},
		{"2721", nil},
		{"33", nil},
		{"34", []int{15}},
		{"37", []int{15}},
		{"3000", []int{14, 16, 17, 18, 19}},
		{"3060", nil},
		{"3527", nil},
		{"3528", []int{16, 17, 18, 19}},
		{"3589", []int{16, 17, 18, 19}},
		{"3590", nil},
		{"36", []int{14, 16, 17, 18, 19}},
		{"6012", []int{16}},
		{"6011", []int{16, 17, 18, 19}},
		{"643", nil},
		{"644", []int{16, 17, 18, 19}},
		{"62", []int{16, 17, 18, 19}},
		{"61", nil},
		{"2199", nil},
		{"2200", []int{16, 17, 18, 19}},
		{"2205", nil},
		{"69", nil},
		{"7", nil},
		{"89", nil},
		{"9791", nil},
		{"9792", []int{16}},
		{"20240517", nil},
	}
	for _, tt := range tests {
		for n := 12; n <= 20; n++ {
			number := withCheckDigit(tt.prefix, n)
			want := ""
			for _, l := range tt.lengths {
				if l == n {
					want = Card
				}
			}
			if got := d.Class([]byte(number), true); got != want {
				t.Errorf("%s (%d digits) is %q, want %q", number, n, got, want)
			}
		}
	}
	// Of Visa's form and an article number at once, as one in ten is.
	if n := []byte("4000000000006"); !luhn(n) || !gtin(n) || d.Class(n, true) != "" || d.Class(n, false) != "" {
		t.Errorf("%s is not taken for an article", n)
	}
}

// withCheckDigit fills prefix up to n digits, with a check digit that no article
// number has.
func withCheckDigit(prefix string, n int) string {
	for fill := '0'; ; fill++ {
		number := []byte(prefix + strings.Repeat(string(fill), n-1-len(prefix)) + "0")
		for !luhn(number) {
			number[n-1]++
		}
		if n != 13 || !gtin(number) {
			return string(number)
		}
	}
}

func TestClass(t *testing.T) {
	tests := []struct{ text, want string }{
		{"ada@example.com", Email},
		{"Ada.Lovelace+work@mail.example.co.uk", Email},
		{"Ada Lovelace <ada@example.com>", Email},
		{"write to ada@example.com.", Email},
		{"mailto:ada@example.com?subject=x", Email},
		{"o'brien@example.com", Email},
		{"ada@163.com", Email},
		{"ada@EXAMPLE.COM", Email},
		{"анна@пример.рф", Email},
		{"ada@xn--e1afmkfd.xn--p1ai", Email},
		{"邮箱ada@example.com谢谢", Email},
		{"a@b @c ada@example.com: new", Email},
		{"+14155550123", Phone},
		{"+1 (415) 555-0123", Phone},
		{"+44 20 7946 0958", Phone},
		{"+44 (0)20 7946 0958", Phone},
		{"+49-171-1234567", Phone},
		{"+33.6.12.34.56.78", Phone},
		{"+2348031234567", Phone},
		{"020 7946 0958", Phone},
		{"(020) 7946 0958", Phone},
		{"(020) 7946-0958", Phone},
		{"06 12 34 56 78", Phone},
		{"06.12.34.56.78", Phone},
		{"06-12-34-56-78", Phone},
		{"0171/1234567", Phone},
		{"0171/123 45 67", Phone},
		{"070-123 45 67", Phone},
		{"0151 12345678", Phone},
		{"0300-1234567", Phone},
		{"03-1234-5678", Phone},
		{"0803 123 4567", Phone},
		{"(212) 555-0142", Phone},
		{"(212)555-0142", Phone},
		{"123-45-6789", USSSN},
		{"899-01-0001", USSSN},
		{"card 4111 1111 1111 1111 12/27", Card},
		{"card 4111 1111 1111 1111 2027 123", Card},
		{"table 12 4111 1111 1111 1111", Card},
		{"pan=4111111111111111;cvv=123", Card},
		{"卡号4111111111111111。", Card},
		{"(4111-1111-1111-1111)", Card},
		{"4111 1111 1111 1111.", Card},
		{"ada@example.com 4111111111111111", Card},
		{"ada@example.com GB29NWBK60161331926819", IBAN},
		{"/accounts/GB29NWBK60161331926819", IBAN},
	}
	d := newDetector(t, nil)
	for _, tt := range tests {
		if got := d.Class([]byte(tt.text), true); got != tt.want {
			t.Errorf("%q is %q, want %q", tt.text, got, tt.want)
		}
		if got := d.Class([]byte(tt.text), false); got != "" {
			t.Errorf("%q as a number is %q", tt.text, got)
		}
	}
}

func TestNothing(t *testing.T) {
	lines := `
Engineer|London|active|true|*
0|1|42|-1|1.5|40000.50|1e10|19.99|1,234,567.89|$4111111111111111|4111111111111111.00|4111111111111111.5
2024-05-17|2024-05-17T10:00:00Z|2024-05-17T10:00:00.123456789+02:00|20240517100000|2024051710000000
17.05.2024|01/02/2024|01-02-2024|01-02-2024-12|01.02.2024 12:30|2024-05-17 10:00:00,123456|10:00:00
1715940000|1715940000000|1715940000000000|1715940000000000000|P3Y6M4DT12H30M5S
550e8400-e29b-41d4-a716-446655440000|41111111-1111-1111-1111-111111111111|00000000-0000-0000-0000-000000000000
550e8400e29b41d4a716446655440000|01ARZ3NDEKTSV4RRFFQ69G5FAV|507f1f77bcf86cd799439011
d41d8cd98f00b204e9800998ecf8427e|da39a3ee5e6b4b0d3255bfef95601890afd80709|sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855
1.2.3|v1.26.8|10.0.19045.3803|1.0.0-rc.1+build.4111|2.31.1-1ubuntu0.20.04.2
192.0.2.1|010.012.034.056|255.255.255.255:8080|2001:db8::1|fe80::1ff:fe23:4567:890a%eth0|00:1b:44:11:3a:b7
51.5074, -0.1278|51.507412345678901|-0.127812345678901|+48.8566140|+48.8566140,+2.3522219|POINT(30.5595 15.1234567)
ORD-2024-0012345|ORD-4111111111111111|INV4111111111111111|4111111111111111-1|4111111111111111_a|2024/4111111111111111
order/4111111111111111/items|a4111111111111111|4111111111111111a|41111111111111112222|+4111111111111111
12345678901|0123456789|00447911123456|020794609580|4915112345677|5551234567|555-1234|212-555-0142|1-800-555-0199
0000-1234-5678|0012-3456-78|0123-4567-8901|0123-45-67-890|0.12.345.6789|01.23456789|+0123456789
+1234567|+1234567890123456|++14155550123|+1 415  5550123|+1 415 555 0123 |+(415|+()14155550123|(0|()|+|+-|020 (7946 0958|
(112) 555-0142|(212) 555-0142 |(012) 555|(21) 2555-0142
000-12-3456|666-12-3456|900-12-3456|123-00-4567|123-45-0000|123456789|123-456-789|12a-45-6789
978-0-306-40615-7|4006381333931|5012345678900|490154203237518|356938035643809|8944110000000000001|12345678901234567890
@|a@|@b.co|a@b|ada@localhost|a@b.c|.@example.com|a.@example.com|ada@-example.com|ada@example-.com|ada@example..com|ada@.com
ada@example.c0m|ada@10.0.0.1|ada@[10.0.0.1]|react@18.2.0|package@4.1.2.tgz|logo@2x.png|icon@3x.webp|image@sha256:0123
git@github.com:org/repo.git|ssh://git@github.com/org/repo|https://u:p@db.example.com:5432/x|@ada@example.com_x|me at example.com|10 @ 1.50
GB29NWBK6016133192681|GB29 NWBK 6016 1331 926819|GB29NWBK 6016 1331 9268 19|GB29-NWBK-6016-1331-9268-19|XX29NWBK60161331926819
DE89 3704 0044 0532 0130|US64SVBKUS6S3300958879|FR7630006000011234567890189X
`
	d := newDetector(t, nil)
	for _, line := range strings.Split(strings.TrimSpace(lines), "\n") {
		for _, text := range strings.Split(line, "|") {
			for _, isString := range []bool{true, false} {
				if got := d.Class([]byte(text), isString); got != "" {
					t.Errorf("%q (string: %t) is %q", text, isString, got)
				}
			}
		}
	}
	for _, text := range []string{"-4111111111111111", "4111111111111111.0", "4111111111111111e0", "4111 1111 1111 1111"} {
		if got := d.Class([]byte(text), false); got != "" {
			t.Errorf("the number %s is %q", text, got)
		}
	}
}

func TestLongTexts(t *testing.T) {
	d := newDetector(t, map[string]string{"long": `x+`})
	for _, what := range []struct{ text, class string }{
		{"4111111111111111", Card}, {"GB29NWBK60161331926819", IBAN}, {"ada@example.com", Email},
	} {
		fill := strings.Repeat(".", MaxText-1-len(what.text)) + " "
		for i := range 2 {
			want := []string{what.class, ""}[i]
			if got := d.Class([]byte(strings.Repeat(".", i)+fill+what.text), true); got != want {
				t.Errorf("%s at the end of %d bytes is %q, want %q", what.text, MaxText+i, got, want)
			}
		}
	}
	if got := d.Class(bytes.Repeat([]byte("x"), 5000), true); got != "national_id:long" {
		t.Errorf("a long text of the pattern is %q", got)
	}
}

func FuzzClass(f *testing.F) {
	for _, s := range append(testCards(), testIBANs()...) {
		f.Add(s)
	}
	for _, s := range []string{"ada@example.com", "Ada <ada@example.com>", "+44 (0)20 7946 0958", "123-45-6789", "(212) 555-0142", "\xff@\xff.\xff\xff"} {
		f.Add(s)
	}
	d := newDetector(f, map[string]string{"nin": `\d{11}`})
	f.Fuzz(func(t *testing.T, s string) {
		digits, at := survey([]byte(s))
		want := 0
		for i := range len(s) {
			if strings.IndexByte("0123456789", s[i]) >= 0 {
				want++
			}
		}
		if digits != want || at != strings.Contains(s, "@") {
			t.Fatalf("%q has %d digits, not %d; '@' %t", s, want, digits, at)
		}
		d.Class([]byte(s), false)
		class := d.Class([]byte(s), true)
		if in := "see " + s + " ok"; len(in) <= MaxText && (class == Card || class == IBAN || class == Email) {
			if got := d.Class([]byte(in), true); got != class {
				t.Fatalf("%q is %q, and %q inside of a text", s, class, got)
			}
		}
	})
}
