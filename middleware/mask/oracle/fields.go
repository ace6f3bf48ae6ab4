package oracle

import (
	"strings"

	"github.com/gatehouse-dev/gatehouse/middleware/mask/redact"
)

// Fields are the names that a decision hides. The zero value hides none. It is
// immutable and safe for any number of goroutines.
type Fields struct {
	masked map[string]bool // folded
	// odd are those of masked that hold something at which words are cut.
	odd   []string
	names []string // those of masked that are not empty
	all   bool     // every name is masked
	// exposed, where it is not nil, are the only names that are not hidden.
	exposed map[string]bool // folded
}

// FieldsOf gives the names that spec hides:
//
//   - Of every mask the last name on its path, wildcards behind it or not: of
//     $.pay.* it is pay. A mask whose path has no name, like $..*, hides every
//     name.
//   - With expose, every name that is on none of the exposed paths, but only in
//     the values of oracle parameters, in brackets behind them, and in names
//     with an operator: page, limit and the like are no fields. An exposed path
//     without a name exposes everything. Names below an exposed container are
//     not known here and are hidden; write the paths of what may be sorted by.
//
// A show lifts nothing. It may hold for some records only, such as the caller's
// own, while a filter goes over all of them. A path that cannot be read hides
// every name.
func FieldsOf(spec redact.Spec) Fields {
	f := Fields{masked: map[string]bool{}}
	for _, r := range spec.Rules {
		if r.Action == redact.Show {
			continue
		}
		names, err := redact.PathNames(r.Path)
		if err != nil || len(names) == 0 {
			f.all = true
			continue
		}
		f.mask(names[len(names)-1])
	}
	everything := len(spec.Expose) == 0
	exposed := map[string]bool{}
	for _, path := range spec.Expose {
		names, err := redact.PathNames(path)
		if err != nil {
			f.all = true
		}
		everything = everything || len(names) == 0
		for _, n := range names {
			exposed[n] = true
		}
	}
	if !everything {
		f.exposed = exposed
	}
	return f
}

func (f *Fields) mask(name string) {
	if f.masked[name] {
		return
	}
	if f.masked[name] = true; name != "" {
		f.names = append(f.names, name)
	}
	if strings.ContainsFunc(name, isCut) {
		f.odd = append(f.odd, name)
		if plain := joined(name); plain != "" {
			f.mask(plain)
		}
	}
}

// Masked reports whether a mask is about name.
func (f Fields) Masked(name string) bool { return f.isMasked(redact.Fold(name)) }

// Exposed reports whether name is on an exposed path, or there is no list of
// those.
func (f Fields) Exposed(name string) bool { return f.exposed == nil || f.exposed[redact.Fold(name)] }

// within reports whether a masked name is a part of folded.
func (f *Fields) within(folded string) bool {
	for _, name := range f.names {
		if strings.Contains(folded, name) {
			return true
		}
	}
	return false
}

func (f *Fields) isMasked(folded string) bool { return f.all || f.masked[folded] }

func (f *Fields) none() bool { return !f.all && len(f.masked) == 0 && f.exposed == nil }
