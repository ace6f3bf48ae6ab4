package table

import (
	"encoding/json"
	"fmt"
	"math/big"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/gatehouse-dev/gatehouse/middleware/mask/redact"
)

// model is another reading of the rules, which holds everything and takes its
// time.
type model struct {
	header  []string
	t       testing.TB
	masks   []redact.Rule
	shown   []string // exact names
	exposed []string
	expose  bool // there is a list, and all says that it holds everything
	all     bool
	shows   []string // paths
	paths   []string
	rows    []redact.Cond
}

func (m *model) spec() redact.Spec {
	s := redact.Spec{Rules: slices.Clone(m.masks), Expose: m.paths}
	for _, p := range m.shows {
		s.Rules = append(s.Rules, redact.Rule{Path: p, Action: redact.Show})
	}
	for i, c := range m.rows {
		s.Rows = append(s.Rows, redact.RowFilter{Path: []string{"$", "$.data[*]", "$..x"}[i%3], Where: []redact.Cond{c}})
	}
	return s
}

var (
	fieldPattern  = regexp.MustCompile(`^("(?:[^"]|"")*"|[^",\r\n]*)(,|\r?\n|$)`)
	cutPattern    = regexp.MustCompile(`[^\p{L}\p{Nd}_-]+|[_-]{2,}`)
	numberPattern = regexp.MustCompile(`^-?(0|[1-9][0-9]*)(\.[0-9]+)?([eE][+-]?[0-9]+)?$`)
	namePattern   = regexp.MustCompile(`\['([^']*)'\]`)
)

// parts cuts a name, and folds what is left.
func parts(name string) []string {
	fold := strings.NewReplacer("_", "", "-", "", "\u017f", "s", "\u212a", "k")
	var out []string
	for _, p := range cutPattern.Split(name, -1) {
		if p = strings.ToLower(fold.Replace(p)); p != "" {
			out = append(out, p)
		}
	}
	return out
}

// masked reports whether the mask at path holds for a column.
func masked(path, column string) bool {
	names := namePattern.FindAllStringSubmatch(path, -1)
	if len(names) == 0 {
		return true
	}
	want, have := strings.Join(parts(names[len(names)-1][1]), ""), parts(column)
	for i := range have {
		for j := i; j < len(have); j++ {
			if strings.Join(have[i:j+1], "") == want {
				return true
			}
		}
	}
	return false
}

// action gives what is done to a column, and whether it is hidden.
func (m *model) action(column string) (redact.Rule, bool) {
	var out redact.Rule
	for _, r := range m.masks {
		stricter := r.Action > out.Action || r.Action == out.Action && r.Path < out.Path
		if stricter && !slices.Contains(m.shown, column) && (masked(r.Path, column) || m.rowsOf(r.Path)) {
			out = r
		}
	}
	return out, m.expose && !m.all && !slices.Contains(m.exposed, column)
}

// rowsOf reports whether a path is about the elements of a list that no column
// names.
func (m *model) rowsOf(path string) bool {
	return strings.HasSuffix(path, "'][*]") && !slices.ContainsFunc(m.header, func(name string) bool { return masked(path, name) })
}

// replaced masks a text by way of JSON.
func (m *model) replaced(r redact.Rule, text string) string {
	if r.Action < redact.Redact && text == "" || r.Action == redact.Null {
		return ""
	}
	value, _ := json.Marshal(text)
	if (r.Action == redact.Partial || r.Action == redact.Generalize) && numberPattern.MatchString(text) {
		value = []byte(text)
	}
	last := namePattern.FindAllStringSubmatch(r.Path, -1)
	rule := redact.Rule{Path: "$..*", Action: r.Action}
	if len(last) > 0 { // keys of hashes are those of the last name
		rule.Path = "$['" + last[len(last)-1][1] + "']"
	}
	name := strings.TrimSuffix(strings.TrimPrefix(rule.Path, "$['"), "']")
	key, _ := json.Marshal(name)
	doc, _, err := redact.Append(nil, fmt.Appendf(nil, `{%s:%s}`, key, value), compile(m.t, redact.Spec{Rules: []redact.Rule{rule}}), redact.Limits{})
	if err != nil {
		m.t.Fatal(err)
	}
	var out map[string]json.RawMessage
	if err := json.Unmarshal(doc, &out); err != nil {
		m.t.Fatal(err)
	}
	var s string
	if json.Unmarshal(out[name], &s) != nil {
		s = string(out[name])
	}
	return s
}

// holds judges a condition: 1, -1, or 0 for what is undefined.
func holds(c redact.Cond, names, fields []string) int {
	combine := func(list []redact.Cond, decisive int) int {
		out := -decisive
		for _, p := range list {
			switch holds(p, names, fields) {
			case decisive:
				return decisive
			case 0:
				out = 0
			}
		}
		return out
	}
	switch {
	case c.Not != nil:
		return -holds(*c.Not, names, fields)
	case c.Any != nil:
		return combine(c.Any, 1)
	case c.All != nil:
		return combine(c.All, -1)
	}
	at, like := -1, 0
	for i, n := range names {
		if n == c.Field {
			at = i
		}
		if strings.Join(parts(n), "") == strings.Join(parts(c.Field), "") {
			like++
		}
	}
	if at < 0 || like != 1 {
		return 0
	}
	sign := func(b bool) int {
		if b {
			return 1
		}
		return -1
	}
	text := fields[at]
	equal := func(v any) int {
		switch v := v.(type) {
		case nil:
			return sign(text == "")
		case string:
			if text != "" {
				return sign(text == v)
			}
		case int:
			if numberPattern.MatchString(text) {
				x, _ := new(big.Rat).SetString(text)
				return sign(x.Cmp(big.NewRat(int64(v), 1)) == 0)
			}
		case bool:
			if text == "true" || text == "True" || text == "false" || text == "False" {
				return sign(strings.EqualFold(text, fmt.Sprint(v)))
			}
		}
		return 0
	}
	switch c.Op {
	case "eq":
		return equal(c.Value)
	case "ne":
		return -equal(c.Value)
	case "exists":
		return min(len(text), 1)
	case "in", "not_in":
		out := -1
		for _, v := range c.Value.([]any) {
			if e := equal(v); e == 1 {
				out = 1
				break
			} else if e == 0 {
				out = 0
			}
		}
		if c.Op == "not_in" {
			return -out
		}
		return out
	case "lt":
		if !numberPattern.MatchString(text) {
			return 0
		}
		x, _ := new(big.Rat).SetString(text)
		return sign(x.Cmp(big.NewRat(int64(c.Value.(int)), 1)) < 0)
	}
	panic(c.Op)
}

// split gives the fields of a text, as they stand there, with what ends them.
func split(in string) [][]string {
	var out [][]string
	for {
		f := fieldPattern.FindStringSubmatch(in)
		out = append(out, f)
		if in = in[len(f[0]):]; in == "" && f[2] != "," {
			return out
		}
	}
}

// out masks a text that is CSV and in which every field has been checked.
func (m *model) out(in string) string {
	in, bom := strings.CutPrefix(in, "\ufeff")
	var out strings.Builder
	var raw, names []string
	written := false
	for _, f := range split(in) {
		raw = append(raw, f[1])
		if f[2] == "," {
			continue
		}
		line := m.record(raw, &names)
		if line != nil {
			if bom && !written {
				out.WriteString("\ufeff")
			}
			written = true
			out.WriteString(*line + f[2])
		}
		raw = raw[:0]
	}
	return out.String()
}

func (m *model) record(raw []string, names *[]string) *string {
	var fields []string
	for _, f := range raw {
		if quoted, ok := strings.CutPrefix(f, `"`); ok {
			f = strings.ReplaceAll(quoted[:len(quoted)-1], `""`, `"`)
		}
		fields = append(fields, f)
	}
	header := *names == nil
	if header {
		*names = fields
	}
	for _, c := range m.rows {
		if !header && holds(c, *names, fields) != 1 {
			return nil
		}
	}
	var left []string
	for i, f := range raw {
		rule, hidden := m.action((*names)[i])
		switch {
		case hidden || rule.Action == redact.Drop:
			continue
		case !header && rule.Action != 0:
			f = m.replaced(rule, fields[i])
			if strings.ContainsAny(f, "\",\r\n") {
				f = `"` + strings.ReplaceAll(f, `"`, `""`) + `"`
			}
		}
		left = append(left, f)
	}
	if left == nil {
		return nil
	}
	line := strings.Join(left, ",")
	if line == "" && strings.Join(raw, ",") != "" {
		line = `""`
	}
	return &line
}
