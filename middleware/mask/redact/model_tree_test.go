package redact

import (
	"encoding/json"
	"fmt"
	"io"
	"strings"
)

type node struct {
	kind  byte // { [ " - t n
	text  string
	names []string
	kids  []*node
	looks *Finding // what is found in it, if it is left

	counts int // as sensitive, if it is left
}

// counted adds up what is sensitive in what is left.
func (n *node) counted() int {
	out := n.counts
	for _, k := range n.kids {
		out += k.counted()
	}
	return out
}

// found adds what is found in what is left.
func (n *node) found(list []Finding) []Finding {
	if n.looks != nil {
		list = append(list, *n.looks)
	}
	for _, k := range n.kids {
		list = k.found(list)
	}
	return list
}

func parseTree(text []byte) (*node, error) {
	dec := json.NewDecoder(strings.NewReader(string(text)))
	dec.UseNumber()
	n, err := readTree(dec)
	if err != nil {
		return nil, err
	}
	if _, err := dec.Token(); err != io.EOF {
		return nil, fmt.Errorf("trailing: %v", err)
	}
	return n, nil
}

func readTree(dec *json.Decoder) (*node, error) {
	tok, err := dec.Token()
	if err != nil {
		return nil, err
	}
	switch tok := tok.(type) {
	case string:
		return &node{kind: '"', text: tok}, nil
	case json.Number:
		return &node{kind: '-', text: tok.String()}, nil
	case bool:
		return &node{kind: 't', text: fmt.Sprint(tok)}, nil
	case json.Delim:
		n := &node{kind: byte(tok)}
		for dec.More() {
			if tok == '{' {
				name, err := dec.Token()
				if err != nil {
					return nil, err
				}
				n.names = append(n.names, name.(string))
			}
			kid, err := readTree(dec)
			if err != nil {
				return nil, err
			}
			n.kids = append(n.kids, kid)
		}
		_, err := dec.Token()
		return n, err
	}
	return &node{kind: 'n'}, nil
}

func (n *node) String() string {
	var parts []string
	for i, k := range n.kids {
		if n.kind == '{' {
			parts = append(parts, fmt.Sprintf("%q:%v", n.names[i], k))
		} else {
			parts = append(parts, k.String())
		}
	}
	switch n.kind {
	case '{':
		return "{" + strings.Join(parts, ",") + "}"
	case '[':
		return "[" + strings.Join(parts, ",") + "]"
	}
	return fmt.Sprintf("%c%q", n.kind, n.text)
}
