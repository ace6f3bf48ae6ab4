package record

import (
	"bytes"
	"io"
	"sync"
	"sync/atomic"
)

// Why a decision is not on record.
const (
	LostQueue = "queue" // there was no room
	LostWrite = "write" // the output did not take it
)

const (
	// maxBytes bounds roughly what the questions in the queue take.
	maxBytes = 64 << 20
	// batch is how much is written at once, at most a record more.
	batch = 256 << 10
)

// Options say how decisions are written.
type Options struct {
	// Output takes whole lines, one or several at a time. Required.
	Output io.Writer
	// Queue is how many decisions may wait. Required.
	Queue int
	// Bodies keeps the request bodies that policies saw.
	Bodies bool
	// Lost, where it is set, is told of each decision that is not on record, and
	// why. It must not block.
	Lost func(why string)
}

// Writer writes decisions in the background. Its methods may be called from
// many goroutines.
type Writer struct {
	o     Options
	queue chan queued
	limit int64        // of bytes
	bytes atomic.Int64 // of what waits
	done  chan struct{}

	mu     sync.RWMutex // held for reading while something is put into the queue
	closed bool
}

type queued struct {
	Entry
	size int64
}

// Open starts a writer. It must be closed.
func Open(o Options) *Writer {
	w := &Writer{o: o, queue: make(chan queued, max(o.Queue, 1)), limit: maxBytes, done: make(chan struct{})}
	if w.o.Lost == nil {
		w.o.Lost = func(string) {}
	}
	go w.run()
	return w
}

// Write hands a decision in. It never waits: what finds no room is dropped and
// counted, and so is what comes after Close.
func (w *Writer) Write(e Entry) {
	if e.Input == nil {
		return
	}
	if !w.o.Bodies && e.Input.Body != nil {
		in := *e.Input // or the body would stay in memory for as long
		in.Body = nil
		e.Input, e.bodiless = &in, true
	}
	q := queued{e, e.Input.Weight()}
	w.mu.RLock()
	defer w.mu.RUnlock()
	if w.closed {
		w.o.Lost(LostQueue)
		return
	}
	if w.bytes.Add(q.size) <= w.limit {
		select {
		case w.queue <- q:
			return
		default:
		}
	}
	w.bytes.Add(-q.size)
	w.o.Lost(LostQueue)
}

// Close writes what waits and ends the writer.
func (w *Writer) Close() error {
	w.mu.Lock()
	if !w.closed {
		w.closed = true
		close(w.queue)
	}
	w.mu.Unlock()
	<-w.done
	return nil
}

// run makes lines of what comes, and writes as many at once as there are.
func (w *Writer) run() {
	defer close(w.done)
	forms := secretForms()
	var lines bytes.Buffer
	n := 0
	for q := range w.queue {
		w.bytes.Add(-q.size)
		text, err := q.line(forms)
		if err != nil {
			w.o.Lost(LostWrite)
			continue
		}
		lines.Write(text)
		lines.WriteByte('\n')
		if n++; len(w.queue) > 0 && lines.Len() < batch {
			continue
		}
		w.flush(&lines, n)
		n = 0
	}
	w.flush(&lines, n)
}

// flush writes lines with a single call, so that they stay whole beside those
// of others on the same output.
func (w *Writer) flush(lines *bytes.Buffer, n int) {
	if n == 0 {
		return
	}
	if _, err := w.o.Output.Write(lines.Bytes()); err != nil {
		for range n {
			w.o.Lost(LostWrite)
		}
	}
	lines.Reset()
}
