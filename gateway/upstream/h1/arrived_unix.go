//go:build linux || darwin || freebsd || netbsd || openbsd

package h1

import (
	"errors"
	"net"
	"syscall"
)

// peeker looks at what has come over a connection. It is made once for each, so
// that looking costs one system call and no memory.
type peeker struct {
	raw   syscall.RawConn // nil: it cannot be looked at
	look  func(fd uintptr)
	there bool
}

func (p *peeker) init(c net.Conn) {
	if s, ok := c.(syscall.Conn); ok {
		if raw, err := s.SyscallConn(); err == nil {
			p.raw, p.look = raw, p.peek
		}
	}
}

func (p *peeker) peek(fd uintptr) {
	var b [1]byte
	_, _, err := syscall.Recvfrom(int(fd), b[:], syscall.MSG_PEEK|syscall.MSG_DONTWAIT)
	p.there = !errors.Is(err, syscall.EAGAIN)
}

// arrived reports whether something has come, or its end, that nobody has read
// yet. It does not wait and takes nothing away.
func (p *peeker) arrived() bool {
	if p.raw == nil {
		return false
	}
	return p.raw.Control(p.look) != nil || p.there // a connection that was closed here has come to its end, too
}
