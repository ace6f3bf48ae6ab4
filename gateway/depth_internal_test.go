package gateway

import (
	"testing"
	"unsafe"
)

// The stack of a new goroutine that has been made room for does not move any more
// when calls need it.
func TestRoomIsMadeBeforehand(t *testing.T) {
	moved := make(chan bool)
	go func() {
		var here byte
		makeRoom(none)
		at := uintptr(unsafe.Pointer(&here))
		descend(depth)
		moved <- at != uintptr(unsafe.Pointer(&here))
	}()
	if <-moved {
		t.Error("the stack has moved")
	}
}

// descend needs so many bytes of stack, at least, by calls that need few each.
//
//go:noinline
func descend(bytes int) byte {
	var frame [256]byte
	if bytes <= len(frame) {
		return frame[bytes-1]
	}
	return descend(bytes-len(frame)) + frame[bytes%len(frame)]
}
