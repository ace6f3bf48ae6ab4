package main

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// gatehouse runs the command in process.
func gatehouse(t *testing.T, args ...string) (code int, stdout, stderr string) {
	t.Helper()
	var out, errs bytes.Buffer
	code = run(t.Context(), &env{strings.NewReader(""), &out, &errs}, args)
	return code, out.String(), errs.String()
}

// folder writes files to a new folder.
func folder(t *testing.T, files map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	for name, text := range files {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

const (
	goodPolicy = "package gatehouse\n\nallow if input.subject.role in data.grants.roles\n"
	goodTest   = `package gatehouse_test

test_hr if data.gatehouse.allow with input as {"subject": {"role": "hr"}}
`
	badTest = `
test_staff if data.gatehouse.allow with input as {"subject": {"role": "staff"}}
`
	badPolicy = "package gatehouse\n\nallow if input.subject.rolle == \"hr\"\n\nmsk contains 1\n"
)

func TestPolicyVerb(t *testing.T) {
	grants := `{"roles": ["hr"]}`
	good := folder(t, map[string]string{"p.rego": goodPolicy, "p_test.rego": goodTest, "grants/x.json": grants})
	bad := folder(t, map[string]string{"p.rego": badPolicy})
	failing := folder(t, map[string]string{"p.rego": goodPolicy, "p_test.rego": goodTest + badTest, "grants/x.json": grants})
	untested := folder(t, map[string]string{"p.rego": goodPolicy})
	data := folder(t, map[string]string{"grants/x.yaml": "roles: [hr]\n"})
	tests := folder(t, map[string]string{"p_test.rego": goodTest})

	for name, tt := range map[string]struct {
		args []string
		code int
		out  string // standard output has this
		errs string // standard error has this
	}{
		"check":          {[]string{"check", good}, exitOK, "ok: 1 rule in 1 file, revision ", ""},
		"check bad":      {[]string{"check", bad}, exitWrong, "", filepath.Join(bad, "p.rego") + `:5:1: package gatehouse has no rule "msk": did you mean "mask"?`},
		"check data":     {[]string{"check", "--data", data, untested}, exitOK, "ok: 1 rule in 1 file", ""},
		"check gone":     {[]string{"check", filepath.Join(good, "gone")}, exitWrong, "", "is not a folder that can be read"},
		"test":           {[]string{"test", good}, exitOK, "ok: 1 passed, 0 failed, 0 skipped, coverage 100.0%", ""},
		"test line":      {[]string{"test", good}, exitOK, "PASS  gatehouse_test.test_hr  " + filepath.Join(good, "p_test.rego") + ":3\n", ""},
		"test folders":   {[]string{"test", untested, tests, "--data", data}, exitOK, "ok: 1 passed", ""},
		"test fails":     {[]string{"test", failing}, exitWrong, "FAIL: 1 passed, 1 failed", ""},
		"test fails at":  {[]string{"test", failing}, exitWrong, ":5: not true: data.gatehouse.allow with input", ""},
		"test bad":       {[]string{"test", bad}, exitWrong, "", `has no rule "msk"`},
		"no tests":       {[]string{"test", untested}, exitOK, "ok: no tests", ""},
		"no verb":        {nil, exitUsage, "", "usage: gatehouse policy"},
		"unknown verb":   {[]string{"chekc", good}, exitUsage, "", `there is no verb "chekc"`},
		"unknown flag":   {[]string{"check", good, "--dta", data}, exitUsage, "", "-dta"},
		"no folder":      {[]string{"check"}, exitUsage, "", "name a folder of policies"},
		"both":           {[]string{"check", "-c", "gatehouse.yaml", good}, exitUsage, "", "not both"},
		"help":           {[]string{"check", "--help"}, exitOK, "usage: gatehouse policy", ""},
		"missing config": {[]string{"check", "-c", filepath.Join(good, "gone.yaml")}, exitWrong, "", "gone.yaml"},
	} {
		t.Run(name, func(t *testing.T) {
			code, out, errs := gatehouse(t, append([]string{"policy"}, tt.args...)...)
			if code != tt.code || !strings.Contains(out, tt.out) || !strings.Contains(errs, tt.errs) {
				t.Errorf("exit %d, want %d\nstdout:\n%s\nwant %q\nstderr:\n%s\nwant %q", code, tt.code, out, tt.out, errs, tt.errs)
			}
		})
	}
}

func TestPolicyJSON(t *testing.T) {
	var got struct {
		OK       bool
		Rules    int
		Passed   int
		Mistakes []struct {
			File, Message string
			Line, Column  int
		}
	}
	read := func(want int, args ...string) {
		t.Helper()
		code, out, errs := gatehouse(t, append([]string{"policy"}, args...)...)
		if err := json.Unmarshal([]byte(out), &got); err != nil || code != want || errs != "" {
			t.Fatalf("exit %d, want %d; %v; stderr %q; stdout:\n%s", code, want, err, errs, out)
		}
	}
	bad := folder(t, map[string]string{"p.rego": badPolicy})
	if read(exitWrong, "check", "--json", bad); got.OK || len(got.Mistakes) != 2 || got.Mistakes[1].Line != 5 || got.Mistakes[1].Column != 1 {
		t.Errorf("mistakes %+v", got)
	}
	good := folder(t, map[string]string{"p.rego": goodPolicy, "p_test.rego": goodTest, "grants/x.json": `{"roles": ["hr"]}`})
	if read(exitOK, "check", good, "--json"); !got.OK || got.Rules != 1 {
		t.Errorf("report %+v", got)
	}
	if read(exitOK, "test", good, "--json"); !got.OK || got.Passed != 1 {
		t.Errorf("report %+v", got)
	}
}
