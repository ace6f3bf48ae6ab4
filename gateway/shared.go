package gateway

import (
	"encoding/json"
	"fmt"
	"io"
	"sync"
)

// Shared holds what outlives a plan: connection pools, key sets, counters,
// open log files. Each is kept under a key that says what it was made from, so
// that a reload which does not change a section keeps its state, and is closed
// when the last plan that uses it is done.
type Shared struct {
	mu sync.Mutex
	m  map[string]*sharedEntry
}

type sharedEntry struct {
	value any
	refs  int
}

// lease collects what one plan holds of a [Shared].
type lease struct {
	from *Shared
	keys []string
}

// hold gives the value that is kept under the kind and settings, made by open
// if there is none yet.
func hold[V any](l *lease, kind string, settings any, open func() (V, error)) (V, error) {
	var zero V
	key, err := sharedKey(kind, settings)
	if err != nil {
		return zero, err
	}
	l.from.mu.Lock()
	defer l.from.mu.Unlock()
	e := l.from.m[key]
	if e == nil {
		v, err := open()
		if err != nil {
			return zero, err
		}
		if l.from.m == nil {
			l.from.m = map[string]*sharedEntry{}
		}
		e = &sharedEntry{value: v}
		l.from.m[key] = e
	}
	e.refs++
	l.keys = append(l.keys, key)
	v, ok := e.value.(V)
	if !ok {
		return zero, fmt.Errorf("%s: kept as %T", kind, e.value)
	}
	return v, nil
}

// holdSlow is hold for what takes long to make: nobody waits meanwhile who only
// wants to give something back. What two make at once, the first one keeps.
func holdSlow[V any](l *lease, kind string, settings any, open func() (V, error)) (V, error) {
	var zero V
	key, err := sharedKey(kind, settings)
	if err != nil {
		return zero, err
	}
	l.from.mu.Lock()
	kept := l.from.m[key] != nil
	l.from.mu.Unlock()
	var made V
	if !kept {
		if made, err = open(); err != nil {
			return zero, err
		}
	}
	return hold(l, kind, settings, func() (V, error) {
		if kept { // and given back since
			return open()
		}
		return made, nil
	})
}

// sharedKey says what a value is made from.
func sharedKey(kind string, settings any) (string, error) {
	text, err := json.Marshal(settings)
	if err != nil {
		return "", fmt.Errorf("%s: %w", kind, err)
	}
	return kind + "\x00" + string(text), nil
}

// release gives everything back. What nobody else holds is closed.
func (l *lease) release() {
	l.from.mu.Lock()
	var closing []io.Closer
	for _, k := range l.keys {
		e := l.from.m[k]
		if e.refs--; e.refs > 0 {
			continue
		}
		delete(l.from.m, k)
		if c, ok := e.value.(io.Closer); ok {
			closing = append(closing, c)
		}
	}
	l.keys = nil
	l.from.mu.Unlock()
	for i := len(closing) - 1; i >= 0; i-- {
		// There is nobody left to tell, and nothing to do about it.
		_ = closing[i].Close()
	}
}
