package opa

import (
	"encoding/json"
	"fmt"
)

// Pack reads policies and gives them as a bundle holds them, and as
// [Options].Files takes them: Rego by its name inside its folder, tests among
// it, and all data in one data.json. The error is [Mistakes] where a file cannot
// be read, or two are to have one name. Whether the policies are any good, Load
// tells.
func Pack(o Options) (map[string][]byte, error) {
	s := read(o)
	files := map[string][]byte{}
	for _, f := range s.rego {
		if _, taken := files[f.rel]; taken {
			s.mistakes.add(f.name, "another folder has a file %s too, and a bundle can hold only one: rename it", f.rel)
		}
		files[f.rel] = f.content
	}
	s.checkData()
	if err := s.err(); err != nil {
		return nil, err
	}
	data, err := json.MarshalIndent(s.tree, "", "  ")
	if err != nil {
		return nil, fmt.Errorf("policy data: %w", err)
	}
	files["data.json"] = append(data, '\n')
	return files, nil
}
