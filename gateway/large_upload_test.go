package gateway

import (
	"bytes"
	"context"
	"crypto/sha256"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"
)

const uploading = `
spool: {folder: spool, bytes: {ROOM}}
timeouts: {body: 30s}
upstreams:
  hr: {endpoints: ["{HR}"]}
routes:
  - name: documents
    match: {path: /documents/}
    upstream: hr
    public: true
    policy: off
    sanitize: {}
    upload: {extensions: [txt], file_bytes: 60MiB}
    limits: {body_bytes: 64MiB}
`

// startUploads starts a gateway that keeps files in a folder, which it gives.
func (w *world) startUploads(room string) (folder string) {
	w.t.Helper()
	w.vars["ROOM"] = room
	folder = filepath.Join(w.dir, "spool")
	if err := os.Mkdir(folder, 0o700); err != nil {
		w.t.Fatal(err)
	}
	w.start(uploading, "")
	return folder
}

// spooled is how many bytes are in files of the folder that are open, and
// whether one of them can be seen there.
func spooled(t testing.TB, folder string) (size int64, names bool) {
	t.Helper()
	entries, err := os.ReadDir(folder)
	if err != nil {
		t.Fatal(err)
	}
	open, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Skip("SKIPPED: without /proc nobody knows which files are open")
	}
	for _, fd := range open {
		link := filepath.Join("/proc/self/fd", fd.Name())
		if to, err := os.Readlink(link); err != nil || !strings.HasPrefix(to, folder+"/") {
			continue
		}
		if info, err := os.Stat(link); err == nil {
			size += info.Size()
		}
	}
	return size, len(entries) > 0
}

const boundary = "client"

// documentForm is a form with one file, of which content gives the bytes.
func documentForm(content io.Reader) io.Reader {
	head := "--" + boundary + "\r\nContent-Disposition: form-data; name=\"title\"\r\n\r\nAT&T\r\n" +
		"--" + boundary + "\r\nContent-Disposition: form-data; name=\"file\"; filename=\"a.txt\"\r\nContent-Type: text/plain\r\n\r\n"
	return io.MultiReader(strings.NewReader(head), content, strings.NewReader("\r\n--"+boundary+"--\r\n"))
}

func (w *world) upload(ctx context.Context, content io.Reader) *http.Request {
	return w.request("POST", "/documents/1", documentForm(content), "Content-Type: multipart/form-data; boundary="+boundary).WithContext(ctx)
}

// prose is an endless text that calls a function for each MiB of it.
type prose struct {
	n    int64
	each func()
}

func (p *prose) Read(b []byte) (int, error) {
	n := copy(b, bytes.Repeat([]byte("Adé of AT&T says: "), 1+len(b)/17))
	if p.n>>20 != (p.n+int64(n))>>20 {
		p.each()
	}
	p.n += int64(n)
	return n, nil
}

// A file of 50 MB passes from client to backend, judged as a whole on the way,
// and is never in memory; of the file on disk nothing is left.
func TestLargeUpload(t *testing.T) {
	const size = 50 << 20
	both(t, func(t *testing.T, h2 bool) {
		w := open(t)
		var base uint64
		var most atomic.Int64
		measure := func() {
			runtime.GC()
			var m runtime.MemStats
			runtime.ReadMemStats(&m)
			most.Store(max(most.Load(), int64(m.HeapAlloc)-int64(base)))
		}
		w.backend("HR", func(rw http.ResponseWriter, r *http.Request) {
			form, err := r.MultipartReader()
			if err != nil {
				rw.WriteHeader(500)
				return
			}
			for {
				p, err := form.NextPart()
				if err != nil {
					fmt.Fprintf(rw, "%v", err)
					return
				}
				h := sha256.New()
				for n, err := int64(1<<20), error(nil); err == nil; measure() {
					_, err = io.CopyN(h, p, n)
				}
				fmt.Fprintf(rw, "%s %s %x, ", p.FormName(), p.FileName(), h.Sum(nil))
			}
		})
		folder := w.startUploads("64MiB")
		c := w.client(h2)
		do(t, c, w.request("GET", "/nowhere", nil)) // connect
		runtime.GC()
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		base = m.HeapAlloc
		var onDisk int64
		sum := sha256.New()
		content := io.TeeReader(io.LimitReader(&prose{each: func() {
			measure()
			now, names := spooled(t, folder)
			if onDisk = max(onDisk, now); names {
				t.Error("a file can be seen in the spool")
			}
		}}, size), sum)
		a := do(t, c, w.upload(t.Context(), content))
		want := fmt.Sprintf("title  %x, file a.txt %x, EOF", sha256.Sum256([]byte("AT&T")), sum.Sum(nil))
		if a.StatusCode != 200 || a.body != want {
			t.Errorf("%s %q, want %q", a.Status, a.body, want)
		}
		t.Logf("at most %d KiB are held while %d MiB pass, %d MiB of which were seen on disk", most.Load()>>10, size>>20, onDisk>>20)
		if most.Load() > 8<<20 {
			t.Errorf("%d KiB are held", most.Load()>>10)
		}
		if onDisk < size/2 {
			t.Errorf("%d bytes were on disk", onDisk)
		}
		nothingSpooled(t, folder)
	})
}

func nothingSpooled(t *testing.T, folder string) {
	t.Helper()
	eventually(t, "the spool is empty", func() bool {
		size, names := spooled(t, folder)
		return size == 0 && !names
	})
}

// However an upload ends, nothing of it stays.
func TestUploadLeavesNothing(t *testing.T) {
	w := open(t)
	hr := &witness{}
	w.backend("HR", hr.ServeHTTP)
	folder := w.startUploads("100MiB")
	c := w.client(false)
	long := func(n int64) io.Reader { return io.LimitReader(&prose{each: func() {}}, n) }

	refused(t, do(t, c, w.upload(t.Context(), io.MultiReader(long(2<<20), strings.NewReader("<script>")))), 422, "upload_rejected")
	nothingSpooled(t, folder)
	if res, err := c.Do(w.upload(t.Context(), long(61<<20))); err == nil { // or the connection ends before the answer is read
		res.Body.Close()
		if res.StatusCode != 413 {
			t.Errorf("too large: %s", res.Status)
		}
	}
	nothingSpooled(t, folder)

	ctx, abort := context.WithCancel(t.Context())
	defer abort()
	half := &blocked{Reader: long(2 << 20), ctx: ctx}
	gone := make(chan error, 1)
	go func() {
		_, err := c.Do(w.upload(ctx, half))
		gone <- err
	}()
	eventually(t, "half of a file is on disk", func() bool { size, _ := spooled(t, folder); return size > 1<<20 })
	abort()
	if <-gone == nil {
		t.Error("an upload that was aborted is answered")
	}
	nothingSpooled(t, folder)
	if s := hr.requests(); len(s) > 0 {
		t.Errorf("the backend saw %.200q", s)
	}
}

// blocked gives what a reader has, and then nothing until a context is done.
type blocked struct {
	io.Reader
	ctx context.Context //nolint:containedctx // lives as long as one request
}

func (b *blocked) Read(p []byte) (int, error) {
	n, err := b.Reader.Read(p)
	if err == io.EOF {
		<-b.ctx.Done()
	}
	return n, err
}

// Beyond the room of the spool uploads are refused, until others have left it.
func TestSpoolIsFull(t *testing.T) {
	w := open(t)
	w.backend("HR", func(rw http.ResponseWriter, r *http.Request) { _, _ = io.Copy(io.Discard, r.Body) })
	folder := w.startUploads("3MiB")
	c := w.client(false)
	file := func() io.Reader { return io.LimitReader(&prose{each: func() {}}, 2<<20) }
	wait, goOn := context.WithCancel(t.Context())
	defer goOn()
	first := make(chan int, 1)
	go func() {
		res, err := c.Do(w.upload(t.Context(), &blocked{Reader: file(), ctx: wait}))
		if err != nil {
			first <- 0
			return
		}
		res.Body.Close()
		first <- res.StatusCode
	}()
	eventually(t, "the first is on disk", func() bool { size, _ := spooled(t, folder); return size > 1<<20 })
	a := do(t, w.client(true), w.upload(t.Context(), file())) // over HTTP/1.1 the answer may be lost with the connection
	refused(t, a, 503, "overloaded")
	if a.Header.Get("Retry-After") == "" {
		t.Errorf("the answer does not say when to try again: %v", a.Header)
	}
	goOn()
	if s := <-first; s != 200 {
		t.Errorf("the first: %d", s)
	}
	nothingSpooled(t, folder)
	if a := do(t, w.client(false), w.upload(t.Context(), file())); a.StatusCode != 200 {
		t.Errorf("when there is room again: %s %s", a.Status, a.body)
	}
}
