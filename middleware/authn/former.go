package authn

import (
	"slices"
	"sync"
)

// maxFormer is how many former sets of keys an issuer remembers. Issuers change
// theirs every few weeks, and their tokens live for a day.
const maxFormer = 8

// former are the keys that an issuer had before those that it has. Nothing is
// accepted by them: they tell a token that its issuer has signed, and has taken
// back with its key, from one that somebody made up.
type former struct {
	mu   sync.Mutex
	sets []*keySet // oldest first
}

// add remembers a set that is not used any more.
func (f *former) add(set *keySet) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if set == nil || slices.Contains(f.sets, set) {
		return
	}
	f.sets = append(f.sets, set)
	if n := len(f.sets) - maxFormer; n > 0 {
		f.sets = slices.Delete(f.sets, 0, n)
	}
}

func (f *former) all() []*keySet {
	f.mu.Lock()
	defer f.mu.Unlock()
	return slices.Clone(f.sets)
}

// signed reports whether a former key has signed the token.
func (f *former) signed(t *token) bool {
	for _, set := range f.all() {
		if k := set.find(t.kid, t.alg); k != nil && verifySignature(t.alg, k.raw, t.signed, t.signature) == nil {
			return true
		}
	}
	return false
}

// Formers remembers, for all issuers that a gateway has opened, the keys that they
// had: an issuer whose settings or key file have changed is opened anew. The zero
// value is ready for use, by any number of goroutines.
type Formers struct {
	mu   sync.Mutex
	last map[[2]string]predecessor // by name and iss
}

// predecessor is what is left of an issuer that was opened before.
type predecessor struct {
	keys   source
	former *former
}

// Follow makes an issuer remember the keys of the one that had its name and iss
// before it. Whoever opens issuers calls it for each, once.
func (f *Formers) Follow(i *Issuer) {
	f.mu.Lock()
	defer f.mu.Unlock()
	who := [2]string{i.name, i.config.Issuer}
	if before, ok := f.last[who]; ok {
		for _, set := range append(before.former.all(), before.keys.keys()) {
			i.former.add(set)
		}
	}
	if f.last == nil {
		f.last = map[[2]string]predecessor{}
	}
	f.last[who] = predecessor{i.keys, i.former}
}
