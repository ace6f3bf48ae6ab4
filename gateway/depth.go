package gateway

// depth is how much stack the stages of a route and its upstream need, in bytes,
// about.
const depth = 8 << 10

// none is no place of a room.
const none = -1

// makeRoom makes the stack of the goroutine at least as large as an exchange needs
// it. Over HTTP/2 each exchange has a new goroutine, whose stack is small. In the
// depth of the stages it would be made larger twice, each time with all that stands
// on it moved, which is an eighth of the work of a short exchange. Here next to
// nothing stands on it yet.
//
// A call has room on the stack for all of its variables, whether it comes to them or
// not: with none it does nothing but need that. It gives what is at a place of the
// room, so that the room is there.
//
//go:noinline
func makeRoom(place int) byte {
	if place == none {
		return 0
	}
	var room [depth]byte
	return room[place]
}
