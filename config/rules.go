package config

import (
	"reflect"
	"strings"
)

// rules are what the tags of a field say about its values. The reference is
// generated from the same tags.
//
//	is:"required"  must be written and not be empty
//	is:"positive"  more than zero where it is written
//	is:"file"      a path to a file that can be read
//	is:"folder"    a path to a folder
//	is:"source"    a URL, or a path to a file that may not be there yet
//	is:"output"    stdout, stderr or a path to a file in a folder that exists
//	oneof:"a b c"  one of these words, or a list of them
type rules struct {
	key      string
	index    int
	required bool
	positive bool
	path     string // "file", "folder", "source", "output" or ""
	oneof    []string
}

// fieldsOf lists the fields of a struct that can be written.
func fieldsOf(t reflect.Type) []rules {
	var list []rules
	for i := range t.NumField() {
		f := t.Field(i)
		key := f.Tag.Get("yaml")
		if key == "" || key == "-" {
			continue
		}
		r := rules{key: key, index: i, oneof: strings.Fields(f.Tag.Get("oneof"))}
		for _, word := range strings.Fields(f.Tag.Get("is")) {
			switch word {
			case "required":
				r.required = true
			case "positive":
				r.positive = true
			default:
				r.path = word
			}
		}
		list = append(list, r)
	}
	return list
}
