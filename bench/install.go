package main

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"

	"github.com/gatehouse-dev/gatehouse/bench/peers"
)

// packages are the Debian packages of what is needed, by command or file.
func packages() [][2]string {
	return [][2]string{
		{"wrk", "wrk"},
		{"h2load", "nghttp2-client"},
		{"taskset", "util-linux"},
		{"nginx", "nginx"},
		{"haproxy", "haproxy"},
		{peers.NginxModules + "ngx_http_js_module.so", "libnginx-mod-http-js"},
		{peers.NginxModules + "ngx_http_lua_module.so", "libnginx-mod-http-lua"},
		{"/usr/share/lua/5.1/cjson/util.lua", "lua-cjson"},
	}
}

// programs are the peers that are built from source, into .bin.
func programs() map[string]string {
	return map[string]string{
		"caddy": "github.com/caddyserver/caddy/v2/cmd/caddy@v2.11.9",
		"opa":   "github.com/open-policy-agent/opa@v1.22.2",
	}
}

// install gets what is missing. What cannot be had is said, and left out of the
// table: it is no failure.
func install() {
	if err := errors.Join(installPackages(), installPrograms()); err != nil {
		fmt.Fprintln(os.Stderr, err)
	}
}

func installPackages() error {
	var names []string
	for _, p := range packages() {
		_, err := peers.Find(p[0])
		if strings.Contains(p[0], "/") {
			_, err = os.Stat(p[0])
		}
		if err != nil && !slices.Contains(names, p[1]) {
			names = append(names, p[1])
		}
	}
	if len(names) == 0 {
		return nil
	}
	apt, err := exec.LookPath("apt-get")
	if err != nil || os.Getuid() != 0 {
		return fmt.Errorf("install what is missing with: sudo apt-get install %s", strings.Join(names, " "))
	}
	for _, args := range [][]string{{"update", "-qq"}, append([]string{"install", "-y", "-qq", "--no-install-recommends"}, names...)} {
		cmd := exec.Command(apt, args...)
		cmd.Env = append(os.Environ(), "DEBIAN_FRONTEND=noninteractive")
		if out, err := cmd.CombinedOutput(); err != nil {
			return fmt.Errorf("apt-get %s: %w: %s", args[0], err, out)
		}
	}
	return nil
}

// installPrograms builds with the settings of a release, as the gateway is.
func installPrograms() error {
	bin, err := filepath.Abs(".bin")
	if err != nil {
		return err
	}
	var errs []error
	for name, from := range programs() {
		if _, err := os.Stat(filepath.Join(bin, name)); err == nil {
			continue
		}
		fmt.Fprintf(os.Stderr, "building %s with %s, which takes minutes\n", name, runtime.Version())
		cmd := exec.Command("go", "install", "-trimpath", "-ldflags=-s -w", from)
		cmd.Env = append(os.Environ(), "CGO_ENABLED=0", "GOBIN="+bin)
		if out, err := cmd.CombinedOutput(); err != nil {
			errs = append(errs, fmt.Errorf("build %s: %w: %s", name, err, out))
		}
	}
	return errors.Join(errs...)
}
