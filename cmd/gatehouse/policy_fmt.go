package main

import (
	"bytes"
	"errors"
	"flag"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/rogpeppe/go-internal/diff"

	"github.com/gatehouse-dev/gatehouse/policies/opa"
)

const fmtUsage = "usage: gatehouse policy fmt [--check|--write] FILE|DIR|-…"

// policyFmt lays out Rego the one way there is. One file is printed as it ought
// to be; of more, or of a folder, the names of those that ought to change.
// --check shows the difference, --write makes it.
func policyFmt(e *env, args []string) int {
	f := flag.NewFlagSet("policy fmt", flag.ContinueOnError)
	f.SetOutput(io.Discard)
	check := f.Bool("check", false, "")
	write := f.Bool("write", false, "")
	paths, err := parseMixed(f, args)
	if err != nil || len(paths) == 0 || *check && *write || slices.Contains(paths, "-") && (len(paths) > 1 || *write) {
		fmt.Fprintln(e.stderr, fmtUsage)
		return exitUsage
	}
	files, single, err := regoFiles(paths)
	if err != nil {
		fmt.Fprintln(e.stderr, err)
		return exitWrong
	}
	code := exitOK
	for _, name := range files {
		before, after, err := formatFile(e, name)
		switch same := bytes.Equal(before, after); {
		case err != nil:
			fmt.Fprintln(e.stderr, err)
			code = exitWrong
		case *check && !same:
			_, _ = e.stdout.Write(diff.Diff(name, before, name+" laid out", after))
			code = exitWrong
		case *check:
		case *write && !same:
			if err := replaceFile(name, after); err != nil {
				fmt.Fprintln(e.stderr, err)
				code = exitWrong
				continue
			}
			fmt.Fprintln(e.stdout, name)
		case *write:
		case single:
			_, _ = e.stdout.Write(after)
		case !same:
			fmt.Fprintln(e.stdout, name)
		}
	}
	return code
}

// regoFiles are the files that the arguments name, folders with everything in
// them but what is hidden, each once. single says that one file was named.
func regoFiles(paths []string) (files []string, single bool, err error) {
	for _, p := range paths {
		if p == "-" {
			return paths, true, nil
		}
		info, err := os.Stat(p)
		if err != nil {
			return nil, false, err
		}
		if !info.IsDir() {
			files = append(files, filepath.Clean(p))
			single = len(paths) == 1
			continue
		}
		err = filepath.WalkDir(p, func(name string, d fs.DirEntry, err error) error {
			switch {
			case err != nil:
				return err
			case name != p && strings.HasPrefix(d.Name(), "."):
				if d.IsDir() {
					return fs.SkipDir
				}
			case !d.IsDir() && filepath.Ext(name) == ".rego":
				files = append(files, name)
			}
			return nil
		})
		if err != nil {
			return nil, false, err
		}
	}
	if len(files) == 0 {
		return nil, false, errors.New("gatehouse policy fmt: there is no .rego file")
	}
	slices.Sort(files)
	return slices.Compact(files), single, nil
}

// formatFile reads a file, or standard input, and lays it out.
func formatFile(e *env, name string) (before, after []byte, err error) {
	if name == "-" {
		before, err = io.ReadAll(e.stdin)
		name = "stdin"
	} else {
		before, err = os.ReadFile(name)
	}
	if err != nil {
		return nil, nil, err
	}
	after, err = opa.Format(name, before)
	return before, after, err
}

// replaceFile puts new content in the place of a file in one step: a policy that
// is being watched must never be read half written. A link stays a link.
func replaceFile(name string, content []byte) error {
	target, err := filepath.EvalSymlinks(name)
	if err != nil {
		return err
	}
	info, err := os.Stat(target)
	if err != nil {
		return err
	}
	// Hidden, so that nobody takes it for a policy.
	tmp, err := os.CreateTemp(filepath.Dir(target), ".fmt-*")
	if err != nil {
		return err
	}
	_, err = tmp.Write(content)
	err = errors.Join(err, tmp.Chmod(info.Mode().Perm()), tmp.Close())
	if err == nil {
		err = os.Rename(tmp.Name(), target)
	}
	if err != nil {
		return errors.Join(err, os.Remove(tmp.Name()))
	}
	return nil
}
