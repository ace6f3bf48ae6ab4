package alert

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/gatehouse-dev/gatehouse/config"
)

// child raises events for a receiver that is not there, and says of each when it is
// on disk.
func child(folder string) {
	c := config.Alerts{
		Dedup: config.Duration(time.Hour), Spool: config.AlertSpool{Folder: folder, Bytes: 1 << 20, Keep: config.Duration(time.Hour)},
		Webhook: map[string]*config.AlertWebhook{"siem": {URL: "https://127.0.0.1:1/", Secret: testSecret, Timeout: config.Duration(time.Second), Classes: []string{"finding"}}},
	}
	all, err := Compile(&c, nil)
	if err != nil {
		panic(err)
	}
	s := Open(Options{})
	s.Use(*all)
	for i := range 1000 { // which the spool has room for, however late the parent is
		s.Raise(found(address(i)))
		for done := false; !done; {
			s.Waiting(func(w Waiting) { done = w.Events == i+1 })
		}
		fmt.Println(address(i))
	}
	_, _ = io.Copy(io.Discard, os.Stdin) // until the parent ends, if it does not kill
	os.Exit(0)
}

// What a killed process has said to be on disk is delivered by the next one, each
// event at least once and with one id.
func TestKilled(t *testing.T) {
	folder := t.TempDir()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), childFolder+"="+folder)
	cmd.Stderr = os.Stderr
	_, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err == nil {
		err = cmd.Start()
	}
	if err != nil {
		t.Fatal(err)
	}
	lines, said := bufio.NewScanner(out), map[string]bool{}
	for len(said) < 100 && lines.Scan() {
		said[lines.Text()] = true
	}
	if err := cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	for lines.Scan() {
		said[lines.Text()] = true
	}
	_ = cmd.Wait()
	var b book
	rec := newReceiver(t)
	c := rec.to()
	c.Spool.Folder = folder
	s := eager(t, &b, c)
	until(t, "nothing waits", func() bool { n, _, _ := outletOf(t, s, "siem").spool.waiting(); return n == 0 })
	got := map[string]string{}
	for _, e := range rec.events(t) {
		ip := e.Evidences[0].SrcEndpoint.IP
		if id, twice := got[ip]; twice && id != e.Metadata.UID {
			t.Errorf("%s has two ids", ip)
		}
		got[ip] = e.Metadata.UID
	}
	for ip := range said {
		if got[ip] == "" {
			t.Errorf("%s is lost", ip)
		}
	}
	if len(said) < 100 || b.of("siem damaged") > 0 {
		t.Errorf("%d said, %v", len(said), b.counts)
	}
	for _, f := range files(t, filepath.Join(folder, "siem")) {
		if strings.HasSuffix(f, eventEnding) {
			t.Errorf("%s is left", f)
		}
	}
}
