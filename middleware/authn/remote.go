package authn

import (
	"context"
	"crypto/sha256"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// How keys from the network are kept.
const (
	// refreshEvery is the time between two fetches when all is well.
	refreshEvery = 10 * time.Minute
	// retryFirst and retryLast bound the time between fetches after failures,
	// which doubles with each.
	retryFirst = 250 * time.Millisecond
	retryLast  = 30 * time.Second
	// fetchTimeout bounds one fetch as a whole. Tests over TCP have longer.
	fetchTimeout = 3 * time.Second
	// askEvery bounds how often tokens with unknown keys can cause a fetch.
	askEvery = 30 * time.Second
	// maxStale is how long keys are used while the issuer cannot be reached.
	maxStale = 24 * time.Hour
	// maxAbsent is how many names of keys are remembered that the issuer does not
	// have.
	maxAbsent = 64
)

// remote keeps the keys of an issuer on the network. One goroutine does all
// fetching; requests read what it left. A request waits for it in two cases
// only: there are no keys at all and a fetch is under way, or its token names
// a key that is not known, which asks for a fetch that all such requests
// share.
type remote struct {
	fetch   fetch
	within  time.Duration // the time of one fetch
	disk    *disk         // nil where keys are not kept
	retire  func(*keySet) // takes what is not used any more
	current atomic.Pointer[held]
	stop    context.CancelFunc
	done    chan struct{} // closed when the goroutine has ended
	wake    chan struct{} // asks for a fetch at once

	mu     sync.Mutex
	flight chan struct{} // closed when the fetch under way ends; nil where there is none
	asked  time.Time     // when a request last caused a fetch
	failed error         // why the last fetch failed
	unkept error         // why what is on disk is not what we have

	// absent are names of keys that the issuer was asked for and did not have,
	// oldest first.
	absent []string
}

// held is a set of keys as the issuer last confirmed it. It never changes.
type held struct {
	set     *keySet
	fetched time.Time         // when it was confirmed
	address string            // where it came from
	etag    string            // what its place calls this version (RFC 9110, section 8.8.3); "" where it does not
	digest  [sha256.Size]byte // of its bytes
}

// fetch gets an issuer's keys. have is what is there already, or nil; where that
// is confirmed, the answer holds the same set.
type fetch func(ctx context.Context, have *held) (*held, error)

func startRemote(ctx context.Context, fetch fetch, within time.Duration, d *disk, retire func(*keySet)) *remote {
	ctx, stop := context.WithCancel(context.WithoutCancel(ctx))
	r := &remote{
		fetch: fetch, within: within, disk: d, retire: retire, stop: stop, done: make(chan struct{}), wake: make(chan struct{}, 1),
		flight: make(chan struct{}), // so that the first request waits for the first fetch
	}
	if d != nil {
		var h *held
		if h, r.unkept = d.load(time.Now()); h != nil {
			r.current.Store(h)
		}
	}
	go r.run(ctx)
	return r
}

func (r *remote) close() {
	r.stop()
	<-r.done
}

func (r *remote) run(ctx context.Context) {
	defer close(r.done)
	retry, asked := retryFirst, false
	for {
		wait := refreshEvery
		if err := r.refresh(ctx, asked); err != nil {
			wait, retry = retry, min(2*retry, retryLast)
		} else {
			retry = retryFirst
			r.keep() // nobody waits for that
		}
		// A tenth more or less keeps many gateways from asking in step.
		timer := time.NewTimer(wait*9/10 + rand.N(wait/5))
		select {
		case <-ctx.Done():
			timer.Stop()
			return
		case <-timer.C:
			asked = false
		case <-r.wake:
			timer.Stop()
			asked = true
		}
	}
}

// refresh fetches once. A failure leaves the keys as they are. A token that
// names a key we do not have says that they have changed: then they are not
// asked for on the condition that they have.
func (r *remote) refresh(ctx context.Context, asked bool) error {
	flight := r.take()
	have := r.current.Load()
	before := have
	if asked && have != nil {
		again := *have
		again.etag = ""
		have = &again
	}
	ctx, cancel := context.WithTimeout(ctx, r.within)
	defer cancel()
	h, err := r.fetch(ctx, have)
	if err == nil {
		h.fetched = time.Now()
		if before != nil && before.set != h.set {
			r.retire(before.set)
		}
		r.current.Store(h)
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.flight, r.failed = nil, err
	close(flight)
	return err
}

// keep writes the keys to disk. A failure costs nothing until a start without
// the issuer.
func (r *remote) keep() {
	if r.disk == nil {
		return
	}
	err := r.disk.save(r.current.Load())
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.unkept = err; err != nil {
		r.unkept = fmt.Errorf("the keys cannot be kept: %w", err)
	}
}

// take begins a fetch, which answers whoever asked for one until now.
func (r *remote) take() chan struct{} {
	r.mu.Lock()
	defer r.mu.Unlock()
	select {
	case <-r.wake:
	default:
	}
	if r.flight == nil {
		r.flight = make(chan struct{})
	}
	return r.flight
}

func (r *remote) find(ctx context.Context, kid, alg string) (*key, error) {
	set := r.keys()
	if set == nil {
		r.await(ctx, r.underWay())
		if set = r.keys(); set == nil {
			return nil, errUnavailable
		}
	}
	if k := set.find(kid, alg); k != nil {
		return k, nil
	}
	if kid == "" {
		return nil, errUnknownKey
	}
	since := time.Now()
	r.await(ctx, r.ask())
	if set = r.keys(); set == nil {
		return nil, errUnavailable
	}
	if k := set.find(kid, alg); k != nil {
		return k, nil
	}
	return nil, r.missing(kid, since)
}

// missing says how sure it is that the issuer has no key of this name: sure, if it
// said so after somebody asked for it.
func (r *remote) missing(kid string, since time.Time) error {
	if len(kid) > maxKeyID { // none has such a name
		return errUnknownKey
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if slices.Contains(r.absent, kid) {
		return errUnknownKey
	}
	if r.confirmed().Before(since) {
		return errUnsure
	}
	if len(r.absent) == maxAbsent {
		r.absent = slices.Delete(r.absent, 0, 1)
	}
	r.absent = append(r.absent, strings.Clone(kid))
	return errUnknownKey
}

// keys gives the keys that may be used now, or nil.
func (r *remote) keys() *keySet {
	h := r.current.Load()
	if h == nil || time.Since(h.fetched) > maxStale {
		return nil
	}
	return h.set
}

func (r *remote) confirmed() time.Time {
	if h := r.current.Load(); h != nil {
		return h.fetched
	}
	return time.Time{}
}

// underWay gives the end of the fetch under way, nil where there is none.
func (r *remote) underWay() <-chan struct{} {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.flight
}

// ask gives the end of the fetch under way, or of a new one if the last that
// was asked for is long enough ago; nil otherwise.
func (r *remote) ask() <-chan struct{} {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.flight != nil {
		return r.flight
	}
	if now := time.Now(); r.asked.IsZero() || now.Sub(r.asked) >= askEvery {
		r.asked = now
		r.flight = make(chan struct{})
		r.wake <- struct{}{} // never blocks: it is empty where no fetch is under way
	}
	return r.flight
}

// await waits for the end of a fetch, if there is one to wait for.
func (r *remote) await(ctx context.Context, flight <-chan struct{}) {
	if flight == nil {
		return
	}
	select {
	case <-flight:
	case <-ctx.Done():
	case <-r.done:
	}
}

func (r *remote) ready() error {
	if r.keys() != nil {
		return nil
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.failed == nil {
		return fmt.Errorf("%w: not fetched yet", errUnavailable)
	}
	return fmt.Errorf("%w: %w", errUnavailable, r.failed)
}

func (r *remote) detail() string {
	var told []string
	h := r.current.Load()
	if h != nil {
		if unused := h.set.told(); unused != "" {
			told = append(told, unused)
		}
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if h != nil && r.failed != nil {
		told = append(told, fmt.Sprintf("the keys are from %s; newer ones cannot be had: %v", h.fetched.UTC().Format(time.RFC3339), r.failed))
	}
	if r.unkept != nil {
		told = append(told, r.unkept.Error())
	}
	return strings.Join(told, "; ")
}
