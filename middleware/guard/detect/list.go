package detect

import "slices"

// timed is something that happened, in nanoseconds of a table.
type timed interface{ when() int64 }

// add puts e into a list that has its oldest first, and takes out what is not
// within the window that ends with its newest. Signals of several goroutines may
// come a little late: each is put where it belongs.
func add[E timed](list []E, e E, window int64) []E {
	i := len(list)
	for i > 0 && list[i-1].when() > e.when() {
		i--
	}
	list = slices.Insert(list, i, e)
	return fresh(list, list[len(list)-1].when(), window)
}

// fresh takes out what is not within the window that ends now. What is as old as
// the window is out.
func fresh[E timed](list []E, now, window int64) []E {
	i := 0
	for i < len(list) && now-list[i].when() >= window {
		i++
	}
	if i == 0 {
		return list
	}
	return slices.Delete(list, 0, i)
}

// last is the time of the newest, or of now where there is none.
func last[E timed](list []E, now int64) int64 {
	if len(list) == 0 {
		return now
	}
	return list[len(list)-1].when()
}
