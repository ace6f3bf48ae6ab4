package upload

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/gatehouse-dev/gatehouse/config"
	"github.com/gatehouse-dev/gatehouse/middleware"
	"github.com/gatehouse-dev/gatehouse/middleware/middlewaretest"
)

// run sends a body of a media type to a path.
func run(t *testing.T, c config.Upload, scan Scanner, path, mediaType string, body []byte) (*middleware.Exchange, string, error) {
	t.Helper()
	s, err := New(&c, scan)
	if err != nil {
		t.Fatal(err)
	}
	route := func(x *middleware.Exchange) {
		x.Route.Upload = &c
		if mediaType != "" {
			x.Request.Header.Set("Content-Type", mediaType)
		}
	}
	up := middlewaretest.NewUpstream(t, http.StatusOK, "", "")
	x := middlewaretest.Exchange(t, "PUT", "http://api.example.com"+path, bytes.NewReader(body), route)
	_, _, err = middlewaretest.Run(t, s, x, up.Handle)
	return x, up.Got, err
}

func TestBodies(t *testing.T) {
	png := picture(t, "png")
	c := config.Upload{Extensions: []string{"png", "pdf", "docx", "txt"}, FileBytes: 1 << 20}
	for name, tt := range map[string]struct {
		path, mediaType string
		body            []byte
		code, detail    string
	}{
		"named":                {"/files/a.png", "image/png", png, "", ""},
		"without a name":       {"/files/17", "image/png", png, "", ""},
		"without a type":       {"/files/17", "", png, "", ""},
		"says nothing":         {"/files/17", "application/octet-stream", docx(t), "", ""},
		"a version is no name": {"/files/v1.2", "", []byte("text"), "", ""},
		"a folder is no name":  {"/files/a.php/", "image/png", png, "", ""},
		"JSON":                 {"/files/17", "application/merge-patch+json", []byte(`{}`), "", ""},
		"form":                 {"/files/17", "application/x-www-form-urlencoded", []byte(`a=b`), "", ""},
		"no content":           {"/files/a.png", "image/png", nil, "", ""},
		"name of a program":    {"/files/a.php", "image/png", png, "upload_rejected", "the file is not accepted: its extension is not one of png, pdf, docx, txt"},
		"program inside":       {"/files/a.php.png", "image/png", png, "upload_rejected", "the file is not accepted: its name has the extension of a program inside"},
		"ends with a dot":      {"/files/a.php.", "image/png", png, "upload_rejected", "the file is not accepted: its name starts or ends with a dot or a space"},
		"another type":         {"/files/17", "image/png", []byte(pdf), "upload_rejected", "the file is not accepted: its content is not what is accepted here"},
		"type of no kind":      {"/files/17", "text/html", []byte("text"), "upload_rejected", "the file is not accepted: its declared type is not one of png, pdf, docx, txt"},
		"macros":               {"/files/17", "", docx(t, entry{"word/vbaProject.bin", "x"}), "upload_rejected", "the file is not accepted: it holds macros"},
		"too large":            {"/files/17", "text/plain", bytes.Repeat([]byte("x"), 1<<20+1), "body_too_large", "the file is larger than 1MiB"},
		"odd type":             {"/files/17", "image/png; a=b; a=c", png, "media_type_unsupported", "the media type of the body is not said once and well-formed"},
	} {
		x, got, err := run(t, c, nil, tt.path, tt.mediaType, tt.body)
		var r *middleware.Refusal
		detail := ""
		if errors.As(err, &r) {
			detail = r.Detail
		}
		if middlewaretest.Code(err) != tt.code || detail != tt.detail {
			t.Errorf("%s: %v", name, err)
		}
		if err == nil && (got != string(tt.body) || x.Request.Header.Get("Content-Type") != tt.mediaType) {
			t.Errorf("%s: %q arrived", name, got)
		}
	}
}

// What a body is called in a header counts as the last segment of the path does,
// and a piece of a file cannot be judged.
func TestBodyHeaders(t *testing.T) {
	c := config.Upload{Extensions: []string{"png", "txt"}, FileBytes: 1 << 20}
	s := stage(t, c)
	const not = "the file is not accepted: "
	for name, tt := range map[string]struct{ path, header, value, want string }{
		"named":            {"/files/17", "Content-Disposition", `attachment; filename="a.png"`, ""},
		"in both":          {"/files/b.png", "Content-Disposition", `attachment; filename="a.png"`, ""},
		"without a name":   {"/files/17", "Content-Disposition", "inline", ""},
		"a program":        {"/files/17", "Content-Disposition", `attachment; filename="a.php"`, not + "its extension is not one of png, txt"},
		"extended":         {"/files/17", "Content-Disposition", `attachment; filename*=utf-8''a.php`, not + "its extension is not one of png, txt"},
		"encoded":          {"/files/17", "Content-Disposition", `attachment; filename="..%2fa.png"`, not + "its name has characters of a path or of markup"},
		"differs":          {"/files/a.png", "Content-Disposition", `attachment; filename="a.txt"`, not + "it has names with different extensions"},
		"a program beside": {"/files/a.php", "Content-Disposition", `attachment; filename="a.png"`, not + "it has names with different extensions"},
		"two names":        {"/files/17", "Content-Disposition", `attachment; filename=a.png; filename=a.php`, not + "its Content-Disposition is not well-formed"},
		"no parameter":     {"/files/17", "Content-Disposition", `filename=a.php`, not + "its Content-Disposition is not well-formed"},
		"a piece":          {"/files/17", "Content-Range", "bytes 0-9/20", not + "it is a part of a file"},
	} {
		x := middlewaretest.Exchange(t, "PUT", "http://api.example.com"+tt.path, bytes.NewReader(picture(t, "png")), middlewaretest.Header(tt.header, tt.value))
		up := middlewaretest.NewUpstream(t, http.StatusOK, "", "")
		_, _, err := middlewaretest.Run(t, s, x, up.Handle)
		detail := ""
		if r := (*middleware.Refusal)(nil); errors.As(err, &r) {
			detail = r.Detail
		}
		if detail != tt.want || (err == nil) != (tt.want == "") {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestFields(t *testing.T) {
	png, gif := picture(t, "png"), picture(t, "gif")
	in := func(field, name string, data []byte) string {
		return strings.ReplaceAll(form(file{name, "", data}), `name="doc"`, `name="`+field+`"`)
	}
	avatar := map[string]config.UploadField{"avatar": {Extensions: []string{"png"}, FileBytes: 1000, Files: 1}}
	both := config.Upload{Extensions: []string{"gif", "txt"}, FileBytes: 4000, Files: 3, Fields: avatar}
	only := config.Upload{FileBytes: 4000, Files: 3, Fields: avatar}
	for name, tt := range map[string]struct {
		c    config.Upload
		body string
		want string
	}{
		"its own":            {both, in("avatar", "a.png", png), ""},
		"the route's":        {both, in("doc", "a.gif", gif), ""},
		"not the route's":    {both, in("avatar", "a.gif", gif), "file 1 (field avatar) is not accepted: its extension is not one of png"},
		"not the field's":    {both, in("doc", "a.png", png), "file 1 (field doc) is not accepted: its extension is not one of gif, txt"},
		"larger than its":    {both, in("avatar", "a.png", bytes.Repeat(png, 40)), "file 1 is larger than 1000"},
		"larger elsewhere":   {both, in("doc", "a.txt", bytes.Repeat([]byte("x"), 1001)), ""},
		"only fields":        {only, in("avatar", "a.png", png), ""},
		"no file is taken":   {only, in("doc", "a.png", png), "file 1 (field doc) is not accepted: no file is taken here"},
		"a field by another": {both, in("avatar[]", "a.png", png), "file 1 (field avatar[]) is not accepted: its extension is not one of gif, txt"},
	} {
		x, _, err := run(t, tt.c, nil, "/x", media, []byte(tt.body))
		var r *middleware.Refusal
		detail := ""
		if errors.As(err, &r) {
			detail = r.Detail
		}
		if detail != tt.want {
			t.Errorf("%s: %v", name, err)
		}
		if err == nil {
			f, _ := x.Form("test")
			if got := f.Parts[1].File.Detected; !strings.HasPrefix(got, "image/") && got != "text/plain" {
				t.Errorf("%s: detected %q", name, got)
			}
		}
	}
	if s, err := New(&both, nil); err != nil || s.(middleware.Describer).Describe() != "gif txt avatar(png); at most 3 files of 4000" {
		t.Errorf("%v %v", s, err)
	}
	if _, err := New(&config.Upload{Fields: map[string]config.UploadField{"a": {Extensions: []string{"qqq"}}}}, nil); err == nil || !strings.Contains(err.Error(), "field a: ") {
		t.Error(err)
	}
}

// What has honest uses is noted, or refused where the operator says so.
func TestChoices(t *testing.T) {
	script := form(file{"a.pdf", "", pdfOf("<</S/JavaScript>>")})
	tail := form(file{"a.png", "", append(picture(t, "png"), 'x')})
	c := config.Upload{Extensions: []string{"pdf", "png"}}
	x, _, err := run(t, c, nil, "/x", media, []byte(script))
	if diff := cmp.Diff([]middleware.Note{{Key: "upload_active", Value: []string{"file 1 (field doc): JavaScript"}}}, x.Notes()); diff != "" || err != nil {
		t.Errorf("%v\n%s", err, diff)
	}
	for body, reject := range map[string]config.Upload{script: {Extensions: c.Extensions, Active: "reject"}, tail: {Extensions: c.Extensions, Trailing: "reject"}} {
		if _, _, err := run(t, c, nil, "/x", media, []byte(body)); err != nil {
			t.Error(err)
		}
		if _, _, err := run(t, reject, nil, "/x", media, []byte(body)); middlewaretest.Code(err) != "upload_rejected" {
			t.Errorf("%+v: %v", reject, err)
		}
	}
}

// The scanner sees what is accepted otherwise, and what it cannot say yes to is
// refused.
func TestScanner(t *testing.T) {
	down := errors.New("no connection")
	c := config.Upload{Extensions: []string{"txt"}}
	good, bad := form(file{"a.txt", "", eicar(t)}), form(file{"a.exe", "", eicar(t)})
	calls := 0
	scanner := func(found string, err error) Scanner {
		return func(_ context.Context, b *middleware.Blob) (string, error) {
			calls++
			got, rerr := io.ReadAll(b.Reader())
			if rerr != nil || !bytes.Equal(got, eicar(t)) {
				t.Errorf("%q %v", got, rerr)
			}
			return found, err
		}
	}
	for name, tt := range map[string]struct {
		scan  Scanner
		body  string
		code  string
		calls int
	}{
		"clean":          {scanner("", nil), good, "", 1},
		"found":          {scanner("Eicar-Test", nil), good, "upload_rejected", 1},
		"down":           {scanner("", down), good, "scanner_unavailable", 1},
		"found and down": {scanner("Eicar-Test", down), good, "scanner_unavailable", 1},
		"refused before": {scanner("", nil), bad, "upload_rejected", 0},
	} {
		calls = 0
		x, _, err := run(t, c, tt.scan, "/x", media, []byte(tt.body))
		if middlewaretest.Code(err) != tt.code || calls != tt.calls {
			t.Errorf("%s: %v after %d calls", name, err, calls)
		}
		if want := "[{upload_malware [file 1 (field doc): Eicar-Test]}]"; name == "found" && fmt.Sprint(x.Notes()) != want {
			t.Errorf("%s: %v", name, x.Notes())
		}
	}
}

// broken fails at a place, as a disk does.
type broken struct {
	*bytes.Reader
	at int64
}

func (b broken) ReadAt(p []byte, off int64) (int, error) {
	if off+int64(len(p)) > b.at {
		return 0, io.ErrClosedPipe
	}
	return b.Reader.ReadAt(p, off)
}

// A disk that fails is no reason to accept a file, nor the file's fault.
func TestDiskFails(t *testing.T) {
	big := bytes.Repeat([]byte("x"), 3*windowSize)
	for name, k := range kinds() {
		v := newView(t.Context(), broken{bytes.NewReader(big), 100}, int64(len(big)))
		if len(v.head) > 0 || v.err == nil {
			t.Fatal("the head was read")
		}
		v = newView(t.Context(), bytes.NewReader(big), int64(len(big)))
		v.from = broken{bytes.NewReader(big), 100}
		if k.check != nil && k.check(v) == "" && v.err == nil {
			t.Errorf("%s: nothing failed", name)
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if v := newView(ctx, bytes.NewReader(big), int64(len(big))); !errors.Is(v.err, context.Canceled) {
		t.Errorf("the client is gone: %v", v.err)
	}
}
