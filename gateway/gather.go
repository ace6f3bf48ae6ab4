package gateway

import (
	"sync"
	"sync/atomic"
	"time"

	"go.uber.org/zap/zapcore"
)

const (
	// many is from how many exchanges on, that are under way at once, their lines
	// are gathered. With fewer, each line is written before its answer is over.
	many = 16
	// gatherFor is for how long lines are gathered.
	gatherFor = time.Millisecond
	// gatherSize is how many bytes of lines are gathered at most.
	gatherSize = 32 << 10
)

// gatherer writes the lines of exchanges to an output. Where many exchanges are
// under way it writes the lines of a moment in one go, for each write costs more
// than all that makes a line. What a process that is killed may lose is that
// moment. The order stays, and messages of the operator's never wait.
type gatherer struct {
	out     zapcore.WriteSyncer
	running atomic.Int64 // exchanges under way

	mu    sync.Mutex
	lines []byte
	timer *time.Timer // runs while there are lines
	err   error       // of the timer's last write, for who writes next
}

// gathered is the output for lines of exchanges.
type gathered struct{ *gatherer }

// Write takes a line. An error may be that of lines before it.
func (l gathered) Write(p []byte) (int, error) {
	g := l.gatherer
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.running.Load() < many && len(g.lines) == 0 {
		return g.out.Write(p)
	}
	if len(g.lines)+len(p) > gatherSize {
		g.write()
	}
	if len(g.lines) == 0 {
		if g.timer == nil {
			g.timer = time.AfterFunc(gatherFor, g.flush)
		} else {
			g.timer.Reset(gatherFor)
		}
	}
	g.lines = append(g.lines, p...)
	return len(p), g.told()
}

// Write writes a message at once, behind the lines that were gathered.
func (g *gatherer) Write(p []byte) (int, error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.write()
	n, err := g.out.Write(p)
	if err == nil {
		err = g.told()
	}
	return n, err
}

// Sync is part of what zap wants of a log.
func (g *gatherer) Sync() error {
	g.flush()
	return g.out.Sync()
}

// flush writes what was gathered.
func (g *gatherer) flush() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.write()
}

func (g *gatherer) write() {
	if len(g.lines) == 0 {
		return
	}
	g.timer.Stop()
	if _, err := g.out.Write(g.lines); err != nil {
		g.err = err
	}
	g.lines = g.lines[:0]
	if cap(g.lines) > 2*gatherSize {
		g.lines = nil // a line may be as long as it likes
	}
}

func (g *gatherer) told() error {
	err := g.err
	g.err = nil
	return err
}
