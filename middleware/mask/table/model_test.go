package table

import (
	"bytes"
	"encoding/csv"
	"encoding/json"
	"fmt"
	"io"
	"math/big"
	"math/rand/v2"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/gatehouse-dev/gatehouse/middleware/mask/redact"
)

// model is another reading of the rules, which holds everything and takes its
// time.
type model struct {
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
		if stricter && !slices.Contains(m.shown, column) && masked(r.Path, column) {
			out = r
		}
	}
	return out, m.expose && !m.all && !slices.Contains(m.exposed, column)
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

func pick[T any](r *rand.Rand, list ...T) T { return list[r.IntN(len(list))] }

func genName(r *rand.Rand) string {
	word := func() string {
		return pick(r, "a", "b", "A", "a_b", "a-b", "ab", "c", "k", "\u212a", "имя", "x1")
	}
	name := word()
	for r.IntN(3) == 0 {
		name += pick(r, ".", "/", " ", "__", ":", "_", "-", "; ", "\t", "--", ",", "\n", `"`) + word()
	}
	return name
}

func genCond(r *rand.Rand, names []string, depth int) redact.Cond {
	if depth > 0 && r.IntN(3) == 0 {
		a, b := genCond(r, names, depth-1), genCond(r, names, depth-1)
		return pick(r, redact.Cond{Any: []redact.Cond{a, b}}, redact.Cond{All: []redact.Cond{a, b}}, redact.Cond{Not: &a})
	}
	c := redact.Cond{Field: pick(r, append(names, "none")...), Op: pick(r, "eq", "ne", "in", "not_in", "lt", "exists")}
	values := []any{"v", "12", 12, 0, true, false, nil, "true", `"`}
	switch c.Op {
	case "in", "not_in":
		c.Value = []any{pick(r, values...), pick(r, values...)}
	case "lt":
		c.Value = r.IntN(20)
	case "eq", "ne":
		c.Value = pick(r, values...)
	}
	c.Field = "['" + c.Field + "']"
	return c
}

func genModel(t testing.TB, r *rand.Rand, names []string) *model {
	m := &model{t: t}
	quote := func(name string) string { return "['" + name + "']" }
	plain := func(name string) bool { return !strings.ContainsAny(name, "\n\t\"") }
	names = slices.DeleteFunc(slices.Clone(names), func(s string) bool { return !plain(s) })
	names = append(names, "a")
	for range r.IntN(4) {
		name := quote(pick(r, pick(r, names...), "a", "b", "a_b", "A.B", "k", "x1"))
		m.masks = append(m.masks, redact.Rule{
			Path:   pick(r, "$"+name, "$.."+name, "$['data'][*]"+name, "$"+name+".*", "$"+name+"[*]", "$..*", "$"),
			Action: redact.Action(1 + r.IntN(7)),
		})
	}
	for range r.IntN(3) {
		name := pick(r, names...)
		path := pick(r, "$"+quote(name), "$.."+quote(name), "$[*]"+quote(name), "$.data"+quote(name), "$[*].."+quote(name), "$.*")
		m.shows = append(m.shows, path)
		if grants(path) {
			m.shown = append(m.shown, name)
		}
	}
	for range max(r.IntN(6)-2, 0) {
		name := pick(r, names...)
		path := pick(r, "$"+quote(name), "$.."+quote(name), "$[*]"+quote(name), "$.data"+quote(name), "$", "$[*].*", "$..[*]")
		m.paths, m.expose = append(m.paths, path), true
		m.all = m.all || path == "$" || path == "$[*].*"
		if grants(path) {
			m.exposed = append(m.exposed, name)
		}
	}
	for range max(r.IntN(4)-1, 0) {
		m.rows = append(m.rows, genCond(r, names, 2))
	}
	return m
}

// grants tells the paths that name a column from the others of the generator.
func grants(path string) bool {
	return strings.HasPrefix(path, "$['") || strings.HasPrefix(path, "$..['") || strings.HasPrefix(path, "$[*]['")
}

func genTable(r *rand.Rand, names []string) string {
	var b strings.Builder
	field := func(s string) {
		if strings.ContainsAny(s, ";|\t\",\r\n") || s == "" && len(names) == 1 || r.IntN(4) == 0 {
			s = `"` + strings.ReplaceAll(s, `"`, `""`) + `"`
		}
		b.WriteString(s)
	}
	record := func(text func(i int) string) {
		for i := range names {
			if i > 0 {
				b.WriteByte(',')
			}
			field(text(i))
		}
	}
	b.WriteString(pick(r, "", "", "\ufeff"))
	record(func(i int) string { return names[i] })
	for range r.IntN(6) {
		b.WriteString(pick(r, "\n", "\r\n"))
		record(func(int) string {
			return pick(r, "", "v", "12", "12.0", "true", "True", "false", " v", "2024-05-17", "a,b", `say "no"`, "two\nlines", "*",
				"ada@example.com", "123456789", "-1.5", "007", "имя и фамилия", fmt.Sprintf("planted%06x", r.Uint32()>>8))
		})
	}
	b.WriteString(pick(r, "", "\n", "\r\n"))
	return b.String()
}

// TestAgainstModel compares random tables under random plans, and their
// division into reads of random sizes.
func TestAgainstModel(t *testing.T) {
	for seed := range uint64(6000) {
		r := rand.New(rand.NewPCG(seed, 7))
		var names []string
		for range 1 + r.IntN(4) {
			names = append(names, genName(r))
		}
		in := genTable(r, names)
		m := genModel(t, r, names)
		// The model reads names of fields as they are.
		plan := compile(t, m.spec())
		for i := range m.rows {
			m.rows[i] = unquoted(m.rows[i])
		}
		want := m.out(in)
		limits := redact.Limits{Window: 1 + r.IntN(100)}
		got, err := io.ReadAll(NewReader(plan, &chunks{r, []byte(in)}, limits))
		if err != nil || string(got) != want {
			t.Fatalf("seed %d: %v\nspec %+v\nin   %q\ngot  %q\nwant %q", seed, err, m.spec(), in, got, want)
		}
		agree(t, in)
		agree(t, string(got))
	}
}

func unquoted(c redact.Cond) redact.Cond {
	c.Field = strings.TrimSuffix(strings.TrimPrefix(c.Field, "['"), "']")
	for _, list := range [][]redact.Cond{c.Any, c.All} {
		for i := range list {
			list[i] = unquoted(list[i])
		}
	}
	if c.Not != nil {
		n := unquoted(*c.Not)
		c.Not = &n
	}
	return c
}

// agree checks that encoding/csv finds in a text the fields that the model
// finds.
func agree(t testing.TB, in string) {
	t.Helper()
	in = strings.TrimPrefix(in, "\ufeff")
	records, err := csv.NewReader(strings.NewReader(in)).ReadAll()
	if err != nil {
		t.Fatalf("%q: %v", in, err)
	}
	var fields []string
	if in == "" {
		return
	}
	for _, f := range split(in) {
		s := f[1]
		if quoted, ok := strings.CutPrefix(s, `"`); ok {
			s = strings.ReplaceAll(quoted[:len(quoted)-1], `""`, `"`)
		}
		fields = append(fields, s)
	}
	if flat := slices.Concat(records...); !slices.Equal(flat, fields) {
		t.Fatalf("%q: %q, %q", in, flat, fields)
	}
}

// chunks gives a text in pieces of random sizes.
type chunks struct {
	r    *rand.Rand
	left []byte
}

func (c *chunks) Read(p []byte) (int, error) {
	n := min(1+c.r.IntN(40), len(p), len(c.left))
	n = copy(p[:n], c.left)
	if c.left = c.left[n:]; len(c.left) == 0 && c.r.IntN(2) == 0 {
		return n, io.EOF
	}
	if n == 0 {
		return 0, io.EOF
	}
	return n, nil
}

// TestPlanted: what is under a masked name is not in the result, whatever else
// is asked for and however the name is spelled.
func TestPlanted(t *testing.T) {
	for seed := range uint64(500) {
		r := rand.New(rand.NewPCG(seed, 8))
		names := []string{pick(r, "SSN", "employee.ssn", "Ssn (old)", "s_s_n", "bank/ssn", "s s n"), "b", "c"}
		r.Shuffle(len(names), func(i, j int) { names[i], names[j] = names[j], names[i] })
		in := strings.Join(names, ",") + "\n"
		for range 20 {
			for i, n := range names {
				text := "open"
				if len(n) > 1 {
					text = "planted"
				}
				in += strings.Repeat(",", min(i, 1)) + pick(r, text, `"`+text+`"`, `"""`+text+`"`, "\"\n"+text+"\"")
			}
			in += "\n"
		}
		spec := redact.Spec{Rules: rules(t, "$.data.ssn "+pick(r, "drop", "null", "redact", "hash", "tokenize", "generalize"), "$.b show", "$.ssn show")}
		got, err := io.ReadAll(NewReader(compile(t, spec), &chunks{r, []byte(in)}, redact.Limits{}))
		if err != nil || bytes.Contains(got, []byte("planted")) || !bytes.Contains(got, []byte("open")) {
			t.Fatalf("seed %d: %v\n%s\n%s", seed, err, in, got)
		}
	}
}
