package opa

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"hash"
	"io"
	"io/fs"
	"maps"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/open-policy-agent/opa/v1/ast"
)

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
	left       int64          // bytes that may still be read
	bound      int64
	mistakes   Mistakes
	limits     []string // see Options
}

// Sources are policies that were read and not looked into yet.
type Sources struct {
	*sources
	options Options
}

// Read reads policies. What is wrong with them, Load tells.
func Read(o Options) *Sources {
	s := &Sources{read(o), o}
	s.limits = o.RateLimits
	return s
}

// Digest identifies everything that was read, tests included, and where it
// stands: with the same options, sources of one digest make equal engines.
func (s *Sources) Digest() string {
	h := sha256.New()
	for _, f := range slices.Concat(s.rego, s.data) {
		part(h, []byte(f.name))
		part(h, f.content)
	}
	for _, m := range s.mistakes {
		part(h, []byte(m.Error()))
	}
	return hex.EncodeToString(h.Sum(nil))
}

// read reads all folders that the options name.
func read(o Options) *sources {
	s := &sources{bound: o.Size}
	if s.bound <= 0 {
		s.bound = DefaultSize
	}
	s.left = s.bound
	if o.Files != nil {
		for _, name := range slices.Sorted(maps.Keys(o.Files)) {
			s.keep(file{name: name, rel: name, content: o.Files[name]}, true)
		}
		return s
	}
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
	if !relevant(f) {
		return
	}
	var err error
	if f.content, err = s.content(fsys, name); err != nil {
		s.mistakes.add(f.name, "cannot be read%s", because(err))
		return
	}
	s.keep(f, rego)
}

// content reads a file, but not further than one byte beyond what may be read.
func (s *sources) content(fsys fs.FS, name string) ([]byte, error) {
	f, err := fsys.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return io.ReadAll(io.LimitReader(f, max(s.left, 0)+1))
}

// keep takes a file for what it is. The first one beyond the bound is told of,
// those behind it are not.
func (s *sources) keep(f file, rego bool) {
	if !relevant(f) {
		return
	}
	before := s.left
	if s.left -= int64(len(f.content)); s.left < 0 {
		if before >= 0 {
			s.mistakes.add(f.name, "with this file, policies and data are together larger than %s", size(s.bound))
		}
		return
	}
	switch {
	case path.Ext(f.rel) != ".rego":
		s.data = append(s.data, f)
	case !rego:
		s.mistakes.add(f.name, "is Rego in a folder of data only: it would not be in force")
	default:
		s.rego = append(s.rego, f)
	}
}

// relevant reports whether a file is Rego or data.
func relevant(f file) bool {
	switch path.Ext(f.rel) {
	case ".rego", ".json", ".yaml", ".yml":
		return true
	}
	return false
}

// size says a number of bytes.
func size(n int64) string {
	if n >= 1<<20 && n%(1<<20) == 0 {
		return strconv.FormatInt(n>>20, 10) + " MiB"
	}
	return strconv.FormatInt(n, 10) + " bytes"
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
			s.mistakes.addSyntax(f, errs)
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
	for _, f := range slices.Concat(s.rego, s.data) {
		if !f.test() {
			part(h, []byte(f.rel))
			part(h, f.content)
		}
	}
	return hex.EncodeToString(h.Sum(nil))[:16]
}

// part hashes bytes with their length.
func part(h hash.Hash, b []byte) {
	var n [8]byte
	binary.BigEndian.PutUint64(n[:], uint64(len(b)))
	h.Write(n[:])
	h.Write(b)
}
