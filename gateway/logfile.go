package gateway

import (
	"os"
	"sync"
)

// logFile is a file that is appended to, and that can be moved away and opened
// anew while it is written to.
type logFile struct {
	name string

	mu sync.Mutex
	f  *os.File
}

func (l *logFile) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.f.Write(p)
}

// Sync is part of what zap wants of a log.
func (l *logFile) Sync() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.f.Sync()
}

// reopen opens the file under its name, unless it is open already. If that
// fails, whatever was open goes on being written to.
func (l *logFile) reopen() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.f != nil {
		open, err := l.f.Stat()
		named, nerr := os.Stat(l.name)
		if err == nil && nerr == nil && os.SameFile(open, named) {
			return nil
		}
	}
	f, err := os.OpenFile(l.name, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o640)
	if err != nil {
		return err
	}
	if l.f != nil {
		_ = l.f.Close()
	}
	l.f = f
	return nil
}

func (l *logFile) close() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.f.Close()
}
