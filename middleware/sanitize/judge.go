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

// maxSQL bounds the texts that are looked into for SQL in one body, in bytes.
// libinjection needs up to half a microsecond a byte.
const maxSQL = 1 << 20

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
	// pass reports whether the text at p, or its name, may stay without being
	// shown, which is a cheap answer. Without angle there is no "<" in it.
	pass(p pointer, text []byte, angle bool) bool
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
	words   *sqlWords
	doc     document            // room for one document after the other
	cleaned int                 // bytes of markup
	parsed  int                 // bytes of possible SQL
	found   map[string][]string // by key of the note
}

// pass is true of texts that cannot be of interest. Most are not.
func (j *judge) pass(p pointer, text []byte, angle bool) bool {
	m := j.rules.of(p)
	return (!angle || m.html == off) && (m.sql == off || j.words.harmless(text))
}

// text judges one text and gives what stands in its place.
func (j *judge) text(p pointer, s string) (string, error) {
	return j.apply(j.rules.of(p), p, s)
}

func (j *judge) apply(m *modes, p pointer, s string) (string, error) {
	if m.sql != off {
		if err := j.sql(m.sql, p, s); err != nil {
			return "", err
		}
	}
	if m.html == off || !hasMarkup(s) {
		return s, nil
	}
	if mode := m.html; !m.set && mode != reject && secret(p) {
		return j.markup(report, p, s)
	}
	return j.markup(m.html, p, s)
}

// sql looks for an SQL injection. A text beyond the bound is noted, or refused
// where an injection would be.
func (j *judge) sql(mode string, p pointer, s string) error {
	return j.sqlIn(mode, p, "", s)
}

// sqlIn looks into a text or a name; what says in a message which name it is.
func (j *judge) sqlIn(mode string, p pointer, what, s string) error {
	key, found := "sanitize_sql_unread", " is too long to be looked into"
	if j.parsed += len(s); j.parsed <= maxSQL {
		if is, _ := libinjection.IsSQLi(s); !is {
			return nil
		}
		key, found = "sanitize_sql_injection", " looks like an SQL injection"
	}
	j.note(key, p)
	if mode != reject {
		return nil
	}
	if what == "" {
		what = "the field " + p.String()
	}
	return &refused{what + found}
}

// secret reports whether the field at p is named as passwords are. Such a text
// is never shown, and a password that was changed on its way in is one that
// its owner does not know. It is judged by its own entry or noted.
func secret(p pointer) bool {
	if len(p) == 0 {
		return false
	}
	folded := strings.ToLower(strings.NewReplacer("_", "", "-", "").Replace(string(p[len(p)-1].name)))
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
	case ugc, formatting:
		clean = func(s string) string { return j.cleaner.subset(mode, s) }
	case strip:
	default:
		return "", j.refuse(p, "the field "+p.String()+" holds markup")
	}
	if j.cleaned += len(s); j.cleaned > maxMarkup {
		return "", j.refuse(p, "the field "+p.String()+" holds more markup than can be taken out")
	}
	out := clean(s)
	if out != s {
		j.note("sanitize_"+mode, p)
	}
	return out, nil
}

// refuse notes that the markup at p is why the request is refused.
func (j *judge) refuse(p pointer, message string) error {
	j.note("sanitize_reject", p)
	return &refused{message}
}

// name judges the name of a field. A name cannot be changed without changing
// what the document means, so where a text would be cleaned a name is refused.
// Notes and messages name what is around the field, not its own name.
func (j *judge) name(p pointer) error {
	around := p[:len(p)-1]
	return j.nameIn(j.rules.of(p), around, "the name of a field in "+around.String(), string(p[len(p)-1].name))
}

// nameIn judges a name; what says in a message which one it is.
func (j *judge) nameIn(m *modes, around pointer, what, name string) error {
	if m.sql != off {
		if err := j.sqlIn(m.sql, around, what, name); err != nil {
			return err
		}
	}
	if m.html == off || !hasMarkup(name) {
		return nil
	}
	if m.html == report {
		j.note("sanitize_report", around)
		return nil
	}
	return j.refuse(around, what+" holds markup")
}

func (j *judge) note(key string, p pointer) {
	if j.found == nil {
		j.found = map[string][]string{}
	}
	if len(j.found[key]) < maxFindings {
		j.found[key] = append(j.found[key], p.String())
	}
}
