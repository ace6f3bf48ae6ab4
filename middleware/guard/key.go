package guard

import (
	"context"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/gatehouse-dev/gatehouse/middleware/guard/detect"
	"github.com/gatehouse-dev/gatehouse/middleware/store"
)

const (
	// keyName is where Redis has the key of all replicas.
	keyName = "gatehouse:guard:key"
	// agreeEvery is how often Redis is asked for it, or told again after it forgot.
	agreeEvery = 5 * time.Second
)

type secret [32]byte

// Key stands between usernames and what is kept of them. It is for any number of
// goroutines.
type Key struct {
	current atomic.Pointer[secret]
	file    string       // "" where none keeps it
	redis   *store.Redis // nil where there is nobody to agree with

	mu   sync.Mutex
	kept secret // what the file has
	err  error  // of the last turn

	stop context.CancelFunc
	done chan struct{}
}

// NewKey makes a key of a secret, or of chance where that is "".
func NewKey(text string) *Key {
	k := &Key{}
	var s secret
	if text != "" {
		h := hmac.New(sha256.New, []byte(text))
		h.Write([]byte("usernames of the guard"))
		h.Sum(s[:0])
	} else {
		rand.Read(s[:]) // never fails: the runtime would end the process
	}
	k.current.Store(&s)
	return k
}

// OpenKey opens a key of chance that all replicas share: the one that Redis has,
// or else the one of the file, or else a new one, which is told to both. Redis may
// be nil, and is asked on where it does not answer; the file may be "". A file that
// cannot be read or written is an error.
func OpenKey(file string, r *store.Redis) (*Key, error) {
	k := NewKey("")
	k.file, k.redis = file, r.Aside()
	if err := k.read(); err != nil {
		return nil, err
	}
	if k.redis != nil {
		ctx, stop := context.WithCancel(context.Background())
		k.stop, k.done = stop, make(chan struct{})
		k.turn(ctx)
		go k.run(ctx)
	}
	if err := k.keep(); err != nil {
		return nil, errors.Join(err, k.Close())
	}
	return k, nil
}

// Digest stands for names. Lengths are not needed between them: a zero byte ends
// each and none holds one.
func (k *Key) Digest(names ...string) (d detect.Digest) {
	h := hmac.New(sha256.New, k.current.Load()[:])
	for _, n := range names {
		h.Write([]byte(n))
		h.Write([]byte{0})
	}
	var sum [sha256.Size]byte
	copy(d[:], h.Sum(sum[:0]))
	return d
}

// Trouble says why replicas may not have the same key, or a restart may lose it.
func (k *Key) Trouble() error {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.err
}

// Close ends the asking and waits for it.
func (k *Key) Close() error {
	if k.stop != nil {
		k.stop()
		<-k.done
	}
	return nil
}

func (k *Key) run(ctx context.Context) {
	defer close(k.done)
	tick := time.NewTicker(agreeEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			k.turn(ctx)
		}
	}
}

// turn agrees with the other replicas, and keeps what came of it.
func (k *Key) turn(ctx context.Context) {
	agreed := k.agree(ctx)
	kept := k.keep()
	k.mu.Lock()
	defer k.mu.Unlock()
	k.err = errors.Join(agreed, kept)
}

// agree takes the key that Redis has, or gives it ours where it has none.
func (k *Key) agree(ctx context.Context) error {
	var text string
	err := k.redis.Do(ctx, func(ctx context.Context, c store.Client) error {
		ours := hex.EncodeToString(k.current.Load()[:])
		first, err := c.SetNX(ctx, keyName, ours, 0).Result()
		if err != nil || first {
			text = ours
			return err
		}
		text, err = c.Get(ctx, keyName).Result()
		return err
	})
	if err != nil {
		return fmt.Errorf("the store does not share the key of usernames: %w", err)
	}
	s, err := parseSecret(text)
	if err != nil {
		return fmt.Errorf("%s in the store %w", keyName, err)
	}
	if *k.current.Load() != s {
		k.current.Store(&s)
	}
	return nil
}

// read takes the key of the file, if there is one.
func (k *Key) read() error {
	if k.file == "" {
		return nil
	}
	text, err := os.ReadFile(k.file)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	s, err := parseSecret(strings.TrimSpace(string(text)))
	if err != nil {
		return fmt.Errorf("%s %w", k.file, err)
	}
	k.kept = s
	k.current.Store(&s)
	return nil
}

// keep writes the key to the file, where that has another: as a whole, for nobody
// else to read.
func (k *Key) keep() error {
	k.mu.Lock()
	defer k.mu.Unlock()
	s := *k.current.Load()
	if k.file == "" || k.kept == s {
		return nil
	}
	next := k.file + ".new"
	if err := writeSynced(next, hex.EncodeToString(s[:])+"\n"); err != nil {
		return err
	}
	if err := os.Rename(next, k.file); err != nil {
		return err
	}
	k.kept = s
	return nil
}

func writeSynced(name, text string) error {
	f, err := os.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	_, err = f.WriteString(text)
	return errors.Join(err, f.Sync(), f.Close())
}

func parseSecret(text string) (s secret, err error) {
	b, err := hex.DecodeString(text)
	if err != nil || len(b) != len(s) {
		return s, fmt.Errorf("is not a key: %d bytes in hexadecimal", len(s)) // and not what stands there
	}
	return secret(b), nil
}
