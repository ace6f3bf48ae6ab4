package config

import (
	"net"
	"path/filepath"
	"strconv"
	"strings"
)

func (k *checker) scanner() {
	s := k.c.Scanner.Clamd
	if s == "" {
		return
	}
	if path, is := strings.CutPrefix(s, "unix:"); is {
		if !filepath.IsAbs(path) {
			k.mistake("scanner.clamd", "the path of the socket must be absolute, as in unix:/run/clamav/clamd.ctl")
		}
		return
	}
	host, port, err := net.SplitHostPort(s)
	if n, wrong := strconv.ParseUint(port, 10, 16); err != nil || host == "" || wrong != nil || n == 0 {
		k.mistake("scanner.clamd", "%q is neither host:port nor unix: and the path of a socket", s)
	}
}

// scan checks that what a route lets in can be scanned.
func (k *checker) scan(u *Upload, path string) {
	if !u.Scan {
		return
	}
	if k.c.Scanner.Clamd == "" {
		if !k.unread("scanner") {
			k.mistake(join(path, "scan"), "there is no scanner; say where with scanner: {clamd: …}")
		}
		return
	}
	most := u.FileBytes
	for _, f := range u.Fields {
		most = max(most, f.FileBytes)
	}
	if most > k.c.Scanner.Max {
		k.mistake(join(path, "scan"), "files of up to %s are taken, and scanner.max is %s: larger ones could never pass", most, k.c.Scanner.Max)
	}
}
