package alert

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"time"
)

// maxFile is more than an event takes: what is larger is not ours.
const maxFile = 4 << 20

// maxDamaged is how many files that could not be read are kept to be looked at.
const maxDamaged = 16

// spool is what waits for one sink, in the order in which it came: a file for
// each event, or the event itself where there is no folder or the disk does not
// take it. A file is written under another name first, so that one which was
// being written when the process was killed is none; it is not synced, so that a
// machine which loses its power may lose the last ones or leave damaged ones. Each
// file begins with the SHA-256 of the rest.
type spool struct {
	folder string // "" for none
	most   int64
	more   chan struct{} // has a token where something came

	mu      sync.Mutex
	entries []entry
	refused int // of the entries, the last ones: the receiver has called them wrong
	bytes   int64
	busy    uint64 // number of the entry that is being delivered, which stays
	last    uint64
	err     error // why the last event is not on disk; nil where it is
	damaged int
}

type entry struct {
	number uint64 // they rise; about the time in nanoseconds
	size   int64
	lost   int64  // that it tells of
	file   string // "" where it is in memory
	text   []byte // where it is
}

const (
	eventEnding   = ".event"
	partEnding    = ".part"
	damagedEnding = ".damaged"
)

// openSpool finds what has been waiting in a folder, and makes that if need be.
func openSpool(folder string, most int64) (*spool, error) {
	s := &spool{folder: folder, most: most, more: make(chan struct{}, 1)}
	if folder == "" {
		return s, nil
	}
	if err := os.MkdirAll(folder, 0o700); err != nil {
		return nil, err
	}
	list, err := os.ReadDir(folder) // sorted by name, which is by number
	if err != nil {
		return nil, err
	}
	for _, f := range list {
		if !f.Type().IsRegular() {
			continue // not ours: reading a pipe would not end
		}
		switch filepath.Ext(f.Name()) {
		case partEnding: // nobody was told that it is kept
			_ = os.Remove(filepath.Join(folder, f.Name()))
		case damagedEnding:
			s.damaged++
		case eventEnding:
			var e entry
			if _, err := fmt.Sscanf(f.Name(), "%d-%d"+eventEnding, &e.number, &e.lost); err != nil {
				continue // not ours
			}
			info, err := f.Info()
			if err != nil {
				continue // somebody else has taken it away
			}
			if e.file = f.Name(); info.Size() <= maxFile { // or it is not ours, and must not push out what is
				e.size = info.Size()
			}
			s.entries, s.bytes, s.last = append(s.entries, e), s.bytes+e.size, max(s.last, e.number)
		}
	}
	return s, nil
}

// put keeps an event, and gives how many older ones had to go for it. The error
// says that it is kept in memory only.
func (s *spool) put(r *record) (gone int, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	text, err := json.Marshal(r)
	if err != nil {
		return 0, err // there is nothing in it that cannot be written
	}
	sum := sha256.Sum256(text)
	size := int64(len(text) + hex.EncodedLen(len(sum)) + 1)
	lost := r.Lost
	for s.bytes+size > s.most {
		i := s.oldest()
		if i < 0 {
			break
		}
		gone++
		lost += 1 + s.entries[i].lost
		s.remove(i)
	}
	if gone > 0 {
		r.Lost = lost
		if text, err = json.Marshal(r); err != nil {
			return gone, err
		}
		sum = sha256.Sum256(text)
	}
	s.last = max(s.last+1, uint64(time.Now().UnixNano()))
	e := entry{number: s.last, size: size, lost: lost, text: text}
	if s.folder != "" {
		name := fmt.Sprintf("%020d-%d%s", e.number, e.lost, eventEnding)
		if s.err = s.write(name, slices.Concat([]byte(hex.EncodeToString(sum[:])+"\n"), text)); s.err == nil {
			e.file, e.text = name, nil
		}
	}
	s.entries, s.bytes = slices.Insert(s.entries, len(s.entries)-s.refused, e), s.bytes+size
	select {
	case s.more <- struct{}{}:
	default:
	}
	return gone, s.err
}

// oldest is the entry that goes first where there is no room: one that was
// refused, if there is any, and never the one that is being delivered.
func (s *spool) oldest() int {
	idle := func(e entry) bool { return e.number != s.busy }
	fresh := len(s.entries) - s.refused
	if i := slices.IndexFunc(s.entries[fresh:], idle); i >= 0 {
		return fresh + i
	}
	return slices.IndexFunc(s.entries, idle)
}

func (s *spool) write(name string, data []byte) error {
	part := filepath.Join(s.folder, name+partEnding)
	err := os.WriteFile(part, data, 0o600)
	if err == nil {
		err = os.Rename(part, filepath.Join(s.folder, name))
	}
	if err != nil {
		_ = os.Remove(part)
	}
	return err
}

// errDamaged is the error of a file that is not what was written.
var errDamaged = errors.New("a file in the spool is damaged, and set aside")

// next gives the oldest event, which stays until it is done. ok is false where
// there is none. With an error there is no event: a file could not be read, and
// is not asked for again.
func (s *spool) next() (r *record, number uint64, ok bool, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for len(s.entries) > 0 {
		e := s.entries[0]
		r, err := s.read(&e)
		if errors.Is(err, fs.ErrNotExist) { // somebody else has delivered it
			s.remove(0)
			continue
		}
		if err != nil {
			s.setAside(&e)
			s.bytes -= e.size
			s.cut(0)
			return nil, 0, true, fmt.Errorf("%s: %w", e.file, err)
		}
		s.busy = e.number
		return r, e.number, true, nil
	}
	return nil, 0, false, nil
}

func (s *spool) read(e *entry) (*record, error) {
	text := e.text
	if e.file != "" {
		data, err := readFile(filepath.Join(s.folder, e.file))
		if errors.Is(err, fs.ErrNotExist) {
			return nil, err
		}
		if err != nil {
			return nil, fmt.Errorf("%w: %w", errDamaged, err)
		}
		head, rest, _ := bytes.Cut(data, []byte("\n"))
		if sum := sha256.Sum256(rest); hex.EncodeToString(sum[:]) != string(head) {
			return nil, errDamaged
		}
		text = rest
	}
	r := &record{}
	if err := json.Unmarshal(text, r); err != nil {
		return nil, errDamaged // by another version, then
	}
	return r, nil
}

// readFile reads a file as far as one of ours may go.
func readFile(path string) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return io.ReadAll(io.LimitReader(f, maxFile))
}

// setAside keeps a damaged file for whoever wants to look at it; of many, not all.
func (s *spool) setAside(e *entry) {
	path := filepath.Join(s.folder, e.file)
	if s.damaged < maxDamaged && os.Rename(path, path+damagedEnding) == nil {
		s.damaged++
		return
	}
	_ = os.Remove(path)
}

// done takes away an event: it is delivered, or never will be.
func (s *spool) done(number uint64) { s.settle(number, func(i int) { s.remove(i) }) }

// later puts an event behind all others, also those that are to come, for a sink
// that takes them perhaps. It reports whether there are any.
func (s *spool) later(number uint64) (others bool) {
	s.settle(number, func(i int) {
		e := s.cut(i)
		s.entries = append(s.entries, e)
		s.refused++
		others = s.refused < len(s.entries)
	})
	return others
}

func (s *spool) settle(number uint64, do func(i int)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.busy = 0
	if i := slices.IndexFunc(s.entries, func(e entry) bool { return e.number == number }); i >= 0 {
		do(i)
	}
}

// remove takes away an entry with its file.
func (s *spool) remove(i int) {
	e := s.entries[i]
	if e.file != "" {
		_ = os.Remove(filepath.Join(s.folder, e.file))
	}
	s.bytes -= e.size
	s.cut(i)
}

// cut takes an entry out of the list. It is one of the first, of all or of those
// that were refused: those before it move, not the many behind.
func (s *spool) cut(i int) entry {
	e := s.entries[i]
	if i >= len(s.entries)-s.refused {
		s.refused--
	}
	copy(s.entries[1:i+1], s.entries[:i])
	s.entries[0] = entry{}
	s.entries = s.entries[1:]
	return e
}

// move brings everything here that waits in another spool.
func (s *spool) move(from *spool) (gone, damaged int) {
	for {
		r, number, ok, err := from.next()
		switch {
		case !ok:
			return gone, damaged
		case err != nil:
			damaged++
			continue
		}
		n, _ := s.put(r) // where the disk does not take it, memory does
		gone += n
		from.done(number)
	}
}

// half reports whether there is room for as much again.
func (s *spool) half() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return 2*s.bytes <= s.most
}

// waiting tells how much there is.
func (s *spool) waiting() (events int, size int64, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.entries), s.bytes, s.err
}

// volatile counts what a restart forgets.
func (s *spool) volatile() (n int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for i := range s.entries {
		if s.entries[i].file == "" {
			n++
		}
	}
	return n
}
