package mask

import (
	"encoding/json"
	"fmt"
	"math"
	"strconv"

	"github.com/gatehouse-dev/gatehouse/middleware/mask/redact"
)

// appendKey writes a spec and the tenant whose keys it uses so that no two
// different ones read the same: every list and text goes behind its length.
func appendKey(b []byte, s *redact.Spec, tenant string) []byte {
	b = appendText(b, tenant)
	b = appendLen(b, len(s.Rules))
	for i := range s.Rules {
		r := &s.Rules[i]
		b = appendText(append(b, byte(r.Action)), r.Path)
		b = appendText(appendText(b, r.Class), r.Domain)
		b = strconv.AppendUint(b, math.Float64bits(r.Bucket), 36)
		b = append(b, ';')
	}
	b = appendLen(b, len(s.Rows))
	for i := range s.Rows {
		b = appendConds(appendText(b, s.Rows[i].Path), s.Rows[i].Where)
	}
	return appendTexts(appendTexts(appendTexts(b, s.Expose), s.Known), s.Sensitive)
}

func appendConds(b []byte, list []redact.Cond) []byte {
	b = appendLen(b, len(list))
	for i := range list {
		c := &list[i]
		b = appendText(appendText(b, c.Field), c.Op)
		b = strconv.AppendBool(b, c.Missing)
		b = appendValue(b, c.Value)
		b = appendConds(appendConds(b, c.Any), c.All)
		if c.Not == nil {
			b = appendLen(b, 0)
		} else {
			b = appendConds(b, []redact.Cond{*c.Not})
		}
	}
	return b
}

// appendValue writes a value with its type, since "1" and 1 are not equal.
func appendValue(b []byte, v any) []byte {
	switch v := v.(type) {
	case nil:
		return append(b, 'z')
	case string:
		return appendText(append(b, 's'), v)
	case json.Number:
		return appendText(append(b, 'n'), v.String())
	case bool:
		return strconv.AppendBool(append(b, 'b'), v)
	case []any:
		b = appendLen(append(b, 'l'), len(v))
		for _, e := range v {
			b = appendValue(b, e)
		}
		return b
	}
	return appendText(append(b, 'x'), fmt.Sprintf("%T %v", v, v))
}

func appendTexts(b []byte, list []string) []byte {
	b = appendLen(b, len(list))
	for _, s := range list {
		b = appendText(b, s)
	}
	return b
}

func appendText(b []byte, s string) []byte { return append(appendLen(b, len(s)), s...) }

func appendLen(b []byte, n int) []byte { return append(strconv.AppendInt(b, int64(n), 36), ':') }
