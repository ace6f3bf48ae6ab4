package redact

import (
	"bytes"
	"encoding/json"
	"strconv"
	"unicode/utf8"
)

// Found is where placeholders stand in a text.
type Found struct {
	// Pointers are the first places, as JSON Pointers (RFC 6901).
	Pointers []string
	// Fixed says that one of them cannot be left out: an element of an array,
	// since the others would take its place; a member within an array, which is
	// replaced as a whole, unless the array is the document; or the document
	// itself.
	Fixed bool
	// Rest is the text without the others. It is the text itself where there
	// are none.
	Rest []byte
}

// Find looks for placeholders in a JSON text that stands at a place. What is not
// a placeholder keeps its bytes. The error is ErrSyntax, ErrUTF8 or ErrDepth.
func (p *Placeholders) Find(at Place, text []byte, limits Limits) (Found, error) {
	limits = limits.withDefaults()
	switch {
	case !utf8.Valid(text):
		return Found{}, ErrUTF8
	case !json.Valid(text):
		return Found{}, ErrSyntax
	case p.absent(text) && bytes.Count(text, []byte("{"))+bytes.Count(text, []byte("[")) <= limits.Depth:
		return Found{Rest: text}, nil
	}
	f := finder{p: p, text: text, limits: limits, places: []Place{at}}
	f.space()
	if err := f.value(0); err != nil {
		return Found{}, err
	}
	f.space()
	f.found.Fixed = f.found.Fixed || f.hit
	if len(f.found.Pointers) == 0 {
		f.out = text
	}
	f.found.Rest = f.out
	return f.found, nil
}

// absent reports whether a JSON text cannot hold a placeholder, by what all of
// them are written with: most bodies need not be walked through. It is no answer
// where they may be spelled in another way, or look like data.
func (p *Placeholders) absent(text []byte) bool {
	if p.marks == nil || bytes.IndexByte(text, '\\') >= 0 {
		return false
	}
	for _, mark := range p.marks {
		if bytes.Contains(text, mark) {
			return false
		}
	}
	return true
}

// finder walks through a text that is known to be JSON, and copies it.
type finder struct {
	p      *Placeholders
	text   []byte
	limits Limits

	i     int    // where it is
	list  int    // how many arrays it is in, but for one that is the document
	way   []byte // the pointer to where it is
	out   []byte
	hit   bool // the value that was read last is a placeholder
	found Found

	// steps lead to where it is: names as they are written, empty for an element.
	// places are where the first so many of them lead; the rest is followed when
	// it is asked for, which for most values it is not.
	steps  []span
	places []Place
	buf    []byte
}

// enter makes a step the last, at a depth. The place behind an element is that of
// any other.
func (f *finder) enter(depth int, step span) {
	if len(f.steps) >= depth && f.steps[depth-1] == step && step == (span{}) {
		f.steps = f.steps[:depth]
		f.places = f.places[:min(len(f.places), depth+1)]
		return
	}
	f.steps = append(f.steps[:depth-1], step)
	f.places = f.places[:min(len(f.places), depth)]
}

// here is the place of the value at hand.
func (f *finder) here() Place {
	for n := len(f.places); n <= len(f.steps); n++ {
		at, step := f.places[n-1], f.steps[n-1]
		if step == (span{}) {
			at = at.Element()
		} else {
			f.buf, _ = unquote(f.buf[:0], f.text[step.from:step.to])
			at = at.Member(string(f.buf))
		}
		f.places = append(f.places, at)
	}
	return f.places[len(f.steps)]
}

// copy moves on to j.
func (f *finder) copy(j int) {
	f.out = append(f.out, f.text[f.i:j]...)
	f.i = j
}

func (f *finder) space() {
	j := f.i
	for c := at(f.text, j); c == ' ' || c == '\t' || c == '\r' || c == '\n'; c = at(f.text, j) {
		j++
	}
	f.copy(j)
}

// stringEnd gives the offset behind the string that starts at i.
func (f *finder) stringEnd(i int) int {
	for i++; f.text[i] != '"'; i++ {
		if f.text[i] == '\\' {
			i++
		}
	}
	return i + 1
}

func (f *finder) value(depth int) error {
	f.hit = false
	switch f.text[f.i] {
	case '{':
		return f.object(depth + 1)
	case '[':
		return f.array(depth + 1)
	}
	start := f.i
	if f.text[start] == '"' {
		f.copy(f.stringEnd(start))
	} else {
		j := start
		for c := at(f.text, j); c > ' ' && c != ',' && c != ']' && c != '}'; c = at(f.text, j) {
			j++
		}
		f.copy(j)
	}
	if f.hit = f.p.scalar(f.here, f.text[start:f.i]); f.hit && len(f.found.Pointers) < f.limits.Pointers {
		f.found.Pointers = append(f.found.Pointers, string(f.way[:min(len(f.way), maxPointer)]))
	}
	return nil
}

func (f *finder) array(depth int) error {
	if depth > f.limits.Depth {
		return ErrDepth
	}
	if depth > 1 {
		f.list++
		defer func() { f.list-- }()
	}
	way := len(f.way)
	f.copy(f.i + 1)
	f.space()
	for n := 0; f.text[f.i] != ']'; n++ {
		f.way = strconv.AppendInt(append(f.way[:way], '/'), int64(n), 10)
		f.enter(depth, span{})
		if err := f.value(depth); err != nil {
			return err
		}
		f.found.Fixed = f.found.Fixed || f.hit
		f.more()
	}
	f.leave(way, depth)
	return nil
}

// leave goes on behind a container.
func (f *finder) leave(way, depth int) {
	f.way, f.hit = f.way[:way], false
	f.steps = f.steps[:min(len(f.steps), depth-1)]
	f.places = f.places[:min(len(f.places), depth)]
	f.copy(f.i + 1)
}

// more goes on behind a value, and behind the comma that follows it.
func (f *finder) more() {
	f.space()
	if f.text[f.i] == ',' {
		f.copy(f.i + 1)
		f.space()
	}
}

func (f *finder) object(depth int) error {
	if depth > f.limits.Depth {
		return ErrDepth
	}
	way, kept := len(f.way), false
	f.copy(f.i + 1)
	for {
		mark := len(f.out)
		if kept {
			f.out = append(f.out, ',')
		}
		f.space()
		if f.text[f.i] == '}' { // an empty object
			break
		}
		start := f.i
		f.copy(f.stringEnd(start))
		f.buf, _ = unquote(f.buf[:0], f.text[start:f.i])
		f.way = appendEscaped(append(f.way[:way], '/'), f.buf)
		f.enter(depth, span{start, f.i})
		f.space()
		f.copy(f.i + 1) // the colon
		f.space()
		if err := f.value(depth); err != nil {
			return err
		}
		drop := f.hit
		f.found.Fixed = f.found.Fixed || drop && f.list > 0
		f.space()
		if drop {
			f.out = f.out[:mark]
		}
		kept = kept || !drop
		if f.text[f.i] == '}' {
			break
		}
		f.i++ // the comma, which stands in front of the next that is kept
	}
	f.leave(way, depth)
	return nil
}
