package main

import (
	"bytes"
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/gatehouse-dev/gatehouse/cmd/gatehouse/demo"
)

func verbsReadme(t *testing.T) string {
	t.Helper()
	b, err := os.ReadFile("../README.md")
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// TestReadmeHasEveryVerb holds the table and the sections of cmd/README.md
// against the verbs there are.
func TestReadmeHasEveryVerb(t *testing.T) {
	var want []string
	for _, v := range verbs() {
		want = append(want, v.name)
	}
	text := verbsReadme(t)
	for what, shape := range map[string]string{
		"table": "(?m)^\\| \\[`([a-z]+)`\\]", "sections": "(?m)^## ([a-z]+)$", "first usage": "(?m)^## [a-z]+\n\n`gatehouse ([a-z]+)",
	} {
		var got []string
		for _, m := range regexp.MustCompile(shape).FindAllStringSubmatch(text, -1) {
			got = append(got, m[1])
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s of cmd/README.md (-verbs +README):\n%s", what, diff)
		}
	}
}

// TestReadmeExamplesRun runs the examples of cmd/README.md in the demo's folder
// and compares what they print. In the README, … stands for anything, and on a
// line of its own for any lines.
func TestReadmeExamplesRun(t *testing.T) {
	text := verbsReadme(t)
	t.Chdir(t.TempDir())
	company, err := demo.Open(".", "127.0.0.1:8443", "127.0.0.1:9901")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := company.Close(); err != nil {
			t.Error(err)
		}
	})
	b, err := os.ReadFile("gatehouse.yaml")
	if err != nil {
		t.Fatal(err)
	}
	wrong := strings.Replace(strings.Replace(string(b), "health: {path", "health: {pth", 1), "upstream: hr", "upstream: hrr", 1)
	if err := os.WriteFile("wrong.yaml", []byte(wrong), 0o600); err != nil {
		t.Fatal(err)
	}
	ran := 0
	for _, block := range regexp.MustCompile("(?s)\n```console\n(.*?)```").FindAllStringSubmatch(text, -1) {
		for example := range strings.SplitSeq("\n"+block[1], "\n$ gatehouse ") {
			if example == "" {
				continue
			}
			line, want, _ := strings.Cut(example, "\n")
			want = strings.TrimSuffix(want, "\n") + "\n"
			var out bytes.Buffer
			code := run(t.Context(), &env{strings.NewReader(""), &out, &out}, words(line))
			if (code == exitOK) == strings.Contains(line, "wrong") {
				t.Errorf("gatehouse %s: exit %d", line, code)
			}
			if !shape(want).Match(out.Bytes()) {
				t.Errorf("gatehouse %s: the README shows\n%s\nit printed\n%s", line, want, &out)
			}
			ran++
		}
	}
	if ran < 8 {
		t.Errorf("only %d examples were found", ran)
	}
}

// words splits a command line; single quotes keep a word together.
func words(line string) []string {
	var out []string
	for _, m := range regexp.MustCompile(`'([^']*)'|\S+`).FindAllStringSubmatch(line, -1) {
		if m[0][0] == '\'' {
			out = append(out, m[1])
			continue
		}
		out = append(out, m[0])
	}
	return out
}

// shape is what an output must match. Spaces at the end of a line do not count.
func shape(want string) *regexp.Regexp {
	var b strings.Builder
	b.WriteString("^")
	for line := range strings.Lines(want) {
		line = strings.TrimSuffix(line, "\n")
		if line == "…" {
			b.WriteString(`(?:.*\n)*?`)
			continue
		}
		b.WriteString(strings.ReplaceAll(regexp.QuoteMeta(line), "…", ".*") + " *\n")
	}
	b.WriteString("$")
	return regexp.MustCompile(b.String())
}

// TestWrongCallsAreToldHow: a call that cannot be meant ends with 2 and says
// how the verb is called.
func TestWrongCallsAreToldHow(t *testing.T) {
	for _, line := range []string{
		"", "nosuchverb", "serve", "serve -c x.yaml extra", "serve -x", "check", "check -c x.yaml extra", "explain -c x.yaml GET",
		"explain -c x.yaml GET / --claims nonsense", "revoke", "revoke --list", "revoke -c x.yaml", "revoke -c x.yaml extra", "revoke -c x.yaml --sid s1", "revoke -c x.yaml --issuer a --sid s1 --jti j1",
		"revoke -c x.yaml --issuer a --subject u --issued-before yesterday", "revoke -c x.yaml --list --lift x", "revoke -c x.yaml --list --sid s1", "revoke -c x.yaml --list --cert x.pem",
		"lockdown", "lockdown -c x.yaml --all", "lockdown -c x.yaml --reason drill", "lockdown -c x.yaml --all --tenant t1 --reason drill", "lockdown -c x.yaml --all --for -1h --reason drill",
		"lockdown -c x.yaml --all --roles a,,b --reason drill", "lockdown -c x.yaml --lift x --all",
		"blocks", "blocks lift", "blocks list", "blocks list -c x.yaml nobody", "blocks list -c x.yaml ::1 ::2", "blocks add -c x.yaml", "blocks add -c x.yaml 203.0.113.7", "blocks add 203.0.113.7 --reason x",
		"blocks add -c x.yaml 203.0.113.7/4 --reason x", "blocks add -c x.yaml 0.0.0.0/0 --reason x", "blocks add -c x.yaml --subject u --reason x", "blocks add -c x.yaml ::1 --issuer a --subject u --reason x",
		"blocks add -c x.yaml ::1 --step-up --reason x", "blocks add -c x.yaml --issuer a --subject u --username n --reason x", "blocks add -c x.yaml ::1 --for soon --reason x", "blocks add -c x.yaml ::1 ::2 --reason x",
		"blocks remove", "blocks remove -c x.yaml", "blocks remove -c x.yaml --subject u", "blocks remove -c x.yaml ::1 --issuer a --subject u", "blocks remove -c x.yaml ::1 --cert x.pem",
		"demo -x", "demo extra", "certs", "certs dev", "policy", "policy test", "policy cases",
		"policy fmt", "policy fmt --check --write .", "policy fmt - .", "policy eval", "policy eval .", "policy eval --role hr", "policy matrix", "policy matrix .",
		"policy matrix -c x.yaml --format pdf", "policy matrix -c x.yaml --format html --against .", "version extra",
	} {
		var out, errs bytes.Buffer
		if code := run(t.Context(), &env{strings.NewReader(""), &out, &errs}, words(line)); code != exitUsage {
			t.Errorf("gatehouse %s: exit %d, want %d", line, code, exitUsage)
		}
		first, rest, _ := strings.Cut(errs.String(), "usage: ")
		if usage, _, _ := strings.Cut(rest, "\n"); usage != "" && strings.Count(rest, usage+"\n") > 1 {
			t.Errorf("gatehouse %s: the usage is printed twice: %s%s", line, first, rest)
		}
		if errs.Len() == 0 || out.Len() > 0 {
			t.Errorf("gatehouse %s: it printed %q, and on standard error %q", line, &out, &errs)
		}
	}
}
