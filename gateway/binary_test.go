package gateway

import (
	"os/exec"
	"slices"
	"strings"
	"testing"
)

// The linker leaves out methods that nobody calls, unless something in the
// program calls them by name. These packages do, and one import of one of them
// makes the binary a quarter larger.
func TestMethodsCanBeLeftOut(t *testing.T) {
	cmd := exec.Command("go", "list", "-tags", "grpcnotrace", "-deps", "../cmd/gatehouse")
	out, err := cmd.Output()
	if err != nil {
		t.Fatal(err)
	}
	deps := strings.Fields(string(out))
	if !slices.Contains(deps, "net/http") {
		t.Fatalf("these are not the packages of the gateway: %.200s", out)
	}
	for _, p := range []string{"text/template", "html/template", "golang.org/x/net/trace"} {
		if slices.Contains(deps, p) {
			t.Errorf("%s is part of the binary", p)
		}
	}
}
