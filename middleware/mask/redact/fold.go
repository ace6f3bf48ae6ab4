package redact

// Fold gives the form in which two loosely equal names are the same; see the
// package comment.
func Fold(name string) string {
	for i := range len(name) {
		if c := name[i]; c == '_' || c == '-' || c >= 0x80 || 'A' <= c && c <= 'Z' {
			return foldString(name)
		}
	}
	return name
}

// PathNames gives the names on a path, folded, in their order. A path of
// wildcards alone has none.
func PathNames(path string) ([]string, error) {
	segs, err := parsePath(path)
	if err != nil {
		return nil, err
	}
	var names []string
	for _, s := range segs {
		if s.kind == segName {
			names = append(names, s.fold)
		}
	}
	return names, nil
}
