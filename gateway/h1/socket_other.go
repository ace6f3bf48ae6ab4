//go:build !linux

package h1

// native reports whether sockets can be looked at here. They cannot: net/http
// serves everything.
const native = false

func (c *conn) arrived(uintptr) bool { return true }

func hungUp(int, bool) bool { return false }

func unreadIn(int) bool { return false }
