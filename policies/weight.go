package policies

// Weight tells roughly how much memory a question holds, in bytes, so that a
// queue of questions can be bounded: bodies and claims have no size of their
// own. It looks at every value and allocates nothing.
func (in *Input) Weight() int64 {
	const base = 512
	size := base + weight(in.Body) + int64(len(in.Resource.Path)) + word*int64(len(in.Resource.Segments))
	if in.Subject != nil {
		size += weight(in.Subject.Claims)
	}
	return size + weightOf(in.Resource.Query) + weightOf(in.Context.Headers)
}

func weightOf(lists map[string][]string) (size int64) {
	for k, v := range lists {
		size += word + int64(len(k))
		for _, s := range v {
			size += word + int64(len(s))
		}
	}
	return size
}

// word is about what a value takes beside its content.
const word = 16

func weight(v any) int64 {
	switch v := v.(type) {
	case string:
		return word + int64(len(v))
	case map[string]any:
		size := int64(3 * word)
		for k, e := range v {
			size += word + int64(len(k)) + weight(e)
		}
		return size
	case []any:
		size := int64(2 * word)
		for _, e := range v {
			size += weight(e)
		}
		return size
	}
	return word
}
