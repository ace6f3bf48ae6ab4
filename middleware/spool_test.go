package middleware_test

import (
	"bufio"
	"io"
	"os"
	"os/exec"
	"strings"
	"testing"

	"github.com/gatehouse-dev/gatehouse/middleware"
)

// A process that is killed while it holds files leaves none behind.
func TestSpoolIsGoneWithTheProcess(t *testing.T) {
	if folder := os.Getenv("GATEHOUSE_TEST_SPOOL"); folder != "" {
		hold(t, folder)
		return
	}
	folder := t.TempDir()
	cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run", "^TestSpoolIsGoneWithTheProcess$")
	cmd.Env = append(os.Environ(), "GATEHOUSE_TEST_SPOOL="+folder)
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	line, err := bufio.NewReader(out).ReadString('\n')
	if err := cmd.Process.Kill(); err != nil {
		t.Error(err)
	}
	_ = cmd.Wait()
	if line != "holding\n" {
		t.Fatalf("the other process says %q, %v", line, err)
	}
	if entries, err := os.ReadDir(folder); len(entries) > 0 || err != nil {
		t.Errorf("left behind: %v %v", entries, err)
	}
}

// A folder that cannot hold files is known before one comes.
func TestSpoolTry(t *testing.T) {
	folder := t.TempDir()
	if err := middleware.NewSpool(folder, 1).Try(); err != nil {
		t.Error(err)
	}
	if entries, err := os.ReadDir(folder); len(entries) > 0 || err != nil {
		t.Errorf("left behind: %v %v", entries, err)
	}
	if err := middleware.NewSpool(folder+"/nowhere", 1).Try(); err == nil {
		t.Error("files can be kept in a folder that is not there")
	}
}

// hold reads a form up to the middle of a file, and waits to be killed.
func hold(t *testing.T, folder string) {
	until := readerFunc(func([]byte) (int, error) {
		_, _ = os.Stdout.WriteString("holding\n")
		select {}
	})
	file := "name=f; filename=f.bin\r\n\r\n" + strings.Repeat("x", 3<<20)
	x := formExchange(t, io.MultiReader(strings.NewReader(strings.TrimSuffix(formOf(file), "--b--\r\n")), until),
		func(x *middleware.Exchange) { x.Spool = middleware.NewSpool(folder, 8<<20) })
	_, err := x.Form("test")
	t.Errorf("read to its end: %v", err)
}

type readerFunc func([]byte) (int, error)

func (f readerFunc) Read(p []byte) (int, error) { return f(p) }
