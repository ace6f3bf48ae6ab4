package redact

import "strings"

// place is the way to a node: names, or "" with elem for an element.
type place struct {
	name string
	elem bool
}

type modelPath []struct {
	deep bool
	what string // a name, "*" for .*, "[*]"
}

func (p modelPath) String() string {
	out := "$"
	for _, s := range p {
		dots := "."
		if s.deep {
			dots = ".."
		}
		if s.what == "[*]" && !s.deep {
			dots = ""
		}
		out += dots + s.what
	}
	return out
}

func loose(a, b string) bool {
	strip := func(s string) string { return strings.NewReplacer("_", "", "-", "").Replace(s) }
	return strings.EqualFold(strip(a), strip(b))
}

// matches tries every way to lay the path over the places.
func (p modelPath) matches(way []place, array bool, read reading) bool {
	if len(p) == 0 {
		return len(way) == 0
	}
	seg := p[0]
	decoration := seg.what == "[*]" && !seg.deep && read != readRows
	if decoration && len(p) > 1 && p[1:].matches(way, array, read) {
		return true
	}
	if len(way) == 0 {
		return decoration && len(p) == 1 && !array
	}
	if one(seg.what, way[0], read) && p[1:].matches(way[1:], array, read) {
		return true
	}
	through := way[0].elem && seg.what != "[*]" && read != readRows
	return (seg.deep || through) && p.matches(way[1:], array, read)
}

func one(what string, at place, read reading) bool {
	switch {
	case what == "*":
		return true
	case what == "[*]":
		return at.elem || read == readMask
	case at.elem:
		return false
	case read == readGrant:
		return what == at.name
	}
	return loose(what, at.name)
}

// leads reports whether the path names the place as a container on its way.
func (p modelPath) leads(way []place, named bool) bool {
	if len(way) == 0 {
		return named && len(p) > 0
	}
	if len(p) == 0 {
		return false
	}
	seg, at := p[0], way[0]
	if seg.what == "[*]" && !seg.deep && len(p) > 1 && p[1:].leads(way, named) {
		return true
	}
	if one(seg.what, at, readGrant) {
		still := seg.what != "*" && (seg.what != "[*]" || named && !seg.deep)
		if p[1:].leads(way[1:], still) {
			return true
		}
	}
	if seg.deep {
		return p.leads(way[1:], false)
	}
	return at.elem && seg.what != "[*]" && p.leads(way[1:], named)
}
