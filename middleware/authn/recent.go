package authn

import (
	linked "container/list"
	"time"
)

// recent remembers something of the tokens that were used last, up to a size in
// all. Its owner calls it by one goroutine at a time.
type recent[V any] struct {
	room  int // left, in whatever sizes are counted
	items map[digest]*linked.Element
	order *linked.List // of *item[V], the last used first
}

type item[V any] struct {
	token digest
	value V
	size  int
	until time.Time
}

func newRecent[V any](size int) *recent[V] {
	return &recent[V]{room: size, items: map[digest]*linked.Element{}, order: linked.New()}
}

func (r *recent[V]) get(token *digest, now time.Time) (v V, ok bool) {
	e := r.items[*token]
	if e == nil {
		return v, false
	}
	i, _ := e.Value.(*item[V])
	if !now.Before(i.until) {
		r.drop(e)
		return v, false
	}
	r.order.MoveToFront(e)
	return i.value, true
}

// put remembers v until a moment, in place of what was, and forgets what was
// not used for longest to make room for it.
func (r *recent[V]) put(token *digest, v V, size int, now, until time.Time) {
	if e := r.items[*token]; e != nil {
		r.drop(e)
	}
	if !now.Before(until) {
		return
	}
	r.room -= size
	r.items[*token] = r.order.PushFront(&item[V]{*token, v, size, until})
	for r.room < 0 {
		r.drop(r.order.Back())
	}
}

func (r *recent[V]) drop(e *linked.Element) {
	i, _ := r.order.Remove(e).(*item[V])
	delete(r.items, i.token)
	r.room += i.size
}
