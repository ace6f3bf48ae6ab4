package sanitize

import (
	"errors"
	"fmt"
	"strings"

	libinjection "github.com/corazawaf/libinjection-go"
)

// maxMarkup bounds the texts with markup that are cleaned in one body, in
// bytes. Cleaning costs more than half a microsecond a byte at worst, so a body of
// nothing but tags must not be cleaned whole.
const maxMarkup = 256 << 10

// maxFindings bounds the pointers noted per kind of finding.
const maxFindings = 32

// refused says that a text may not pass. Its message goes to the client and
// names the field, never what stands in it.
type refused struct{ message string }

func (r *refused) Error() string { return r.message }

// errMalformed is wrapped by everything that makes a body unreadable.
var errMalformed = errors.New("malformed body")

// malformed says why a body cannot be read in exactly one way.
func malformed(format string, args ...any) error {
	return fmt.Errorf("%w: "+format, append([]any{errMalformed}, args...)...)
}

// A visitor is shown the texts of a body in their decoded form.
type visitor interface {
	// text gives what is to stand in place of the text at p.
	text(p pointer, s string) (string, error)
	// name judges the name of the field at p, which is the end of p.
	name(p pointer) error
}

// judge applies the rules to the texts of one body and remembers what it
// found.
type judge struct {
	rules   *rules
	cleaner *cleaner
	cleaned int
	found   map[string][]string // by key of the note
}

// text judges one text and gives what stands in its place.
func (j *judge) text(p pointer, s string) (string, error) {
	m := j.rules.of(p)
	if m.sql != off {
		if is, _ := libinjection.IsSQLi(s); is {
			if m.sql == reject {
				return "", &refused{"the field " + p.String() + " looks like an SQL injection"}
			}
			j.note("sanitize_sql_injection", p)
		}
	}
	if m.html == off || !hasMarkup(s) {
		return s, nil
	}
	if mode := m.html; !m.set && (mode == strip || mode == ugc) && secret(p) {
		return j.markup(report, p, s)
	}
	return j.markup(m.html, p, s)
}

// secret reports whether the field at p is named as passwords are. Such a text
// is never shown, and a password that was changed on its way in is one that
// its owner does not know. It is judged by its own entry or noted.
func secret(p pointer) bool {
	if len(p) == 0 {
		return false
	}
	folded := strings.ToLower(strings.NewReplacer("_", "", "-", "").Replace(p[len(p)-1].name))
	for _, word := range []string{"password", "passwd", "passphrase"} {
		if strings.Contains(folded, word) {
			return true
		}
	}
	return strings.HasSuffix(folded, "secret") || folded == "pwd"
}

func (j *judge) markup(mode string, p pointer, s string) (string, error) {
	clean := j.cleaner.strip
	switch mode {
	case report:
		j.note("sanitize_report", p)
		return s, nil
	case ugc:
		clean = j.cleaner.subset
	case strip:
	default:
		return "", &refused{"the field " + p.String() + " holds markup"}
	}
	if j.cleaned += len(s); j.cleaned > maxMarkup {
		return "", &refused{"the field " + p.String() + " holds more markup than can be taken out"}
	}
	out := clean(s)
	if out != s {
		j.note("sanitize_"+mode, p)
	}
	return out, nil
}

// name judges the name of a field. A name cannot be changed without changing
// what the document means, so where a text would be cleaned a name is refused.
// The message names what is around the field: its own name is the markup.
func (j *judge) name(p pointer) error {
	if !hasMarkup(p[len(p)-1].name) {
		return nil
	}
	around := p[:len(p)-1]
	switch j.rules.of(p).html {
	case off:
		return nil
	case report:
		j.note("sanitize_report", around)
		return nil
	}
	return &refused{"the name of a field in " + around.String() + " holds markup"}
}

func (j *judge) note(key string, p pointer) {
	if j.found == nil {
		j.found = map[string][]string{}
	}
	if len(j.found[key]) < maxFindings {
		j.found[key] = append(j.found[key], p.String())
	}
}
