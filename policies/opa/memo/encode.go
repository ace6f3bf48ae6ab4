package memo

import (
	"encoding/binary"
	"slices"
	"strconv"
)

// Tags begin every encoded value. Each encoding tells its own length, so that
// no encoding is the beginning of another, and a sequence of them can be read
// in one way only: equal keys mean equal slots.
const (
	tagAbsent byte = iota
	tagNull
	tagFalse
	tagTrue
	tagNumber
	tagText
	tagList
	tagObject
	tagPresent // of Exists
	tagKnown   // what a Lookup found, by its number
	tagNowhere // a Lookup that leads to nothing
	tagRaw     // not decided here: the operands themselves follow
)

// maxDepth bounds recursion. The engine's own bound on nesting is below it.
const maxDepth = 300

// appendText writes a length and the bytes.
func appendText(dst []byte, s string) []byte {
	return append(binary.AppendUvarint(dst, uint64(len(s))), s...)
}

// appendView writes a value. Numbers are written as they are spelled: 1 and
// 1.0 are equal to Rego, but json.marshal and sprintf show the difference. It
// reports false for what cannot be written.
func appendView(dst []byte, v view, depth int) ([]byte, bool) {
	if depth > maxDepth {
		return dst, false
	}
	switch v.shape {
	case absent:
		return append(dst, tagAbsent), true
	case null:
		return append(dst, tagNull), true
	case boolFalse:
		return append(dst, tagFalse), true
	case boolTrue:
		return append(dst, tagTrue), true
	case number:
		return appendText(append(dst, tagNumber), v.text), true
	case integer:
		var digits [20]byte
		b := strconv.AppendInt(digits[:0], v.whole, 10)
		dst = binary.AppendUvarint(append(dst, tagNumber), uint64(len(b)))
		return append(dst, b...), true
	case text:
		return appendText(append(dst, tagText), v.text), true
	case list:
		return appendTexts(dst, v.list), true
	case array:
		a := v.any.([]any)
		dst = binary.AppendUvarint(append(dst, tagList), uint64(len(a)))
		for _, e := range a {
			var ok bool
			if dst, ok = appendView(dst, look(e), depth+1); !ok {
				return dst, false
			}
		}
		return dst, true
	case object, textMap, listMap:
		return appendObject(dst, v, depth)
	case presence:
		return append(dst, tagPresent), true
	}
	return dst, false
}

func appendTexts(dst []byte, l []string) []byte {
	dst = binary.AppendUvarint(append(dst, tagList), uint64(len(l)))
	for _, s := range l {
		dst = appendText(append(dst, tagText), s)
	}
	return dst
}

// appendObject writes the members in the order of their names.
func appendObject(dst []byte, v view, depth int) ([]byte, bool) {
	var few [16]string
	names := v.names(few[:0])
	dst = binary.AppendUvarint(append(dst, tagObject), uint64(len(names)))
	for _, name := range names {
		dst = appendText(dst, name)
		var ok bool
		if dst, ok = appendView(dst, v.step(Step{Name: name}), depth+1); !ok {
			return dst, false
		}
	}
	return dst, true
}

// names appends the names of an object's members in order.
func (v view) names(to []string) []string {
	switch v.shape {
	case object:
		for name := range v.any.(map[string]any) {
			to = append(to, name)
		}
	case textMap:
		for name := range v.any.(map[string]string) {
			to = append(to, name)
		}
	case listMap:
		for name := range v.any.(map[string][]string) {
			to = append(to, name)
		}
	}
	slices.Sort(to)
	return to
}

// appendKeys writes what iterating over the keys of a value shows: the names of
// an object, the length of an array. Anything else has no keys, whatever it is.
func appendKeys(dst []byte, v view) []byte {
	switch v.shape {
	case list:
		return binary.AppendUvarint(append(dst, tagList), uint64(len(v.list)))
	case array:
		return binary.AppendUvarint(append(dst, tagList), uint64(len(v.any.([]any))))
	case object, textMap, listMap:
		var few [16]string
		names := v.names(few[:0])
		dst = binary.AppendUvarint(append(dst, tagObject), uint64(len(names)))
		for _, name := range names {
			dst = appendText(dst, name)
		}
		return dst
	case absent:
		return append(dst, tagAbsent)
	}
	return append(dst, tagPresent)
}
