package config

import (
	"regexp"
	"slices"
	"strings"
)

func (k *checker) mask(m Mask, path string) {
	types := join(path, "passthrough_types")
	k.unique(types, m.PassthroughTypes)
	for i, t := range m.PassthroughTypes {
		switch {
		case !isMediaType(t):
			k.mistake(index(types, i), "%q is not a media type; write it like image/png or image/*", t)
		case holdsFields(t):
			k.mistake(index(types, i), "%q can hold fields that are to be masked; it cannot pass unmasked", t)
		}
	}
	oracles := join(path, "oracle_parameters")
	k.unique(oracles, m.OracleParameters)
	for i, name := range m.OracleParameters {
		if name == "" || strings.ContainsFunc(name, strange) || strings.ContainsAny(name, "&=#") {
			k.mistake(index(oracles, i), "%q is not the name of a query parameter", name)
		}
	}
}

// holdsFields reports whether a media type, or one that a pattern names, is
// made of fields that a mask would be about.
func holdsFields(t string) bool {
	kind, sub, _ := strings.Cut(t, "/")
	if kind == "text" || kind == "multipart" || kind == "message" || t == "application/*" {
		return true
	}
	return slices.ContainsFunc([]string{"json", "xml", "csv", "yaml", "graphql", "form-urlencoded", "javascript", "ndjson"}, func(s string) bool {
		return strings.Contains(sub, s)
	})
}

// nationalIDs checks expressions that are matched against whole values. One
// that matches nothing at all would find personal data everywhere.
func (k *checker) nationalIDs(path string, ids map[string]string) {
	for _, name := range names(k, path, ids) {
		at := join(path, name)
		switch re, err := regexp.Compile(ids[name]); {
		case err != nil:
			k.mistake(at, "%q is not a regular expression (RE2): %v", ids[name], err)
		case re.MatchString(""):
			k.mistake(at, "%q matches the empty text", ids[name])
		}
	}
}
