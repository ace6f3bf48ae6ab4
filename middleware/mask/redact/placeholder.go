package redact

import (
	"encoding/base64"
	"math/big"
	"strconv"
	"strings"
)

// Placeholders recognizes what masks have put in the place of values, when it
// comes back.
//
// Three things are recognized anywhere, for they are nobody's data: the string
// "***", alone; and what has the form of a hash or token under one of the keys.
// The others look like data, and are recognized only where the mask that makes
// them holds: null under null; what partial and generalize would leave as it is.
// A mask that is applied to its own result changes nothing, so that is the test,
// and it is exact: nothing else can have come out of the mask. White space around
// a text does not count: editors add it. That it did come
// out of it is certain for partial ("****6789" is nobody's number). A year, or
// the multiple of a bucket, may also be what somebody means.
type Placeholders struct {
	paths *Paths
	rules []rule // by path
	keys  []string
	marks [][]byte // every placeholder has one of them; nil where one may have none
}

// NewPlaceholders compiles the rules of a [Spec]; keys are the ids of those that
// hash and tokenize use. It is nil where no rule puts anything in the place of
// a value.
func NewPlaceholders(rules []Rule, keys []string) (*Placeholders, error) {
	p := &Placeholders{keys: keys, marks: [][]byte{[]byte("***")}}
	for _, k := range keys {
		p.marks = append(p.marks, []byte(k+"_"))
	}
	var masks, shows []string
	for _, r := range rules {
		switch r.Action {
		case Drop:
			continue
		case Show:
			shows = append(shows, r.Path)
			continue
		}
		bucket := r.Bucket
		if bucket == 0 {
			bucket = DefaultBucket
		}
		width, ok := new(big.Rat).SetString(strconv.FormatFloat(bucket, 'g', -1, 64))
		if !ok || width.Sign() <= 0 {
			width = big.NewRat(DefaultBucket, 1) // the plan of the answer will refuse it
		}
		masks = append(masks, r.Path)
		p.rules = append(p.rules, rule{action: r.Action, bucket: width})
	}
	if len(masks) == 0 {
		return nil, nil
	}
	for _, r := range p.rules {
		switch r.action {
		case Null:
			p.marks = append(p.marks, []byte("null"))
		case Generalize: // a year, a number
			p.marks = nil
			return p, p.follow(masks, shows)
		}
	}
	return p, p.follow(masks, shows)
}

func (p *Placeholders) follow(masks, shows []string) (err error) {
	p.paths, err = newPaths(masks, shows)
	return err
}

// Root is the place of a whole document.
func (p *Placeholders) Root() Place { return p.paths.Root() }

// Text reports whether the text of a form field is a placeholder. There null is
// written as nothing, and a number as any text.
func (p *Placeholders) Text(at Place, text string) bool {
	text = strings.TrimSpace(text)
	if p.anywhere(text) {
		return true
	}
	for i := range p.rules {
		if !at.Holds(i) {
			continue
		}
		switch r := &p.rules[i]; r.action {
		case Null:
			if text == "" || text == "null" {
				return true
			}
		case Partial, Generalize:
			if r.keepsText(text) || isNumber(text) && r.keepsNumber(text) {
				return true
			}
		}
	}
	return false
}

// scalar is [Placeholders.Text] for a scalar of a JSON text. The place is asked
// for only where it counts: most values are what no mask would leave as it is.
func (p *Placeholders) scalar(place func() Place, raw []byte) bool {
	var text string
	isText, isNull := raw[0] == '"', raw[0] == 'n'
	if isText {
		decoded, ok := unquote(nil, raw)
		if !ok {
			return false // half a surrogate pair, which no mask has made
		}
		if text = strings.TrimSpace(string(decoded)); p.anywhere(text) {
			return true
		}
	}
	isNumber := !isText && !isNull && raw[0] != 't' && raw[0] != 'f'
	for i := range p.rules {
		r := &p.rules[i]
		if isNull && r.action == Null || isText && r.keepsText(text) || isNumber && r.keepsNumber(string(raw)) {
			if place().Holds(i) {
				return true
			}
		}
	}
	return false
}

// keepsText reports whether the action leaves the text as it is.
func (r *rule) keepsText(text string) bool {
	switch r.action {
	case Partial:
		if !strings.Contains(text, "***") {
			return false // a quick no to almost any text
		}
		return string(appendPartial(nil, []byte(text), true)) == string(appendQuoted(nil, []byte(text)))
	case Generalize:
		return len(text) == 4 && isDate([]byte(text))
	}
	return false
}

// keepsNumber reports whether the action leaves a number what it is, however it
// is spelled. Partial makes a text of it.
func (r *rule) keepsNumber(text string) bool {
	if r.action != Generalize {
		return false
	}
	before, ok := parseDecimal(nil, []byte(text))
	if !ok {
		return false
	}
	out := appendGeneral(nil, []byte(text), false, r.bucket)
	after, ok := parseDecimal(nil, out)
	return ok && out[0] != '"' && before.compare(after) == 0
}

// anywhere reports whether the text is nothing but a placeholder, wherever it
// stands.
func (p *Placeholders) anywhere(text string) bool {
	if text == redacted[1:len(redacted)-1] {
		return true
	}
	id, sealed, ok := strings.Cut(text, "_")
	if !ok || len(id) < 2 {
		return false
	}
	for _, k := range p.keys {
		if id[1:] != k {
			continue
		}
		n, err := base64.RawURLEncoding.Strict().DecodeString(sealed)
		switch {
		case err != nil:
		case id[0] == 'h' && len(n) == hashBytes:
			return true
		case id[0] == 't' && len(n) > nonceAndTag && (len(n)-nonceAndTag)%tokenPad == 0:
			return true
		}
	}
	return false
}

// Sizes of pseudonyms, before they are written in base64; see [sealer].
const (
	hashBytes   = 16
	nonceAndTag = 12 + 16
)
