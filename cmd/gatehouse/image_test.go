package main

import (
	"os"
	"regexp"
	"strings"
	"testing"
)

// TestDockerfile holds what the image promises: one static binary, no shell, a
// user without rights, and the Go version of go.mod.
func TestDockerfile(t *testing.T) {
	b, err := os.ReadFile("../../Dockerfile")
	if err != nil {
		t.Fatal(err)
	}
	text := string(b)
	stages := strings.Split(text, "\nFROM ")
	last := stages[len(stages)-1]
	if !strings.HasPrefix(last, "scratch\n") {
		t.Error("the last stage is not made from scratch")
	}
	user := regexp.MustCompile(`(?m)^USER (\d+):(\d+)$`).FindStringSubmatch(last)
	if user == nil || user[1] == "0" || user[2] == "0" {
		t.Errorf("the image runs as %v", user)
	}
	if strings.Contains(last, "\nRUN ") || !strings.Contains(text, "CGO_ENABLED=0 go build") {
		t.Error("the binary is not static, or something is run where there is no shell")
	}
	mod, err := os.ReadFile("../../go.mod")
	if err != nil {
		t.Fatal(err)
	}
	want := regexp.MustCompile(`(?m)^go (\d+\.\d+)`).FindStringSubmatch(string(mod))[1]
	if !strings.Contains(text, "ARG GO_VERSION="+want+"\n") {
		t.Errorf("the image is not built with Go %s", want)
	}
}
