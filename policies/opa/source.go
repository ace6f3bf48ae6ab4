package opa

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/open-policy-agent/opa/v1/ast"

	"github.com/gatehouse-dev/gatehouse/policies/opa/memo"
)

// maxBytes bounds everything that is read, so that a wrong path (a folder of
// dumps) is a mistake and not an exhausted machine.
const maxBytes = 64 << 20

// Options say where the policies are.
type Options struct {
	// Path is the folder of Rego and data (.json, .yaml, .yml). It is read
	// with all its subfolders, except hidden ones. Required.
	Path string
	// More are further folders, each read like Path.
	More []string
	// Data is a folder of data only. Default: none.
	Data string
	// FS, where set, is what all folders are read in. Default: the file system
	// of the machine.
	FS fs.FS
	// Budget is the time one decision may take. Default: [DefaultBudget].
	Budget time.Duration
	// Memo says how decisions are remembered. By default they are.
	Memo memo.Options
}

// file is one file that was read.
type file struct {
	name    string // as shown in mistakes; unique, because modules that share a name replace one another
	rel     string // its slash-separated path in its folder
	content []byte
}

func (f file) test() bool { return strings.HasSuffix(f.rel, "_test.rego") }

// sources are the files of all folders, and what is wrong with them.
type sources struct {
	rego, data []file
	tree       map[string]any // data, once checkData has run
	size       int64
	mistakes   Mistakes
}

// read reads all folders that the options name.
func read(o Options) *sources {
	s := &sources{}
	var seen []string
	for _, folder := range append([]string{o.Path}, o.More...) {
		if clean := filepath.Clean(folder); !slices.Contains(seen, clean) {
			seen = append(seen, clean)
			s.readFolder(o.FS, folder, true)
		}
	}
	if o.Data != "" && !slices.Contains(seen, filepath.Clean(o.Data)) {
		s.readFolder(o.FS, o.Data, false)
	}
	return s
}

func (s *sources) readFolder(fsys fs.FS, folder string, rego bool) {
	if folder == "" {
		s.mistakes.add("policies", "no folder is named")
		return
	}
	root := "."
	if fsys == nil {
		fsys = os.DirFS(folder)
	} else {
		root = path.Clean(filepath.ToSlash(folder))
	}
	if info, err := fs.Stat(fsys, root); err != nil || !info.IsDir() {
		s.mistakes.add(folder, "is not a folder that can be read%s", because(err))
		return
	}
	_ = fs.WalkDir(fsys, root, func(name string, d fs.DirEntry, err error) error {
		rel := name
		if root != "." {
			rel = strings.TrimPrefix(strings.TrimPrefix(name, root), "/")
		}
		shown := filepath.Join(folder, filepath.FromSlash(rel))
		if err != nil {
			s.mistakes.add(shown, "cannot be read%s", because(err))
			return nil
		}
		// Hidden names are editors' and version control's; among them are
		// the ..data folders through which Kubernetes swaps a volume.
		if name != root && strings.HasPrefix(d.Name(), ".") {
			if d.IsDir() {
				return fs.SkipDir
			}
			return nil
		}
		if !d.IsDir() {
			s.readFile(fsys, file{name: shown, rel: rel}, name, d, rego)
		}
		return nil
	})
}

func (s *sources) readFile(fsys fs.FS, f file, name string, d fs.DirEntry, rego bool) {
	if d.Type()&fs.ModeSymlink != 0 {
		if info, err := fs.Stat(fsys, name); err == nil && info.IsDir() {
			s.mistakes.add(f.name, "is a link to a folder: name that folder instead, links to folders are not followed")
			return
		}
	}
	var to *[]file
	switch path.Ext(f.rel) {
	case ".rego":
		if !rego {
			s.mistakes.add(f.name, "is Rego in a folder of data only: it would not be in force")
			return
		}
		to = &s.rego
	case ".json", ".yaml", ".yml":
		to = &s.data
	default:
		return
	}
	content, err := fs.ReadFile(fsys, name)
	if err != nil {
		s.mistakes.add(f.name, "cannot be read%s", because(err))
		return
	}
	if s.size += int64(len(content)); s.size > maxBytes {
		if s.size-int64(len(content)) <= maxBytes {
			s.mistakes.add(f.name, "policies and data are together larger than %d MiB", maxBytes>>20)
		}
		return
	}
	f.content = content
	*to = append(*to, f)
}

// because gives the reason of a file error without its path, which the mistake
// names already.
func because(err error) string {
	if pe := (*fs.PathError)(nil); errors.As(err, &pe) {
		err = pe.Err
	}
	if err == nil {
		return ""
	}
	return ": " + err.Error()
}

// parse gives the modules by file name; tests only where they are asked for.
func (s *sources) parse(tests bool) map[string]*ast.Module {
	modules := make(map[string]*ast.Module, len(s.rego))
	opts := ast.ParserOptions{ProcessAnnotation: true, RegoVersion: ast.RegoV1, Capabilities: capabilities()}
	for _, f := range s.rego {
		if f.test() && !tests {
			continue
		}
		m, err := ast.ParseModuleWithOpts(f.name, string(f.content), opts)
		if errs := ast.Errors(nil); errors.As(err, &errs) {
			s.mistakes.addErrors(errs)
		} else if err != nil {
			s.mistakes.add(f.name, "%v", err)
		} else if m != nil {
			modules[f.name] = m
		}
	}
	return modules
}

func (s *sources) err() error {
	if len(s.mistakes) == 0 {
		return nil
	}
	return s.mistakes.sorted()
}

// revision hashes names and contents of everything but tests. Names are those
// inside the folders, lengths keep one file from running into the next.
func (s *sources) revision() string {
	h := sha256.New()
	part := func(b []byte) {
		var n [8]byte
		binary.BigEndian.PutUint64(n[:], uint64(len(b)))
		h.Write(n[:])
		h.Write(b)
	}
	for _, f := range slices.Concat(s.rego, s.data) {
		if !f.test() {
			part([]byte(f.rel))
			part(f.content)
		}
	}
	return hex.EncodeToString(h.Sum(nil))[:16]
}
