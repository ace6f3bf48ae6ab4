package config

import "slices"

// report collects the mistakes of one file.
type report struct {
	source
	mistakes Mistakes
	// wrong are the paths whose value could not be read. Nothing more is said
	// about them or what is in them: it would only repeat the first mistake in
	// other words.
	wrong map[string]bool
}

// add states a mistake at a place.
func (r *report) add(at mark, format string, args ...any) {
	r.mistakes = append(r.mistakes, Mistake{
		File: r.file, Line: at.line, Column: at.column,
		Message: r.say(format, args...),
	})
}

// mistake states a mistake in the value at path, unless that value could not
// be read anyway.
func (r *report) mistake(path, format string, args ...any) {
	if !r.unread(path) {
		r.add(r.closest(path), format, args...)
	}
}

// unreadable states a mistake after which the value at path means nothing.
func (r *report) unreadable(path string, at mark, format string, args ...any) {
	r.add(at, format, args...)
	r.wrong[path] = true
}

// unread tells whether path, or what it is in, could not be read.
func (r *report) unread(path string) bool {
	for p := path; p != ""; p = parent(p) {
		if r.wrong[p] {
			return true
		}
	}
	return r.wrong[""]
}

// unreadIn tells whether one of the values in path could not be read.
func (r *report) unreadIn(path string, keys ...string) bool {
	return slices.ContainsFunc(keys, func(key string) bool { return r.unread(join(path, key)) })
}

// refer records a file that the configuration depends on.
func (r *report) refer(file string) {
	if !slices.Contains(r.files, file) {
		r.files = append(r.files, file)
	}
}

// err gives the mistakes in the order of the file, or nil.
func (r *report) err() error {
	if len(r.mistakes) == 0 {
		return nil
	}
	slices.SortStableFunc(r.mistakes, inFile)
	return r.mistakes
}
