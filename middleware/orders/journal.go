package orders

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"sync"
)

// header is the first line of the file.
const header = `{"gatehouse":"orders","version":1}` + "\n"

// surplus is how many lines that say nothing any more the file may have before
// it is written anew, besides as many as are still worth something.
const surplus = 1000

// journal keeps records on disk, one a line. What is new is appended and synced,
// so that giving one order costs the same however many there are; now and then
// the file is replaced as a whole by one of what still counts.
//
// A last line without an end was being written when the process or the machine
// stopped: nobody was told that it is kept, and it is left out.
type journal struct {
	path string
	all  func() []record // everything that counts, what is queued included

	queueMu sync.Mutex
	queue   []byte
	lines   int    // in the queue
	queued  uint64 // number of the last one ever

	mu      sync.Mutex  // held while the file is written
	file    *os.File    // nil: it must be written as a whole
	ours    os.FileInfo // of the file that was written last
	length  int         // lines in it
	written uint64      // number of the last one that is synced
}

// load reads the records of a file; there are none where it is not there. What
// it cannot read is an error: who serves without knowing what was revoked lets
// in whom they meant to keep out.
func load(path string, take func(record)) error {
	f, err := os.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	defer f.Close()
	in := bufio.NewReaderSize(f, maxRecord+1)
	for n := 1; ; n++ {
		line, err := in.ReadSlice('\n')
		switch {
		case errors.Is(err, io.EOF) && n > 1:
			return nil
		case err != nil && !errors.Is(err, io.EOF) && !errors.Is(err, bufio.ErrBufferFull):
			return err
		case n == 1 && (err != nil || string(line) != header):
			err = errors.New("this is not a file of orders")
		case err == nil && n > 1:
			var r record
			if r, err = decode(line); err == nil {
				take(r)
			}
		}
		if err != nil {
			return fmt.Errorf("%s:%d: %w. What was revoked is not known, so nothing is served: "+
				"put a good copy in its place, or remove it and give anew what only it knew", path, n, err)
		}
	}
}

// add queues a line and gives its number. The record must be part of all by then.
func (j *journal) add(line []byte) uint64 {
	j.queueMu.Lock()
	defer j.queueMu.Unlock()
	j.queue = append(j.queue, line...)
	j.lines++
	j.queued++
	return j.queued
}

// commit returns when everything up to a number is on disk. What many wait for
// is written and synced at once.
func (j *journal) commit(number uint64) error {
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.written >= number {
		return nil
	}
	if err := j.owned(); err != nil {
		return err
	}
	j.queueMu.Lock()
	lines, n, upTo := j.queue, j.lines, j.queued
	j.queue, j.lines = nil, 0
	j.queueMu.Unlock()
	if j.file == nil || !j.append(lines, n) {
		if err := j.rewrite(); err != nil {
			return err
		}
	}
	j.written = upTo
	return nil
}

// append reports whether the lines are on disk. A file that did not take them
// may end anyhow, and is not used any more.
func (j *journal) append(lines []byte, n int) bool {
	_, err := j.file.Write(lines)
	if err == nil {
		err = j.file.Sync()
	}
	if err != nil {
		j.drop()
		return false
	}
	j.length += n
	return true
}

// tidy writes the file anew where most of it says nothing any more, or where the
// last attempt failed.
func (j *journal) tidy(live int) error {
	j.mu.Lock()
	defer j.mu.Unlock()
	if err := j.owned(); err != nil {
		return err
	}
	if j.file != nil && j.length <= 2*live+surplus {
		return nil
	}
	return j.rewrite()
}

// rewrite replaces the file by one of everything that counts.
func (j *journal) rewrite() (err error) {
	records := j.all()
	folder := filepath.Dir(j.path)
	temp, err := os.CreateTemp(folder, ".orders-*") // 0600
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			_ = temp.Close()
			_ = os.Remove(temp.Name())
		}
	}()
	out := bufio.NewWriterSize(temp, 1<<16)
	_, _ = out.WriteString(header) // Flush tells
	for _, r := range records {
		line, err := r.encode()
		if err != nil {
			return err
		}
		_, _ = out.Write(line)
	}
	if err := out.Flush(); err != nil {
		return err
	}
	if err := temp.Sync(); err != nil {
		return err
	}
	if err := os.Rename(temp.Name(), j.path); err != nil {
		return err
	}
	j.drop()
	if err := syncFolder(folder); err != nil {
		return err
	}
	if j.ours, err = temp.Stat(); err != nil {
		return err
	}
	j.file, j.length = temp, len(records)
	return nil
}

// owned reports whether the file is still the one that was written here. Where
// two processes share it, each would lose what the other was told, and nobody
// would know before a restart. One that was removed is written anew.
func (j *journal) owned() error {
	if j.ours == nil {
		return nil
	}
	is, err := os.Stat(j.path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		j.drop()
		return nil
	case err != nil:
		return err
	case !os.SameFile(is, j.ours):
		return fmt.Errorf("%s was replaced by another process: each needs a store.folder of its own", j.path)
	}
	return nil
}

// syncFolder makes a rename last.
func syncFolder(path string) error {
	d, err := os.Open(path)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}

func (j *journal) drop() {
	if j.file != nil {
		_ = j.file.Close() // what counts was synced
		j.file = nil
	}
}

func (j *journal) close() {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.drop()
}

// trimmed is a line as Redis keeps it.
func trimmed(line []byte) []byte { return bytes.TrimSuffix(line, []byte("\n")) }
