package guard

import "container/list"

// recent is a bounded map that remembers in which order its entries were last
// put there. Beyond the cap the oldest goes.
type recent[K comparable, V any] struct {
	max   int
	index map[K]*list.Element
	order *list.List // of item, oldest first
}

type item[K comparable, V any] struct {
	key   K
	value V
}

func newRecent[K comparable, V any](size int) recent[K, V] {
	return recent[K, V]{max: size, index: map[K]*list.Element{}, order: list.New()}
}

func (r *recent[K, V]) get(key K) (v V, ok bool) {
	if e := r.index[key]; e != nil {
		return e.Value.(*item[K, V]).value, true
	}
	return v, false
}

// put makes the entry the newest.
func (r *recent[K, V]) put(key K, value V) {
	if e := r.index[key]; e != nil {
		e.Value.(*item[K, V]).value = value
		r.order.MoveToBack(e)
		return
	}
	r.index[key] = r.order.PushBack(&item[K, V]{key, value})
	if len(r.index) > r.max {
		key, _, _ := r.oldest()
		r.remove(key)
	}
}

// update changes an entry that is there, and not its age.
func (r *recent[K, V]) update(key K, value V) {
	if e := r.index[key]; e != nil {
		e.Value.(*item[K, V]).value = value
	}
}

func (r *recent[K, V]) oldest() (key K, value V, ok bool) {
	e := r.order.Front()
	if e == nil {
		return key, value, false
	}
	i := e.Value.(*item[K, V])
	return i.key, i.value, true
}

func (r *recent[K, V]) remove(key K) {
	if e := r.index[key]; e != nil {
		r.order.Remove(e)
		delete(r.index, key)
	}
}
