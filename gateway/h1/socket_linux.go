package h1

import (
	"errors"
	"io"
	"syscall"

	"golang.org/x/sys/unix"
)

// native reports whether sockets can be looked at here, without which nobody
// would notice that a client goes away.
const native = true

// arrived reads what has come, into a buffer that is taken only then. It
// reports false where nothing has.
func (c *conn) arrived(fd uintptr) bool {
	room := c.s.read()
	n, err := syscall.Read(int(fd), room[:])
	for errors.Is(err, syscall.EINTR) {
		n, err = syscall.Read(int(fd), room[:])
	}
	switch {
	case errors.Is(err, syscall.EAGAIN):
		c.s.reads.Put(room)
		return false
	case err != nil:
		c.waitErr = err
	case n <= 0:
		c.waitErr = io.EOF
	default:
		c.room, c.ahead, c.waitErr = room, room[:n], nil
		return true
	}
	c.s.reads.Put(room)
	return true
}

// hungUp reports whether the other side of a socket has said that nothing more
// will come, and nothing has come that nobody has read; or that it is gone. Over
// TLS, a goodbye is nothing.
func hungUp(fd int, overTLS bool) bool {
	var b [64]byte
	n, _, err := syscall.Recvfrom(fd, b[:], syscall.MSG_PEEK|syscall.MSG_DONTWAIT)
	switch {
	case errors.Is(err, syscall.EAGAIN), errors.Is(err, syscall.EINTR):
		return false
	case err != nil, n == 0:
		return true
	case !overTLS || !goodbye(b[:n]):
		return false
	}
	p := []unix.PollFd{{Fd: int32(fd), Events: unix.POLLRDHUP}} //nolint:gosec // descriptors are small
	n, err = unix.Poll(p, 0)
	return err == nil && n == 1 && p[0].Revents&(unix.POLLRDHUP|unix.POLLHUP|unix.POLLERR) != 0
}

// unreadIn reports whether something has come that nobody has read.
func unreadIn(fd int) bool {
	var b [1]byte
	n, _, err := syscall.Recvfrom(fd, b[:], syscall.MSG_PEEK|syscall.MSG_DONTWAIT)
	return err == nil && n > 0
}

// goodbye reports whether b is one record of TLS that is an alert, or may be one:
// in TLS 1.3 that is told by its length only.
func goodbye(b []byte) bool {
	const alert, data = 21, 23
	return len(b) >= 5 && len(b) == 5+int(b[3])<<8+int(b[4]) && (b[0] == alert || b[0] == data && len(b) <= 5+2+1+16)
}
