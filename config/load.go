package config

import (
	"bytes"
	"errors"
	"io"
	"os"
	"path/filepath"

	"go.yaml.in/yaml/v4"
)

// maxFile is the largest file that is read, configuration or ${file:…}.
// Larger ones are not what anybody meant.
const maxFile = 4 << 20

// Load reads, checks and completes a configuration file. The error is
// [Mistakes]: everything that is wrong with the file, in its order.
//
// What is returned is complete: every default is filled in, a route's timeouts
// and limits are those that hold for it, and paths are absolute.
func Load(file string) (*Config, error) {
	r := &report{
		source: source{file: file, at: map[string]mark{}},
		wrong:  map[string]bool{},
	}
	path, err := filepath.Abs(file)
	if err != nil {
		return nil, Mistakes{{File: file, Message: err.Error()}}
	}
	data, err := readFile(path)
	if err != nil {
		return nil, Mistakes{{File: file, Message: reasonOf(err)}}
	}
	r.refer(path)
	return r.load(data, filepath.Dir(path), os.LookupEnv)
}

// load makes a configuration of data. Relative paths are relative to folder.
func (r *report) load(data []byte, folder string, lookup func(string) (string, bool)) (*Config, error) {
	root := r.parse(data)
	if root == nil {
		return nil, r.err()
	}
	c := Default()
	d := &decoder{report: r, folder: folder, lookup: lookup}
	d.root(root, c)
	k := &checker{report: r, c: c}
	k.config()
	if err := r.err(); err != nil {
		return nil, err
	}
	complete(c)
	c.source = r.source
	return c, nil
}

// parse gives the one document of a file, or nil where there is none.
func (r *report) parse(data []byte) *yaml.Node {
	l, err := yaml.NewLoader(bytes.NewReader(data))
	if err != nil {
		r.add(mark{}, "%v", err)
		return nil
	}
	var root *yaml.Node
	for n := 0; ; n++ {
		var doc yaml.Node
		err := l.Load(&doc)
		var syntax *yaml.LoadError
		switch {
		case errors.Is(err, io.EOF) && n == 0:
			r.add(mark{1, 1}, "the file is empty")
			return nil
		case errors.Is(err, io.EOF):
			return root
		case errors.As(err, &syntax):
			r.add(placeOf(syntax, data), "this is not YAML: %s", syntaxOf(syntax))
			return nil
		case err != nil:
			r.add(mark{}, "this is not YAML: %v", err)
			return nil
		case n > 0:
			r.add(markOf(&doc), "a second document begins here; a configuration is one document")
			return root
		case len(doc.Content) == 0 || doc.Content[0].ShortTag() == "!!null":
			r.add(mark{1, 1}, "the file is empty")
			return nil
		}
		root = doc.Content[0]
	}
}

// placeOf is where the parser gave up, or, where that is behind the end of the
// file, where what it could not finish begins.
func placeOf(e *yaml.LoadError, data []byte) mark {
	lines := bytes.Count(data, []byte("\n"))
	if !bytes.HasSuffix(data, []byte("\n")) {
		lines++
	}
	switch {
	case e.Mark.Line <= lines:
		return mark{e.Mark.Line, e.Mark.Column}
	case e.ContextMark.Line > 0 && e.ContextMark.Line <= lines:
		return mark{e.ContextMark.Line, e.ContextMark.Column}
	}
	return mark{lines, 1}
}

func syntaxOf(e *yaml.LoadError) string {
	if e.ContextMsg == "" {
		return e.Message
	}
	return e.ContextMsg + ": " + e.Message
}

// readFile reads a regular file of a sensible size. Anything else, a pipe or a
// device, could keep the gateway waiting for ever.
func readFile(path string) ([]byte, error) {
	if err := readable(path); err != nil {
		return nil, err
	}
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, maxFile+1))
	if err == nil && len(data) > maxFile {
		err = errors.New("is larger than " + Size(maxFile).String())
	}
	return data, err
}

// readable tells whether path is a regular file that can be opened.
func readable(path string) error {
	info, err := os.Stat(path)
	if err != nil {
		return err
	}
	if !info.Mode().IsRegular() {
		return errors.New("is not a regular file")
	}
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	return f.Close()
}

// reasonOf says what a failed file operation means, without the path, which
// the caller says as it was written.
func reasonOf(err error) string {
	var p *os.PathError
	switch {
	case errors.Is(err, os.ErrNotExist):
		return "does not exist"
	case errors.Is(err, os.ErrPermission):
		return "must not be read by this user"
	case errors.As(err, &p):
		return "cannot be read: " + p.Err.Error()
	}
	return err.Error()
}
