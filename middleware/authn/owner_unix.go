//go:build unix

package authn

import (
	"io/fs"
	"os"
	"syscall"
)

// foreign reports whether a file belongs to somebody else than this process and
// root, who can do anything in any case.
func foreign(info fs.FileInfo) bool {
	s, ok := info.Sys().(*syscall.Stat_t)
	return !ok || s.Uid != 0 && int(s.Uid) != os.Geteuid()
}
