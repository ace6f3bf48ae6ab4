package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/gatehouse-dev/gatehouse/certs"
	"github.com/gatehouse-dev/gatehouse/config"
)

// certsCall runs the command in process.
func certsCall(t *testing.T, args ...string) (code int, stdout, stderr string) {
	t.Helper()
	var out, errs strings.Builder
	code = run(t.Context(), &env{strings.NewReader(""), &out, &errs}, args)
	return code, out.String(), errs.String()
}

func TestCertsDevMakesWhatAServerTakes(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "new", "dev")
	code, stdout, stderr := certsCall(t, "certs", "dev", "-client", "alice", dir, "api.test")
	if code != exitOK || stderr != "" {
		t.Fatalf("exit %d: %s", code, stderr)
	}
	for _, name := range []string{"ca.pem", "ca-key.pem", "gateway.pem", "gateway-key.pem", "alice.pem", "alice-key.pem"} {
		if !strings.Contains(stdout, filepath.Join(dir, name)) {
			t.Errorf("%s is not mentioned in:\n%s", name, stdout)
		}
	}
	if _, err := certs.Open(&config.TLS{
		Certificates: []config.KeyPair{{Cert: filepath.Join(dir, "gateway.pem"), Key: filepath.Join(dir, "gateway-key.pem")}},
		ClientCA:     filepath.Join(dir, "ca.pem"),
	}); err != nil {
		t.Error(err)
	}
}

func TestCertsExitCodes(t *testing.T) {
	foreign := t.TempDir()
	if err := os.WriteFile(filepath.Join(foreign, "ca.pem"), []byte("mine"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		args []string
		want int
	}{
		{[]string{"certs"}, exitUsage},
		{[]string{"certs", "prod"}, exitUsage},
		{[]string{"certs", "dev"}, exitUsage},
		{[]string{"certs", "dev", "-wrong", "x"}, exitUsage},
		{[]string{"certs", "dev", foreign}, exitWrong},
		{[]string{"certs", "dev", t.TempDir(), "not a host"}, exitWrong},
		{[]string{"certs", "dev", "-client", "../x", t.TempDir()}, exitWrong},
	} {
		code, stdout, stderr := certsCall(t, tt.args...)
		if code != tt.want || stdout != "" || stderr == "" {
			t.Errorf("%v: exit %d, want %d; stdout %q, stderr %q", tt.args, code, tt.want, stdout, stderr)
		}
	}
}
