//go:build goexperiment.jsonv2

package redact

import (
	"bytes"
	"encoding/json/jsontext"
)

// jsonV2 says that encoding/json is the second version of it.
const jsonV2 = true

// spansPeer is the best that can be done with encoding/json/jsontext: values of
// no interest are skipped, and what stays is copied in long spans.
func spansPeer() func(dst, text []byte, c *chore) ([]byte, error) {
	return func(dst, text []byte, c *chore) ([]byte, error) {
		s := spans{text: text, out: dst, chore: c}
		s.dec = jsontext.NewDecoder(bytes.NewBuffer(text), jsontext.AllowDuplicateNames(true))
		s.value(0, c.pass)
		if _, err := s.dec.ReadToken(); err == nil || s.err != nil {
			return nil, s.err
		}
		s.flush(len(text))
		return s.out, nil
	}
}

// spans copies text[from:] as far as it was read and stays.
type spans struct {
	dec    *jsontext.Decoder
	text   []byte
	out    []byte
	from   int
	chore  *chore
	branch string // of the record at hand
	err    error
}

func (s *spans) at() int { return int(s.dec.InputOffset()) }

func (s *spans) flush(i int) {
	if i > s.from {
		s.out = append(s.out, s.text[s.from:i]...)
		s.from = i
	}
}

func (s *spans) skip() {
	if err := s.dec.SkipValue(); err != nil {
		s.err = err
	}
}

// value reads a value: level 0 is the root, 1 the list, 2 a record.
func (s *spans) value(level int, pass passes) {
	inside := s.chore.deep || level < 2 || level == 2 && len(s.chore.mask) > 0 || pass != nil
	switch kind := s.dec.PeekKind(); {
	case kind == '{' && inside:
		s.object(level, pass)
	case kind == '[' && inside:
		s.array(level, pass)
	default:
		s.skip()
	}
}

func (s *spans) object(level int, pass passes) {
	s.open()
	hold, empty := s.at(), true
	for s.err == nil && s.dec.PeekKind() != '}' {
		name, err := s.dec.ReadValue()
		if err != nil {
			s.err = err
			return
		}
		start, name := s.at()-len(name), name[1:len(name)-1]
		there := s.chore.deep || level == 2
		inner, passes := pass[string(name)]
		if pass != nil && !passes || there && in(s.chore.drop, name) {
			s.flush(hold)
			s.skip()
			s.from = s.at()
			continue
		}
		if empty {
			s.flush(hold)
			s.from, empty = start, false
		}
		s.member(level, name, there, inner)
		hold = s.at()
	}
	s.open()
}

func (s *spans) member(level int, name []byte, there bool, inner passes) {
	switch {
	case there && in(s.chore.mask, name):
		s.flush(s.at())
		s.out = append(s.out, ':')
		s.skip()
		s.from = s.at()
		s.out = append(s.out, `"***"`...)
	case level == 2 && s.chore.branch != "" && string(name) == "branch":
		v, err := s.dec.ReadValue()
		s.branch, s.err = string(v), err
	case level == 0 && string(name) == "data":
		s.value(1, inner)
	case level == 0 && !s.chore.deep:
		s.skip()
	default:
		s.value(3, inner)
	}
}

func (s *spans) array(level int, pass passes) {
	s.open()
	hold, empty := s.at(), true
	for s.err == nil && s.dec.PeekKind() != ']' {
		if level != 1 {
			s.value(level, pass)
			continue
		}
		s.flush(hold)
		if empty {
			for s.from = s.at(); s.text[s.from] <= ' ' || s.text[s.from] == ','; {
				s.from++
			}
		}
		mark := len(s.out)
		s.value(2, pass)
		if s.chore.branch != "" && s.branch != `"`+s.chore.branch+`"` {
			s.out, s.from = s.out[:mark], s.at()
			continue
		}
		hold, empty = s.at(), false
	}
	s.open()
}

// open reads a bracket.
func (s *spans) open() {
	if _, err := s.dec.ReadToken(); err != nil {
		s.err = err
	}
}

func in(list []string, name []byte) bool {
	for _, s := range list {
		if s == string(name) {
			return true
		}
	}
	return false
}
