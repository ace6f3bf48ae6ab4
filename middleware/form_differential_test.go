package middleware_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"math/rand/v2"
	"mime"
	"mime/multipart"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

// seen is what a parser of a backend finds in a body.
type seen struct {
	Texts []seenPart `json:"texts"`
	Files []seenPart `json:"files"`
	Error string     `json:"error,omitempty"`
}

type seenPart struct {
	Name    string `json:"name"`
	File    string `json:"file,omitempty"`
	Clean   string `json:"clean,omitempty"` // Django: the file name as it is given to the application
	Type    string `json:"type,omitempty"`
	Content []byte `json:"content"`
}

// A parser of backends: how it reads bodies, all at once, and what it does by
// design with file fields in which nothing was chosen.
type parser struct {
	name     string
	read     func(*testing.T, []judged) []seen
	unchosen func(*seen, part)
}

func parsers() []parser {
	asFile := func(s *seen, p part) { s.Files = append(s.Files, seenPart{Name: p.Name, Type: p.Type}) }
	asText := func(s *seen, p part) { s.Texts = append(s.Texts, seenPart{Name: p.Name}) }
	return []parser{
		{"Go", readGo, asFile},
		{"Django", readDjango, asText},
		{"busboy", readBusboy, func(s *seen, p part) {
			if p.Type == "application/octet-stream" {
				asFile(s, p)
			} else {
				asText(s, p)
			}
		}},
	}
}

// Whatever a client sends, each parser finds in what is forwarded the form that
// was judged, or the body was refused.
func TestFormIsReadAlike(t *testing.T) {
	odd := oddBodies()
	bodies := map[string]string{}
	for name, b := range odd {
		bodies[name] = b
	}
	for i, b := range corpus(t) {
		bodies["corpus "+strconv.Itoa(i)] = b
	}
	r := rand.New(rand.NewPCG(6, 7578))
	for i := range 2500 {
		bodies["random "+strconv.Itoa(i)] = randomBody(r)
	}
	var names []string
	var forms []judged
	for name, b := range bodies {
		if j, err := read(t, formType, []byte(b)); err == nil {
			names, forms = append(names, name), append(forms, j)
		}
	}
	t.Logf("%d bodies, of which %d are odd by hand; %d are forwarded and compared", len(bodies), len(odd), len(forms))
	if len(forms) < len(bodies)/3 {
		t.Error("most are refused, so little is compared")
	}
	for _, p := range parsers() {
		t.Run(p.name, func(t *testing.T) {
			for i, got := range p.read(t, forms) {
				want := p.expect(forms[i])
				for n, f := range want.Files {
					if f.Type == "" && n < len(got.Files) {
						got.Files[n].Type = "" // each parser has a default of its own
					}
				}
				if d := cmp.Diff(want, got, cmpopts.EquateEmpty(), cmpopts.IgnoreFields(seenPart{}, "Clean")); d != "" {
					t.Errorf("%s: %.600q is sent as %.600q: %.1000s", names[i], bodies[names[i]], forms[i].body, d)
				}
				for _, f := range got.Files {
					if ext := filepath.Ext(f.File); f.Clean != "" && isWord(ext) && filepath.Ext(f.Clean) != ext {
						t.Errorf("%s: %q is cleaned to %q", names[i], f.File, f.Clean)
					}
				}
			}
		})
	}
}

// expect is what a parser is to find: texts by name, files in their order.
func (p *parser) expect(j judged) seen {
	var s seen
	for _, o := range j.parts {
		switch {
		case o.IsFile && o.File == "" && o.Content == "":
			p.unchosen(&s, o)
		case o.IsFile:
			s.Files = append(s.Files, seenPart{Name: o.Name, File: o.File, Type: o.Type, Content: []byte(o.Content)})
		default:
			s.Texts = append(s.Texts, seenPart{Name: o.Name, Content: []byte(o.Content)})
		}
	}
	s.settle()
	return s
}

// settle puts texts in the order of their names, and leaves out how bytes that
// are not UTF-8 are shown, which is each parser's own.
func (s *seen) settle() {
	slices.SortStableFunc(s.Texts, func(a, b seenPart) int { return strings.Compare(a.Name, b.Name) })
	for i, p := range s.Texts {
		s.Texts[i].Content = []byte(strings.ReplaceAll(strings.ToValidUTF8(string(p.Content), ""), "\ufffd", ""))
	}
}

func isWord(ext string) bool {
	return len(ext) > 1 && !strings.ContainsFunc(ext[1:], func(r rune) bool { return (r < 'a' || r > 'z') && (r < '0' || r > '9') })
}

func readGo(t *testing.T, forms []judged) []seen {
	out := make([]seen, len(forms))
	for i, f := range forms {
		_, params, err := mime.ParseMediaType(f.media)
		if err != nil {
			t.Fatal(err)
		}
		r := multipart.NewReader(bytes.NewReader(f.body), params["boundary"])
		for {
			p, err := r.NextRawPart()
			if err == io.EOF {
				break
			}
			var content []byte
			var disposition map[string]string
			if err == nil {
				content, err = io.ReadAll(p)
			}
			if err == nil {
				_, disposition, err = mime.ParseMediaType(p.Header.Get("Content-Disposition"))
			}
			if err != nil {
				out[i].Error = err.Error()
				break
			}
			if file, is := disposition["filename"]; is {
				media, _, _ := mime.ParseMediaType(p.Header.Get("Content-Type"))
				out[i].Files = append(out[i].Files, seenPart{Name: p.FormName(), File: file, Type: media, Content: content})
			} else {
				out[i].Texts = append(out[i].Texts, seenPart{Name: p.FormName(), Content: content})
			}
		}
		out[i].settle()
	}
	return out
}

func readDjango(t *testing.T, forms []judged) []seen {
	const python = "/usr/bin/python3" // where Debian's packages are
	if exec.Command(python, "-c", "import django").Run() != nil {
		missing(t, "python3-django")
	}
	return ask(t, forms, exec.Command(python, "testdata/django_forms.py"))
}

func readBusboy(t *testing.T, forms []judged) []seen {
	modules, err := filepath.Abs("../bin/busboy/node_modules")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(modules); err != nil {
		missing(t, "busboy (make bin/busboy)")
	}
	if _, err := exec.LookPath("node"); err != nil {
		missing(t, "node")
	}
	cmd := exec.Command("node", "testdata/busboy_forms.js")
	cmd.Env = append(os.Environ(), "NODE_PATH="+modules)
	return ask(t, forms, cmd)
}

func missing(t *testing.T, what string) {
	t.Helper()
	if os.Getenv("CI") != "" {
		t.Fatal(what + " is not installed")
	}
	t.Skip("SKIPPED: " + what + " is not installed, so nothing was compared with it")
}

// ask has a program read the forms, one a line.
func ask(t *testing.T, forms []judged, cmd *exec.Cmd) []seen {
	t.Helper()
	var in, errs bytes.Buffer
	enc := json.NewEncoder(&in)
	for _, f := range forms {
		if err := enc.Encode(map[string]any{"type": f.media, "body": f.body}); err != nil {
			t.Fatal(err)
		}
	}
	cmd.Stdin, cmd.Stderr = &in, &errs
	b, err := cmd.Output()
	if err != nil {
		t.Fatalf("%v: %s", err, &errs)
	}
	var out []seen
	for d := json.NewDecoder(bytes.NewReader(b)); ; {
		var s seen
		if err := d.Decode(&s); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			t.Fatal(err)
		}
		s.settle()
		out = append(out, s)
	}
	if len(out) != len(forms) {
		t.Fatalf("%d answers to %d bodies", len(out), len(forms))
	}
	return out
}

// corpus gives what fuzzing has found worth keeping.
func corpus(t *testing.T) []string {
	t.Helper()
	files, err := filepath.Glob("testdata/fuzz/FuzzForm/*")
	if err != nil {
		t.Fatal(err)
	}
	var out []string
	for _, f := range files {
		b, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		_, quoted, _ := strings.Cut(string(b), "[]byte(")
		s, err := strconv.Unquote(strings.TrimSuffix(strings.TrimSpace(quoted), ")"))
		if err != nil {
			t.Fatalf("%s: %v", f, err)
		}
		out = append(out, s)
	}
	return out
}
