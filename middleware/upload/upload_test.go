package upload

import (
	"bytes"
	"context"
	"errors"
	"io"
	"mime"
	"mime/multipart"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/gabriel-vasile/mimetype"

	"github.com/gatehouse-dev/gatehouse/config"
	"github.com/gatehouse-dev/gatehouse/middleware"
	"github.com/gatehouse-dev/gatehouse/middleware/middlewaretest"
)

func stage(t testing.TB, c config.Upload) middleware.Stage {
	t.Helper()
	if c.Extensions == nil {
		c.Extensions = []string{"pdf", ".PNG", "jpg", "jpeg", "gif", "docx", "xlsx", "odt", "txt", "csv", "json", "zip", "rtf"}
	}
	s, err := New(&c)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// send passes a body through the stage and gives the code and detail of the
// refusal. The files of what passes must arrive as they were sent.
func send(t testing.TB, s middleware.Stage, mediaType, body string, opts ...func(*middleware.Exchange)) (code, detail string) {
	t.Helper()
	up := middlewaretest.NewUpstream(t, http.StatusOK, "", "")
	st := s.(*Stage)
	route := func(x *middleware.Exchange) {
		x.Route.Upload = &config.Upload{FileBytes: st.fileBytes, Files: st.files}
	}
	opts = append([]func(*middleware.Exchange){middlewaretest.Header("Content-Type", mediaType), route}, opts...)
	var src io.Reader
	if body != "" {
		src = strings.NewReader(body)
	}
	x := middlewaretest.Exchange(t, "POST", "http://api.example.com/x", src, opts...)
	_, _, err := middlewaretest.Run(t, s, x, up.Handle)
	if err == nil && !slices.Equal(contents(mediaType, body), contents(x.Request.Header.Get("Content-Type"), up.Got)) {
		t.Error("the body changed")
	}
	if err != nil && up.Calls.Load() > 0 {
		t.Error("refused and sent upstream")
	}
	var r *middleware.Refusal
	if errors.As(err, &r) {
		detail = r.Detail
	}
	return middlewaretest.Code(err), detail
}

// contents takes a form apart as the standard library does; another body is one.
func contents(mediaType, body string) []string {
	_, params, err := mime.ParseMediaType(mediaType)
	if err != nil || params["boundary"] == "" || body == "" {
		return []string{body}
	}
	var out []string
	for r := multipart.NewReader(strings.NewReader(body), params["boundary"]); ; {
		p, err := r.NextRawPart()
		if err != nil {
			return out
		}
		b, _ := io.ReadAll(p)
		out = append(out, p.FormName(), p.FileName(), p.Header.Get("Content-Type"), string(b))
	}
}

const media = "multipart/form-data; boundary=b0undary"

func TestAccepted(t *testing.T) {
	s := stage(t, config.Upload{})
	for _, f := range []file{
		{"cv.pdf", "application/pdf", []byte(pdf)},
		{"CV.PDF", "", []byte(pdf)},
		{"photo.png", "image/png", picture(t, "png")},
		{"photo.jpg", "image/jpeg", picture(t, "jpeg")},
		{"photo.jpeg", "application/octet-stream", picture(t, "jpeg")},
		{"photo.gif", "image/gif", picture(t, "gif")},
		{"cv.docx", "application/vnd.openxmlformats-officedocument.wordprocessingml.document", docx(t)},
		{"late.docx", "", lateDocx(t)},
		{"cv.odt", "application/vnd.oasis.opendocument.text", odt(t)},
		{"late.odt", "", archive(t, entry{"content.xml", "<office/>"}, entry{"mimetype", "application/vnd.oasis.opendocument.text"})},
		{"notes.txt", "text/plain; charset=utf-8", []byte("5 < 6, AT&T, Ẹ káàárọ̀")},
		{"notes.txt", "text/plain", []byte("\xff\xfeh\x00i\x00")},
		{"people.csv", "application/vnd.ms-excel", []byte("name,unit\nO'Brien,R&D\n")},
		{"data.json", "application/json", []byte(`{"a":[1,2]}`)},
		{"bundle.zip", "application/x-zip-compressed", archive(t, entry{"a/b.txt", "x"}, entry{"a/", ""})},
		{"letter.rtf", "application/rtf", []byte(`{\rtf1\ansi hello}`)},
		{"Résumé of Adé (final) 👩🏾‍💻.v2.acme.com.pdf", "application/pdf", []byte(pdf)},
		{"", "application/octet-stream", nil}, // no file chosen
	} {
		if code, detail := send(t, s, media, form(f)); code != "" {
			t.Errorf("%s as %q: %s: %s", f.name, f.declared, code, detail)
		}
	}
}

func TestRejected(t *testing.T) {
	s := stage(t, config.Upload{})
	const (
		unlike   = "its content is not what its extension says"
		declared = "its declared type is not one of its extension"
		unlisted = "its extension is not one of"
		page     = "it holds a page or a script"
		macros   = "it holds macros"
	)
	macroListing := strings.Replace(listing, "openxmlformats-officedocument.wordprocessingml.document.main", "ms-word.document.macroEnabled.main", 1)
	main := entry{"word/document.xml", "<w:document/>"}
	for name, tt := range map[string]struct {
		file
		want string
	}{
		"program":              {file{"a.exe", "", []byte("MZ\x90\x00")}, unlisted},
		"page":                 {file{"a.html", "text/html", []byte("<html>")}, unlisted},
		"program as PDF":       {file{"a.pdf", "application/pdf", []byte("MZ\x90\x00\x03\x00")}, unlike},
		"page as text":         {file{"a.txt", "text/plain", []byte("<!DOCTYPE html><html>")}, unlike},
		"page as PNG":          {file{"a.png", "image/png", []byte("<html><script>")}, unlike},
		"PNG as JPEG":          {file{"a.jpg", "image/jpeg", picture(t, "png")}, unlike},
		"PNG declared PDF":     {file{"a.png", "application/pdf", picture(t, "png")}, declared},
		"PDF declared page":    {file{"a.pdf", "text/html", []byte(pdf)}, declared},
		"PDF behind a page":    {file{"a.pdf", "", []byte("<html><script>x</script>" + pdf)}, "it does not start as a PDF does"},
		"PDF behind anything":  {file{"a.pdf", "", []byte(strings.Repeat(" ", 600) + pdf)}, "it does not start as a PDF does"},
		"short JPEG":           {file{"a.jpg", "", []byte("\xff\xd8\xff")}, "it is not a whole image"},
		"cut GIF":              {file{"a.gif", "", []byte("GIF89a")}, "it is not a whole image"},
		"cut PNG":              {file{"a.png", "", picture(t, "png")[:40]}, "it is not a whole image"},
		"PNG and page":         {file{"a.png", "", append(picture(t, "png"), "<script>x()</script>"...)}, "something follows the image"},
		"PNG and archive":      {file{"a.png", "", append(picture(t, "png"), docx(t)...)}, "something follows the image"},
		"JPEG and archive":     {file{"a.jpg", "", append(picture(t, "jpeg"), docx(t)...)}, "it is an archive too"},
		"JPEG and PHP":         {file{"a.jpg", "", append(picture(t, "jpeg"), "<?PHP system(1);"...)}, page},
		"JPEG and short PHP":   {file{"a.jpg", "", append(picture(t, "jpeg"), "<?= system(1) ?>    "...)}, page},
		"GIF and page":         {file{"a.gif", "", append(picture(t, "gif"), "<Html><body>"...)}, page},
		"SVG as text":          {file{"a.txt", "", []byte(" \n\t<svg onload=x()>")}, "it holds markup"},
		"fragment as text":     {file{"a.txt", "text/plain", []byte("hello <img src=x onerror=x()>")}, "it holds markup"},
		"UTF-16 page as text":  {file{"a.txt", "", []byte("\xff\xfe<\x00h\x00t\x00m\x00l\x00>\x00")}, "it holds markup"},
		"late page as text":    {file{"a.txt", "", []byte(strings.Repeat(" ", 5000) + "<html>")}, "it holds markup"},
		"shell script as text": {file{"a.txt", "", []byte("#!/bin/sh\necho x\n")}, unlike},
		"binary as text":       {file{"a.txt", "", []byte("a\x00\x01\x02")}, unlike},
		"broken JSON":          {file{"a.json", "", []byte(`{"a":`)}, "it is not JSON"},
		"archive as document":  {file{"a.docx", "", archive(t, entry{"x.txt", "x"})}, "it lacks the parts of such a document"},
		"sheet as document":    {file{"a.docx", "", archive(t, entry{"[Content_Types].xml", listing}, entry{"xl/workbook.xml", "x"})}, unlike},
		"document as sheet":    {file{"a.xlsx", "", docx(t)}, unlike},
		"document as archive":  {file{"a.zip", "", docx(t)}, unlike},
		"program as archive":   {file{"a.zip", "", archive(t, entry{"META-INF/MANIFEST.MF", "x"})}, unlike},
		"macros":               {file{"a.docx", "", docx(t, entry{"word/vbaProject.bin", "x"})}, macros},
		"macros in other case": {file{"a.docx", "", docx(t, entry{"word/VBAPROJECT.BIN", "x"})}, macros},
		"macros by type":       {file{"a.docx", "", archive(t, entry{"[Content_Types].xml", macroListing}, main)}, macros},
		"macros by entity":     {file{"a.docx", "", archive(t, entry{"[Content_Types].xml", strings.Replace(macroListing, "macroE", "&#109;acroE", 1)}, main)}, "its list of types cannot be read"},
		"macros in UTF-16":     {file{"a.docx", "", archive(t, entry{"[Content_Types].xml", "\xff\xfe<\x00T\x00"}, main)}, "its list of types cannot be read"},
		"macros in odt":        {file{"a.odt", "", odt(t, entry{"Basic/Standard/x.xml", "x"})}, macros},
		"other OpenDocument":   {file{"a.odt", "", archive(t, entry{"mimetype", "application/vnd.oasis.opendocument.text-master"}, entry{"content.xml", "x"})}, ""},
		"leaves its folder":    {file{"a.docx", "", docx(t, entry{"../../etc/passwd", "x"})}, "it has an entry that leaves its folder"},
		"absolute entry":       {file{"a.zip", "", archive(t, entry{"a", "x"}, entry{"/etc/passwd", "x"})}, "it has an entry that leaves its folder"},
		"backslash entry":      {file{"a.zip", "", archive(t, entry{`..\a`, "x"})}, "it has an entry that leaves its folder"},
		"entry twice":          {file{"a.docx", "", docx(t, entry{"Word/document.xml", "x"})}, "it has an entry twice"},
		"two archives":         {file{"a.docx", "", append(docx(t), docx(t)...)}, "it is more than one archive, or not only an archive"},
		"other archive after":  {file{"a.docx", "", append(archive(t, entry{"x.php", "<?php"}), docx(t)...)}, "it is more than one archive, or not only an archive"},
		"something after":      {file{"a.docx", "", append(docx(t), "<html>"...)}, "it is more than one archive, or not only an archive"},
		"bomb":                 {file{"a.zip", "", archive(t, entry{"a", strings.Repeat("\x00", 4<<20)})}, "it unpacks to too much"},
		"cut archive":          {file{"a.docx", "", docx(t)[:200]}, "its directory cannot be read"},
		"encrypted":            {file{"a.zip", "", encrypted(archive(t, entry{"a", "x"}))}, "it is encrypted"},
		"empty":                {file{"a.txt", "text/plain", nil}, "it is empty"},
		"content without name": {file{"", "text/plain", []byte("x")}, "it has no name"},
	} {
		t.Run(name, func(t *testing.T) {
			code, detail := send(t, s, media, form(tt.file))
			if want := "file 1 (field doc) is not accepted: " + tt.want; code != "upload_rejected" || !strings.HasPrefix(detail, want) {
				t.Errorf("%s: %s, want %s", code, detail, want)
			}
		})
	}
}

// encrypted marks the first entry in the directory as encrypted.
func encrypted(data []byte) []byte {
	i := strings.Index(string(data), "PK\x01\x02")
	data[i+8] |= 1
	return data
}

func viewOf(data []byte) *view {
	return newView(context.Background(), bytes.NewReader(data), int64(len(data)))
}

// Lengths that a damaged archive states must not be believed.
func TestDamagedArchives(t *testing.T) {
	whole := archive(t, entry{"a", "xyz"}, entry{"b", "x"})
	for i := range whole {
		for _, c := range []byte{0x00, 0xff} {
			data := bytes.Clone(whole)
			data[i] = c
			checkZip(viewOf(data))
			checkOffice(viewOf(data), "a")
			checkOpen(viewOf(data), "a")
		}
		if checkZip(viewOf(whole[:i])) == "" {
			t.Errorf("%d bytes of %d are an archive", i, len(whole))
		}
	}
	if end := "PK\x03\x04PK\x05\x06" + strings.Repeat("\x00", 12) + "\x04\x00\x00\x00\x00\x00"; checkZip(viewOf([]byte(end))) == "" {
		t.Error("nothing is an archive")
	}
	// A name in the first header that is longer than the file.
	long := bytes.Clone(whole)
	long[26], long[27] = 0xff, 0xff
	if checkZip(viewOf(long)) == "" {
		t.Error("a name beyond the end")
	}
}

func TestTooManyEntries(t *testing.T) {
	entries := make([]entry, maxEntries+1)
	for i := range entries {
		entries[i].name = "f" + strings.Repeat("x", i%100) + string(rune('a'+i/100%26)) + string(rune('a'+i/2600))
	}
	if got := checkZip(viewOf(archive(t, entries...))); got != "it has too many entries" {
		t.Error(got)
	}
	if got := checkZip(viewOf(archive(t, entries[:maxEntries]...))); got != "" {
		t.Error(got)
	}
}

func TestNames(t *testing.T) {
	s := stage(t, config.Upload{})
	for _, name := range []string{
		"../a.pdf", "a/b.pdf", `C:%5ca.pdf`, "a:b.pdf", "a.php:.pdf", ".pdf", ".htaccess.pdf", "a.pdf.", "a.pdf ", " a.pdf", "pdf", "a.",
		"a.php.pdf", "a.PHP5.pdf", "a.x.phtml.y.pdf", "a.asp;.pdf", "a.jsp.x.pdf", "a.php .pdf", "<img src=x>.pdf",
		"a\u202efdp.pdf", "a\u0085.pdf", "%2e%2e%2fa.pdf", "a%00.pdf", strings.Repeat("a", 252) + ".pdf", "a\ufeff.pdf",
	} {
		if code, detail := send(t, s, media, form(file{name, "", []byte(pdf)})); code != "upload_rejected" {
			t.Errorf("%q: %q %s", name, code, detail)
		}
	}
	for _, name := range []string{"a.pdf", "php.pdf", "a.b.c.pdf", "100%.pdf", "it's.pdf", "a b.pdf", strings.Repeat("a", 251) + ".pdf"} {
		if code, detail := send(t, s, media, form(file{name, "", []byte(pdf)})); code != "" {
			t.Errorf("%q: %q %s", name, code, detail)
		}
	}
}

func TestBounds(t *testing.T) {
	s := stage(t, config.Upload{FileBytes: 100, Files: 2})
	a := file{"a.txt", "", []byte(strings.Repeat("x", 100))}
	b := file{"b.txt", "", []byte(strings.Repeat("x", 101))}
	none := file{"", "application/octet-stream", nil}
	for name, tt := range map[string]struct {
		files        []file
		code, detail string
	}{
		"as allowed":    {[]file{a, none, a}, "", ""},
		"one too many":  {[]file{a, a, a}, "upload_rejected", "there are more than 2 files"},
		"one too large": {[]file{a, b}, "body_too_large", "file 2 is larger than 100"},
	} {
		if code, detail := send(t, s, media, form(tt.files...)); code != tt.code || detail != tt.detail {
			t.Errorf("%s: %s: %s", name, code, detail)
		}
	}
	large := file{"a.txt", "", []byte(strings.Repeat("x", defaultFileBytes+1))}
	if code, detail := send(t, stage(t, config.Upload{}), media, form(large)); code != "body_too_large" || !strings.HasSuffix(detail, "2MiB") {
		t.Errorf("default: %s: %s", code, detail)
	}
	eleven := make([]file, defaultFiles+1)
	for i := range eleven {
		eleven[i] = a
	}
	if code, _ := send(t, stage(t, config.Upload{}), media, form(eleven...)); code != "upload_rejected" {
		t.Errorf("default: %s", code)
	}
}

func TestMediaTypes(t *testing.T) {
	s := stage(t, config.Upload{})
	good := form(file{"a.pdf", "", []byte(pdf)})
	for media, want := range map[string]string{
		"application/json":                    "",
		"":                                    "",
		"multipart/form-data":                 "body_malformed",
		"multipart/form-data; boundary=other": "body_malformed",
		"Multipart/Form-Data;boundary=\"b0undary\"":          "",
		"multipart/mixed; boundary=b0undary":                 "media_type_unsupported",
		"multipart/form-data; boundary=a; boundary=b0undary": "media_type_unsupported",
		"multipart/form-data; boundary*=utf-8''b0undary":     "media_type_unsupported",
		"text/plain, multipart/form-data; boundary=b0undary": "media_type_unsupported",
	} {
		if code, detail := send(t, s, media, good); code != want {
			t.Errorf("%s: %q %s", media, code, detail)
		}
	}
	twice := func(x *middleware.Exchange) { x.Request.Header.Add("Content-Type", "text/plain") }
	if code, _ := send(t, s, media, good, twice); code != "media_type_unsupported" {
		t.Errorf("two types: %q", code)
	}
	if code, _ := send(t, s, media, good, middlewaretest.Header("Content-Encoding", "gzip")); code != "media_type_unsupported" {
		t.Errorf("encoded: %q", code)
	}
	if code, _ := send(t, s, media, ""); code != "" {
		t.Errorf("no body: %q", code)
	}
}

func TestFieldIsNamedOnlyIfPlain(t *testing.T) {
	for field, want := range map[string]string{
		"docs[0].file": "file 2 (field docs[0].file)", "": "file 2", "<b>": "file 2", "Ẹ": "file 2", strings.Repeat("a", 65): "file 2",
	} {
		if got := place(2, field); got != want {
			t.Errorf("%q: %s", field, got)
		}
	}
}

func TestNew(t *testing.T) {
	if s, err := New(nil); s != nil || err != nil {
		t.Errorf("not configured: %v, %v", s, err)
	}
	for _, extensions := range [][]string{nil, {"pdf", "qqq"}, {"docm"}, {""}} {
		if s, err := New(&config.Upload{Extensions: extensions}); err == nil {
			t.Errorf("%q: %v", extensions, s)
		}
	}
	s := stage(t, config.Upload{Extensions: []string{"PDF", ".png"}})
	if got := s.(middleware.Describer).Describe(); s.Name() != "upload" || got != "pdf png; at most 10 files of 2MiB" {
		t.Errorf("%s: %s", s.Name(), got)
	}
}

// Every kind of the table must be one that its content can be told to be.
func TestKindsCanBeFound(t *testing.T) {
	for ext, k := range kinds() {
		if len(k.declared) == 0 || len(k.found) == 0 || !lookup(k.found) {
			t.Errorf("%s: %v", ext, k.found)
		}
	}
	// An extension beyond the table, which the standard library knows.
	k, err := kindOf("wasm")
	if err != nil {
		t.Fatal(err)
	}
	if found, ok := k.finds([]byte("\x00asm\x01\x00\x00\x00")); !ok || found != "application/wasm" {
		t.Errorf("%q %v", found, ok)
	}
	if found, ok := k.finds([]byte(pdf)); ok {
		t.Errorf("a PDF is %q", found)
	}
}

func FuzzUpload(f *testing.F) {
	for _, seed := range []file{
		{"a.pdf", "application/pdf", []byte(pdf)},
		{"a.png", "", picture(f, "png")},
		{"a.jpg", "", picture(f, "jpeg")},
		{"a.gif", "", picture(f, "gif")},
		{"a.docx", "", docx(f)},
		{"a.odt", "", odt(f)},
		{"a.txt", "text/plain", []byte("x < y")},
	} {
		f.Add(seed.name, seed.data)
	}
	s := stage(f, config.Upload{}).(*Stage)
	f.Fuzz(func(t *testing.T, name string, data []byte) {
		if _, reason := s.judge(name, "", viewOf(data)); strings.Contains(reason, "\n") {
			t.Errorf("%q", reason)
		}
		if s.kinds["txt"].check(viewOf(data)) == "" && strings.Contains(string(data), "<script") {
			t.Errorf("%q passed as text", data)
		}
	})
}

func lookup(types []string) bool {
	for _, t := range types {
		if mimetype.Lookup(t) == nil {
			return false
		}
	}
	return true
}
