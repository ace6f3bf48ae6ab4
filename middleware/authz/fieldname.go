package authz

import (
	"errors"
	"slices"
	"strings"
	"unicode"

	"github.com/gatehouse-dev/gatehouse/middleware/mask/redact"
)

// maxSteps is how deeply the name of a field may lead.
const maxSteps = 32

var errName = errors.New("the name of a field cannot be read")

// places gives where a field of a form may stand: one place for every way in
// which backends read its name. Which of them the backend is like is not known,
// so a rule holds for the field if it holds at any of these.
//
//   - as it is: Go, plain servlets;
//   - split at brackets: PHP, Rails, qs;
//   - split at dots: Spring, ASP.NET;
//   - split at both: items[0].salary;
//   - with dots and blanks as underscores, which PHP makes of them, and of a
//     bracket without its other;
//   - split around numbers: form-0-salary, as the form sets of Django.
//
// What is a number, or nothing, may be an index. Blanks around a step do not
// count, nor do the quotes of pay['salary'] and the mark of !salary (Spring), or
// what says which piece of a value it is: born(1i) (Rails). A name with a control
// character is none: some end there.
func places(root redact.Place, name string) ([]redact.Place, error) {
	if strings.ContainsFunc(name, func(r rune) bool { return r < 0x20 || r == 0x7f }) {
		return nil, errName
	}
	out := []redact.Place{root.Member(name)}
	if !strings.ContainsAny(name, ".[] !(-") {
		return out, nil
	}
	name = strings.TrimPrefix(name, "!")
	name = strings.ReplaceAll(name, "[]", "[0]")
	readings := []string{"[]", ".", ".[]"}
	switch dots := strings.Contains(name, "."); {
	case !strings.ContainsAny(name, "[]"):
		readings = readings[1:2]
	case !dots:
		readings = readings[:1]
	}
	for _, at := range readings {
		place, err := follow(root, split(name, at))
		if err != nil {
			return nil, err
		}
		out = append(out, place)
	}
	steps := [][]string{asPHP(name)}
	if base, rest, open := strings.Cut(name, "["); open && !strings.Contains(rest, "]") {
		steps = append(steps, []string{base + "_" + rest}, []string{underscored(name)})
	}
	if pieces := strings.Split(name, "-"); len(pieces) > 2 && slices.ContainsFunc(pieces[1:len(pieces)-1], func(s string) bool { return s != "" && isIndex(s) }) {
		steps = append(steps, split(name, "-.[]"))
	}
	for _, steps := range steps {
		place, err := follow(root, steps)
		if err != nil {
			return nil, err
		}
		out = append(out, place)
	}
	return out, nil
}

// asPHP gives the steps of a name as PHP reads it.
func asPHP(name string) []string {
	base, rest, _ := strings.Cut(strings.TrimLeft(name, " "), "[")
	return append([]string{underscored(base)}, split(rest, "[]")...)
}

// underscored makes of a name what PHP does, which has no others for variables.
func underscored(name string) string {
	return strings.NewReplacer(".", "_", " ", "_", "[", "_").Replace(name)
}

// isIndex reports whether a step may be the index of an element. Some read a
// number with a sign, and digits of any script.
func isIndex(s string) bool {
	return strings.TrimFunc(strings.TrimLeft(s, "+-"), unicode.IsDigit) == ""
}

// bare gives a step without what is not of its name.
func bare(s string) string {
	s = strings.TrimSpace(s)
	if name, piece, ok := strings.Cut(s, "("); ok && name != "" && strings.HasSuffix(piece, ")") {
		s = name
	}
	return strings.Trim(s, `'"`)
}

func split(name, at string) []string {
	return strings.FieldsFunc(name, func(r rune) bool { return strings.ContainsRune(at, r) })
}

// follow leads through the steps of a name.
func follow(at redact.Place, steps []string) (redact.Place, error) {
	if len(steps) > maxSteps {
		return at, errName
	}
	for _, s := range steps {
		s = bare(s)
		if passes(s) {
			continue
		}
		if isIndex(s) {
			at = at.Index(s)
			continue
		}
		at = at.Member(s)
	}
	return at, nil
}
