package redact

import "github.com/valyala/fastjson"

// fastPeer uses a parser that keeps its tree from text to text, and copies
// nothing out of the text.
type fastPeer struct {
	parser fastjson.Parser
	arena  fastjson.Arena
	gone   []string
}

func (f *fastPeer) run(dst, text []byte, c *chore) ([]byte, error) {
	v, err := f.parser.ParseBytes(text)
	if err != nil {
		return nil, err
	}
	f.arena.Reset()
	stars := f.arena.NewString("***")
	data := v.GetArray("data")
	kept := data
	if c.branch != "" {
		list, n := f.arena.NewArray(), 0
		for _, r := range data {
			if string(r.GetStringBytes("branch")) == c.branch {
				list.SetArrayItem(n, r)
				n++
			}
		}
		v.Set("data", list)
		kept = list.GetArray()
	}
	if !c.deep {
		for _, r := range kept {
			c.fastMember(r, stars)
		}
	} else {
		c.fastEverywhere(v, stars)
	}
	if c.pass != nil {
		f.prune(v, c.pass)
	}
	return v.MarshalTo(dst), nil
}

func (c *chore) fastMember(r, stars *fastjson.Value) {
	for _, name := range c.mask {
		if r.Exists(name) {
			r.Set(name, stars)
		}
	}
	for _, name := range c.drop {
		r.Del(name)
	}
}

func (c *chore) fastEverywhere(v, stars *fastjson.Value) {
	switch v.Type() {
	case fastjson.TypeObject:
		c.fastMember(v, stars)
		v.GetObject().Visit(func(_ []byte, v *fastjson.Value) { c.fastEverywhere(v, stars) })
	case fastjson.TypeArray:
		for _, v := range v.GetArray() {
			c.fastEverywhere(v, stars)
		}
	}
}

func (f *fastPeer) prune(v *fastjson.Value, p passes) {
	switch v.Type() {
	case fastjson.TypeObject:
		from := len(f.gone)
		v.GetObject().Visit(func(name []byte, inner *fastjson.Value) {
			next, ok := p[string(name)]
			if !ok {
				f.gone = append(f.gone, string(name))
			} else if next != nil {
				f.prune(inner, next)
			}
		})
		for _, name := range f.gone[from:] {
			v.Del(name)
		}
		f.gone = f.gone[:from]
	case fastjson.TypeArray:
		for _, inner := range v.GetArray() {
			f.prune(inner, p)
		}
	}
}
