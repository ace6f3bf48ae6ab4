package bundle

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"
)

// Options say where bundles come from.
type Options struct {
	// Source is the path of a file or a URL.
	Source string
	// Keys are PEM files with Ed25519 public keys, by id.
	Keys map[string]string
	// Poll is how often a URL is asked whether there is another bundle; up to
	// a tenth more or less, so that gateways do not ask all at once. Default:
	// [DefaultPoll].
	Poll time.Duration
	// Cache is the folder that remembers.
	Cache string
	// Size bounds a bundle in bytes. Default: [DefaultSize].
	Size int64
	// Rehearsal says to look only: nothing is written, and a URL is not polled.
	Rehearsal bool
	// Transport, where set, carries the requests to a URL.
	Transport http.RoundTripper
}

// Source gives bundles, and none that is older than one it gave before.
type Source struct {
	o      Options
	reader *Reader
	client *http.Client // nil for a file

	mu       sync.Mutex
	accepted accepted
	inForce  bool   // one has been accepted since Open
	latest   []byte // the last answer of the URL
	etag     string
	err      error // of the last attempt

	stop context.CancelFunc
	done chan struct{}
}

// Open begins to watch a source. It must be closed. Nothing has been fetched
// yet when it returns.
func Open(o Options) (*Source, error) {
	keys := map[string][]byte{}
	for id, file := range o.Keys {
		text, err := os.ReadFile(file)
		if err != nil {
			return nil, fmt.Errorf("key %s: %w", id, err)
		}
		keys[id] = text
	}
	r, err := NewReader(keys, o.Size)
	if err != nil {
		return nil, err
	}
	s := &Source{o: o, reader: r, stop: func() {}, done: make(chan struct{})}
	if s.accepted, err = readAccepted(o.Cache); err != nil {
		return nil, err
	}
	if !strings.Contains(o.Source, "://") {
		close(s.done)
		return s, nil
	}
	if s.o.Poll <= 0 {
		s.o.Poll = DefaultPoll
	}
	s.client = newClient(o.Transport)
	if o.Rehearsal {
		close(s.done)
		return s, nil
	}
	ctx, cancel := context.WithCancel(context.Background())
	s.stop = cancel
	go func() {
		defer close(s.done)
		s.poll(ctx)
	}()
	return s, nil
}

// Close stops watching and waits until nothing runs any more.
func (s *Source) Close() error {
	s.stop()
	<-s.done
	return nil
}

// Err tells why the source could not be asked the last time, nil where it could.
func (s *Source) Err() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.err
}

// Fetch gives the newest bundle of the source, verified. A URL is asked only
// where polling has not done so yet.
func (s *Source) Fetch(ctx context.Context) (*Bundle, error) {
	var packed []byte
	var err error
	if s.client == nil {
		packed, err = readAtMost(s.o.Source, s.reader.size)
		s.note(err)
	} else if packed = s.answer(); packed == nil {
		_, err = s.download(ctx)
		packed = s.answer()
	}
	if err != nil {
		return nil, err
	}
	return s.admit(packed)
}

// LastGood gives the bundle that was in force last, verified anew. It is there
// for the start of a gateway: once a bundle has been accepted since Open, the
// one in force is better known to the caller.
func (s *Source) LastGood() (*Bundle, error) {
	s.mu.Lock()
	inForce := s.inForce
	s.mu.Unlock()
	if inForce {
		return nil, errors.New("a bundle is in force")
	}
	packed, err := readAtMost(filepath.Join(s.o.Cache, lastGoodName), s.reader.size)
	if err != nil {
		return nil, err
	}
	return s.admit(packed)
}

// admit verifies a bundle and refuses one from the past.
func (s *Source) admit(packed []byte) (*Bundle, error) {
	b, err := s.reader.Read(packed)
	if err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.accepted.mayFollow(b); err != nil {
		return nil, err
	}
	return b, nil
}

// Accept notes that a bundle is in force: no older one will be given from now
// on, and this one is kept for a start without the source.
func (s *Source) Accept(b *Bundle) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.accepted.mayFollow(b); err != nil {
		return err
	}
	next := accepted{b.Serial, b.content()}
	if s.inForce && next == s.accepted || s.o.Rehearsal {
		s.inForce = true
		return nil
	}
	// The bundle first: with a serial number that is too low it can still be
	// used, without a bundle the number is of no use.
	err := write(filepath.Join(s.o.Cache, lastGoodName), b.packed)
	if err == nil {
		err = write(filepath.Join(s.o.Cache, acceptedName), fmt.Appendf(nil, "{\"serial\": %d, \"content\": %q}\n", next.Serial, next.Content))
	}
	if err != nil {
		return fmt.Errorf("the bundle cannot be kept: %w", err)
	}
	s.accepted, s.inForce = next, true
	return nil
}

func (s *Source) answer() []byte {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.latest
}

func (s *Source) note(err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.err = err
}
