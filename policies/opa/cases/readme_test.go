package cases_test

import (
	"bytes"
	"io/fs"
	"os"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"github.com/gatehouse-dev/gatehouse/policies"
	"github.com/gatehouse-dev/gatehouse/policies/opa"
	"github.com/gatehouse-dev/gatehouse/policies/opa/cases"
)

// The examples of policies/README.md do what the README says: a role is added,
// a field is classified, and the case written for them holds.
func TestReadme(t *testing.T) {
	blocks := yamlBlocks(t, "../../README.md")
	if len(blocks) != 4 {
		t.Fatalf("the README has %d YAML blocks, want the role, its permissions, its case and the field", len(blocks))
	}
	role, permissions, examples, field := blocks[0], blocks[1], blocks[2], blocks[3]

	tree := copyTree(t, policies.Samples)
	edit(t, tree, "rego/company/roles.yaml", "\nroles:\n", "\nroles:\n"+role)
	edit(t, tree, "rego/company/permissions.yaml", "\npermissions:\n", "\npermissions:\n"+permissions)
	edit(t, tree, "rego/company/fields.yaml",
		"  pii:\n    redact: [ssn, date_of_birth, address, emergency_contacts]\n", field)

	o := opa.Options{Path: "rego", FS: tree, Budget: 10 * time.Second}
	engine, err := opa.Load(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	report, err := opa.Test(t.Context(), o, &out)
	if err != nil || report.Failed > 0 {
		t.Errorf("the policies' tests: %d failed, %v", report.Failed, err)
	}
	results, err := cases.Run(t.Context(), engine, fstest.MapFS{"readme.yaml": {Data: []byte(examples + `
- note: the new field is masked for the new role
  as: {id: au1, role: auditor, tenant: acme}
  does: GET /api/employees/e2
  on: employees
  want: {allow: true, masked: {personal.passport: redact}}
`)}})
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range results {
		if !r.Passed() {
			t.Error(r)
		}
	}
}

// yamlBlocks are the fenced blocks of YAML in a document.
func yamlBlocks(t *testing.T, name string) []string {
	t.Helper()
	text, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	var out []string
	for i, part := range strings.Split(string(text), "```") {
		if block, ok := strings.CutPrefix(part, "yaml\n"); ok && i%2 == 1 {
			out = append(out, block)
		}
	}
	return out
}

func copyTree(t *testing.T, from fs.FS) fstest.MapFS {
	t.Helper()
	out := fstest.MapFS{}
	err := fs.WalkDir(from, ".", func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		text, err := fs.ReadFile(from, path)
		out[path] = &fstest.MapFile{Data: text}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// edit replaces what must stand in a file once.
func edit(t *testing.T, tree fstest.MapFS, name, old, text string) {
	t.Helper()
	before := string(tree[name].Data)
	if strings.Count(before, old) != 1 {
		t.Fatalf("%s does not say %q once", name, old)
	}
	tree[name].Data = []byte(strings.Replace(before, old, text, 1))
}
