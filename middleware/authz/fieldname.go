package authz

import (
	"errors"
	"strings"

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
//   - with dots and blanks as underscores, which PHP makes of them.
//
// What is a number, or nothing, may be an index. Blanks around a step do not
// count. A name with a control character is none: some end there.
func places(root redact.Place, name string) ([]redact.Place, error) {
	if strings.ContainsFunc(name, func(r rune) bool { return r < 0x20 || r == 0x7f }) {
		return nil, errName
	}
	out := []redact.Place{root.Member(name)}
	if !strings.ContainsAny(name, ".[] ") {
		return out, nil
	}
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
	base, rest, _ := strings.Cut(strings.TrimLeft(name, " "), "[")
	base = strings.NewReplacer(".", "_", " ", "_").Replace(base)
	place, err := follow(root, append([]string{base}, split(rest, "[]")...))
	return append(out, place), err
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
		s = strings.TrimSpace(s)
		if strings.Trim(s, "0123456789") == "" {
			at = at.Index(s)
			continue
		}
		at = at.Member(s)
	}
	return at, nil
}
