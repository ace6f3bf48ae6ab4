package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"time"

	"github.com/gatehouse-dev/gatehouse/bench/peers"
)

// profile keeps the gateway busy with each row and has it tell where its time
// goes: a file for each row in the folder of the results, and all of them in
// one, with which the gateway is compiled when it is released.
func (w *world) profile(ctx context.Context, o options) error {
	if o.out == "" {
		return errors.New("profile needs -out, the folder of the profiles")
	}
	out, err := filepath.Abs(o.out)
	if err == nil {
		err = os.MkdirAll(out, 0o755)
	}
	if err != nil {
		return err
	}
	w.Token = "the-token-of-the-bench-for-profiles"
	args := []string{"tool", "pprof", "-proto", "-output=" + filepath.Join(out, "all.pgo")}
	for _, r := range rows() {
		if !o.wants(&r) || ctx.Err() != nil {
			continue
		}
		file := filepath.Join(out, r.name+".pb.gz")
		if err := w.profileRow(&r, o.slice, file); err != nil {
			return fmt.Errorf("%s: %w", r.name, err)
		}
		args = append(args, file)
	}
	if ctx.Err() != nil {
		return ctx.Err()
	}
	_, err = run(exec.Command("go", args...))
	return err
}

// profileRow writes the profile of one row.
func (w *world) profileRow(r *row, d time.Duration, file string) error {
	s, err := w.ready(r, peers.Gateway())
	if err != nil {
		return err
	}
	defer s.close()
	over := make(chan error, 1)
	go func() { over <- w.fetchProfile(s, d, file) }()
	t, err := w.turn(r, s, d)
	if err = errors.Join(err, <-over); err == nil {
		fmt.Fprintf(os.Stderr, "%-14s %7.1f us\n", r.name, t.CPU)
	}
	return err
}

// fetchProfile gets what the gateway does from now on, for so long.
func (w *world) fetchProfile(s *system, d time.Duration, file string) error {
	at, err := url.Parse(s.base)
	if err != nil {
		return err
	}
	var port int
	if _, err := fmt.Sscan(at.Port(), &port); err != nil {
		return err
	}
	req, err := http.NewRequest(http.MethodGet, fmt.Sprintf("http://127.0.0.1:%d/debug/pprof/profile?seconds=%d", port+1, int(d.Seconds())), http.NoBody)
	if err != nil {
		return err
	}
	req.Header.Set("Authorization", "Bearer "+w.Token)
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return err
	}
	defer res.Body.Close()
	if res.StatusCode != http.StatusOK {
		return fmt.Errorf("profile: %s", res.Status)
	}
	f, err := os.Create(file)
	if err != nil {
		return err
	}
	_, err = io.Copy(f, res.Body)
	return errors.Join(err, f.Close())
}
