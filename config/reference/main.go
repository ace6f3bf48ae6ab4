// Command reference writes README.md and schema.json of package config from
// the comments and tags of its structs. Run it by go generate ./config.
package main

import (
	"fmt"
	"os"
	"path/filepath"
)

func main() {
	if err := run("."); err != nil {
		fmt.Fprintln(os.Stderr, "reference:", err)
		os.Exit(1)
	}
}

func run(folder string) error {
	files, err := generate(folder)
	if err != nil {
		return err
	}
	for name, data := range files {
		if err := os.WriteFile(filepath.Join(folder, name), data, 0o644); err != nil {
			return err
		}
	}
	return nil
}

// generate makes both files from the Go files in folder.
func generate(folder string) (map[string][]byte, error) {
	m, err := parse(folder)
	if err != nil {
		return nil, err
	}
	schema, err := m.schema()
	if err != nil {
		return nil, err
	}
	return map[string][]byte{"README.md": m.readme(), "schema.json": schema}, nil
}
