package middleware_test

import (
	"bytes"
	"errors"
	"io"
	"mime"
	"mime/multipart"
	"os"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/gatehouse-dev/gatehouse/config"
	"github.com/gatehouse-dev/gatehouse/middleware"
	"github.com/gatehouse-dev/gatehouse/middleware/middlewaretest"
)

// formOf writes parts with the boundary b.
func formOf(parts ...string) string {
	return "--b\r\nContent-Disposition: form-data; " + strings.Join(parts, "\r\n--b\r\nContent-Disposition: form-data; ") + "\r\n--b--\r\n"
}

const formType = "multipart/form-data; boundary=b"

// formExchange is a request with a form to a route that takes files.
func formExchange(t *testing.T, body io.Reader, opts ...func(*middleware.Exchange)) *middleware.Exchange {
	t.Helper()
	uploads := func(x *middleware.Exchange) {
		x.Route.Upload = &config.Upload{FileBytes: 8 << 20, Files: 3}
		x.Request.ContentLength = -1
	}
	return middlewaretest.Exchange(t, "POST", "http://api.example.com/x", body,
		append([]func(*middleware.Exchange){middlewaretest.Header("Content-Type", formType), uploads}, opts...)...)
}

// sent reads what goes upstream as the standard library does.
func sent(t *testing.T, x *middleware.Exchange) []string {
	t.Helper()
	for range 2 { // a body may be asked for again
		var err error
		if x.Request.Body, err = x.Request.GetBody(); err != nil {
			t.Fatal(err)
		}
	}
	raw, err := io.ReadAll(x.Request.Body)
	if err != nil || int64(len(raw)) != x.Request.ContentLength {
		t.Fatalf("%d bytes, Content-Length %d, %v", len(raw), x.Request.ContentLength, err)
	}
	_, params, err := mime.ParseMediaType(x.Request.Header.Get("Content-Type"))
	if err != nil || params["boundary"] == "b" {
		t.Fatalf("%q %v", x.Request.Header.Get("Content-Type"), err)
	}
	var out []string
	r := multipart.NewReader(bytes.NewReader(raw), params["boundary"])
	for {
		p, err := r.NextRawPart()
		if err == io.EOF {
			return out
		}
		if err != nil {
			t.Fatal(err)
		}
		b, err := io.ReadAll(p)
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, p.FormName()+"|"+p.FileName()+"|"+p.Header.Get("Content-Type")+"|"+string(b))
	}
}

func TestFormIsWrittenAnew(t *testing.T) {
	large := strings.Repeat("large file ", 100_000)
	x := formExchange(t, strings.NewReader(formOf(
		"name=a\r\n\r\none", "name=\"f\"; filename=\"Adé.txt\"\r\nContent-Type: Text/Plain; charset=UTF-8; x=y\r\nX-Odd: 1\r\n\r\n"+large,
		"name=\"e\"; filename=\"\"\r\nContent-Type: application/octet-stream\r\n\r\n", "name=\"g\"; filename=\"s.bin\"\r\n\r\nsmall",
	)))
	f, err := x.Form("test")
	if err != nil {
		t.Fatal(err)
	}
	if again, err := x.Form("test"); again != f || err != nil {
		t.Errorf("read twice: %v", err)
	}
	want := []string{"a|||one", "f|Adé.txt|text/plain; charset=UTF-8|" + large, "e||application/octet-stream|", "g|s.bin||small"}
	if got := sent(t, x); strings.Join(got, "\n") != strings.Join(want, "\n") {
		t.Errorf("%.300q", got)
	}
	f.Parts[0].Text = []byte("two")
	if err := x.SetForm(f); err != nil {
		t.Fatal(err)
	}
	if got := sent(t, x); got[0] != "a|||two" || len(got) != 4 {
		t.Errorf("%.300q", got)
	}
}

// Whatever becomes of a request, it leaves no memory, no room and no file taken.
func TestFormIsGivenBack(t *testing.T) {
	big := strings.Repeat("x", 3<<20)
	file := "name=\"f\"; filename=\"f.bin\"\r\n\r\n" + big
	for name, tt := range map[string]struct {
		body io.Reader
		opt  func(*middleware.Exchange)
		want string
	}{
		"whole":          {strings.NewReader(formOf("name=a\r\n\r\nx", file, file)), nil, ""},
		"no files taken": {strings.NewReader(formOf(file)), func(x *middleware.Exchange) { x.Route.Upload = nil }, "upload_rejected"},
		"a charset":      {strings.NewReader(formOf(file, "name=a\r\nContent-Type: text/plain; charset=utf-7\r\n\r\n+ADw-")), nil, "media_type_unsupported"},
		"of the form":    {strings.NewReader(formOf(file)), middlewaretest.Header("Content-Type", formType+"; charset=utf-16"), "media_type_unsupported"},
		"controls":       {strings.NewReader(formOf("name=a\r\nContent-Type: text/plain; charset=iso-8859-1\r\n\r\n\x9b")), nil, "body_malformed"},
		"too many":       {strings.NewReader(formOf(file, file, file, file)), func(x *middleware.Exchange) { x.Route.Upload.Files = 2 }, "upload_rejected"},
		"too large":      {strings.NewReader(formOf(file)), func(x *middleware.Exchange) { x.Route.Upload.FileBytes = 1 << 20 }, "body_too_large"},
		"large text":     {strings.NewReader(formOf("name=a\r\n\r\n" + big)), nil, "body_too_large"},
		"no room":        {strings.NewReader(formOf(file)), func(x *middleware.Exchange) { x.Spool = middleware.NewSpool("", 1<<20) }, "overloaded"},
		"no memory":      {strings.NewReader(formOf(file)), func(x *middleware.Exchange) { x.Memory.Take(64 << 20) }, "overloaded"},
		"no folder":      {strings.NewReader(formOf(file)), func(x *middleware.Exchange) { x.Spool = middleware.NewSpool("/nowhere", 64<<20) }, "internal_error"},
		"broken off":     {io.MultiReader(strings.NewReader(formOf(file)[:2<<20]), iotest.ErrReader(io.ErrUnexpectedEOF)), nil, "body_malformed"},
		"ended early":    {strings.NewReader(formOf(file)[:2<<20]), nil, "body_malformed"},
		"too slow":       {io.MultiReader(strings.NewReader(formOf(file)[:2<<20]), iotest.ErrReader(os.ErrDeadlineExceeded)), nil, "body_timeout"},
		"malformed":      {strings.NewReader(formOf(file) + "more"), nil, "body_malformed"},
		"filename twice": {strings.NewReader(formOf(file, "name=\"f\"; filename=a; filename=b\r\n\r\nx")), nil, "body_malformed"},
		"another kind":   {strings.NewReader(formOf(file)), middlewaretest.Header("Content-Type", "multipart/mixed; boundary=b"), "media_type_unsupported"},
		"encoded":        {strings.NewReader(formOf(file)), middlewaretest.Header("Content-Encoding", "gzip"), "media_type_unsupported"},
		"no boundary":    {strings.NewReader(formOf(file)), middlewaretest.Header("Content-Type", "multipart/form-data"), "body_malformed"},
	} {
		t.Run(name, func(t *testing.T) {
			folder := t.TempDir()
			spool := middleware.NewSpool(folder, 64<<20)
			x := formExchange(t, tt.body, func(x *middleware.Exchange) { x.Spool = spool })
			taken := int64(0)
			if tt.opt != nil {
				tt.opt(x)
			}
			if name == "no memory" {
				taken = 64 << 20
			}
			f, err := x.Form("test")
			if middlewaretest.Code(err) != tt.want || (err == nil) == (f == nil) {
				t.Errorf("%v, %v, want %q", f, err, tt.want)
			}
			if _, again := x.Form("test"); !errors.Is(again, err) {
				t.Errorf("asked again: %v", again)
			}
			if entries, _ := os.ReadDir(folder); len(entries) > 0 {
				t.Errorf("files can be seen: %v", entries)
			}
			x.Release()
			if !x.Memory.Take(64<<20 - taken) {
				t.Error("memory is still taken")
			}
		})
	}
}

// A body is held in one way at a time: whole, or as a form.
func TestBodyAndForm(t *testing.T) {
	x := formExchange(t, strings.NewReader(formOf("name=a\r\n\r\none")))
	if b, err := x.Body("test"); err != nil || !strings.Contains(string(b), "one") {
		t.Fatalf("%q %v", b, err)
	}
	f, err := x.Form("test")
	if err != nil {
		t.Fatal(err)
	}
	if b, err := x.Body("test"); err != nil || !strings.Contains(string(b), "--gatehouse-") {
		t.Errorf("the body is %q beside the form, %v", b, err)
	}
	f.Parts[0].Text = []byte("two")
	if err := x.SetForm(f); err != nil {
		t.Fatal(err)
	}
	if b, err := x.Body("test"); err != nil || !strings.Contains(string(b), "two") {
		t.Errorf("the body is %q behind the form, %v", b, err)
	}
	x.SetBody([]byte(formOf("name=a\r\n\r\nthree")))
	x.Request.Header.Set("Content-Type", formType)
	if f, err := x.Form("test"); err != nil || string(f.Parts[0].Text) != "three" {
		t.Errorf("%v %v", f, err)
	}
	x.Release()
	if !x.Memory.Take(64 << 20) {
		t.Error("memory is still taken")
	}
}

// Of a body of unknown length only reading tells whether it is there.
func TestNoForm(t *testing.T) {
	x := formExchange(t, io.MultiReader())
	if f, err := x.Form("test"); f != nil || err != nil || x.HasBody() || x.Request.ContentLength != 0 {
		t.Errorf("%v %v, length %d", f, err, x.Request.ContentLength)
	}
	x = formExchange(t, iotest.ErrReader(io.ErrUnexpectedEOF))
	if _, err := x.Form("test"); middlewaretest.Code(err) != "body_malformed" {
		t.Error(err)
	}
}

// What is declared in ISO 8859-1 is sent in UTF-8, which all parsers expect.
func TestTextsAreUTF8(t *testing.T) {
	const latin = "Content-Type: text/plain; charset=ISO-8859-1\r\nContent-Transfer-Encoding: 8bit\r\n\r\n"
	x := formExchange(t, strings.NewReader(formOf("name=a\r\n"+latin+"Ad\xe9", "name=b\r\n"+latin+"AT&T", "name=c\r\nContent-Type: text/plain; charset=us-ascii\r\n\r\nAdé")))
	if _, err := x.Form("test"); err != nil {
		t.Fatal(err)
	}
	want := "a||text/plain; charset=utf-8|Adé,b||text/plain; charset=utf-8|AT&T,c||text/plain; charset=utf-8|Adé"
	if got := strings.Join(sent(t, x), ","); got != want {
		t.Errorf("%q", got)
	}
}

// A body that is one file arrives as it came, is read once and gives back what
// it takes.
// Of a file that is not taken no more is read than shows it.
func TestFormWithoutFilesIsNotKept(t *testing.T) {
	body := strings.NewReader(formOf("name=\"f\"; filename=\"f.bin\"\r\n\r\n" + strings.Repeat("x", 3<<20)))
	x := formExchange(t, body, func(x *middleware.Exchange) { x.Route.Upload = nil })
	if _, err := x.Form("test"); middlewaretest.Code(err) != "upload_rejected" || body.Len() < 2<<20 {
		t.Errorf("%v, %d bytes were left", err, body.Len())
	}
}

// A file that another body has replaced is judged by nobody any more.
func TestFileBodyIsReplaced(t *testing.T) {
	x := formExchange(t, strings.NewReader(strings.Repeat("old", 100_000)))
	spool := middleware.NewSpool(t.TempDir(), 1<<20)
	x.Spool = spool
	if _, err := x.FileBody("test"); err != nil {
		t.Fatal(err)
	}
	x.SetBody([]byte(strings.Repeat("new", 100_000)))
	b, err := x.FileBody("test")
	if err != nil {
		t.Fatal(err)
	}
	if content, err := io.ReadAll(b.Reader()); err != nil || !bytes.HasPrefix(content, []byte("new")) {
		t.Errorf("%.9q %v", content, err)
	}
	x.Release()
	if !x.Memory.Take(64 << 20) {
		t.Error("memory is still taken")
	}
}

func TestFileBody(t *testing.T) {
	for name, tt := range map[string]struct {
		size int
		want middleware.Code
	}{
		"small": {10, ""}, "on disk": {200 << 10, ""}, "empty": {0, ""}, "as allowed": {8 << 20, ""}, "too large": {8<<20 + 1, middleware.BodyTooLarge},
	} {
		body := bytes.Repeat([]byte("x"), tt.size)
		x := formExchange(t, bytes.NewReader(body), middlewaretest.Header("Content-Type", "application/pdf"))
		b, err := x.FileBody("test")
		if middlewaretest.Code(err) != string(tt.want) {
			t.Errorf("%s: %v", name, err)
		}
		if again, err2 := x.FileBody("test"); again != b && tt.size > 0 || !errors.Is(err2, err) {
			t.Errorf("%s: the second time %v, %v", name, again, err2)
		}
		if err == nil {
			got, rerr := io.ReadAll(x.Request.Body)
			if rerr != nil || !bytes.Equal(got, body) || tt.size > 0 && x.Request.ContentLength != int64(tt.size) {
				t.Errorf("%s: %d bytes, %v", name, len(got), rerr)
			}
		}
		x.Release()
		if !x.Memory.Take(64 << 20) {
			t.Errorf("%s: memory was not given back", name)
		}
	}
	broken := formExchange(t, io.MultiReader(strings.NewReader("x"), iotest.ErrReader(io.ErrUnexpectedEOF)), middlewaretest.Header("Content-Type", "application/pdf"))
	if _, err := broken.FileBody("test"); middlewaretest.Code(err) != string(middleware.BodyMalformed) {
		t.Errorf("broken off: %v", err)
	}
	none := middlewaretest.Exchange(t, "PUT", "http://api.example.com/x", nil)
	if b, err := none.FileBody("test"); b != nil || err != nil {
		t.Errorf("no body: %v, %v", b, err)
	}
}

// What a field takes is known before its file is read.
func TestFieldsTakeWhatIsTheirs(t *testing.T) {
	file := func(field string, size int) string {
		return `name="` + field + `"; filename="f"` + "\r\n\r\n" + strings.Repeat("x", size)
	}
	for name, tt := range map[string]struct {
		parts []string
		want  middleware.Code
	}{
		"as allowed":       {[]string{file("avatar", 10), file("cv", 100), file("cv", 100)}, ""},
		"avatar too large": {[]string{file("avatar", 11)}, middleware.BodyTooLarge},
		"second avatar":    {[]string{file("avatar", 1), file("avatar", 1)}, middleware.UploadRejected},
		"cv too large":     {[]string{file("cv", 101)}, middleware.BodyTooLarge},
		"in all too large": {[]string{file("cv", 100), file("cv", 100), file("cv", 11)}, middleware.BodyTooLarge},
		"in all too many":  {[]string{file("cv", 1), file("cv", 1), file("cv", 1), file("cv", 1)}, middleware.UploadRejected},
	} {
		fields := func(x *middleware.Exchange) {
			x.Route.Upload = &config.Upload{FileBytes: 100, Files: 3, TotalBytes: 210, Fields: map[string]config.UploadField{"avatar": {FileBytes: 10, Files: 1}}}
		}
		x := formExchange(t, strings.NewReader(formOf(tt.parts...)), fields)
		if _, err := x.Form("test"); middlewaretest.Code(err) != string(tt.want) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestRemovedParts: what is taken out of a form is not sent, and what it took is
// given back all the same.
func TestRemovedParts(t *testing.T) {
	body := "--b\r\nContent-Disposition: form-data; name=\"a\"\r\n\r\n1\r\n" +
		"--b\r\nContent-Disposition: form-data; name=\"b\"; filename=\"b.txt\"\r\n\r\n2\r\n--b--\r\n"
	x := middlewaretest.Exchange(t, "POST", "https://h/", strings.NewReader(body),
		middlewaretest.Header("Content-Type", "multipart/form-data; boundary=b"),
		func(x *middleware.Exchange) {
			x.Route.Upload = &config.Upload{}
			x.Memory = middleware.NewBudget(1 << 20)
		})
	f, err := x.Form("test")
	if err != nil {
		t.Fatal(err)
	}
	f.Remove(func(p *middleware.FormPart) bool { return p.Name == "b" })
	if err := x.SetForm(f); err != nil {
		t.Fatal(err)
	}
	sent, err := io.ReadAll(x.Request.Body)
	if err != nil || !strings.Contains(string(sent), `name="a"`) || strings.Contains(string(sent), "b.txt") || x.Request.ContentLength != int64(len(sent)) {
		t.Errorf("sent %q, %v", sent, err)
	}
	x.Release()
	if !x.Memory.Take(1 << 20) {
		t.Error("memory is missing")
	}
}

// A digest that the client sent holds for its own bytes alone: it goes with a
// body that was read and stays as it is, and not with one that was changed.
func TestDigestsOfChangedBodies(t *testing.T) {
	digests := map[string]string{"Content-Digest": "sha-256=:AA==:", "Repr-Digest": "sha-256=:AA==:", "Digest": "sha-256=AA==", "Content-Md5": "AA=="}
	with := func(x *middleware.Exchange) {
		for name, value := range digests {
			x.Request.Header.Set(name, value)
		}
	}
	kept := func(x *middleware.Exchange) (n int) {
		for name := range digests {
			n += len(x.Request.Header[name])
		}
		return n
	}
	x := middlewaretest.Exchange(t, "POST", "/", strings.NewReader("text"), with)
	if _, err := x.Body("test"); err != nil || kept(x) != len(digests) {
		t.Errorf("a body that was read: %d are left, %v", kept(x), err)
	}
	if x.SetBody([]byte("other")); kept(x) != 0 {
		t.Errorf("a body that was replaced: %v", x.Request.Header)
	}
	x = formExchange(t, strings.NewReader(formOf("name=a\r\n\r\none")), with)
	if _, err := x.Form("test"); err != nil || kept(x) != 0 {
		t.Errorf("a form that was written anew: %v, %v", x.Request.Header, err)
	}
}
