package authz

import (
	"errors"
	"strconv"
	"strings"

	"github.com/gatehouse-dev/gatehouse/middleware"
	"github.com/gatehouse-dev/gatehouse/middleware/mask/redact"
)

// writes says that a request writes what is protected. The places are names of the
// body, or paths of the policy, and never values.
type writes struct {
	places []string
	value  any // what the places are in, or the text that stands there; nil where that is not known
}

func written(places ...string) error { return &writes{places: places} }

// in adds to an error of written what its places are in.
func in(v any, err error) error {
	var w *writes
	if errors.As(err, &w) {
		w.value = v
	}
	return err
}

func (w *writes) Error() string { return w.refusal().Error() }

func (w *writes) refusal() *middleware.Refusal {
	return middleware.Refuse(stageName, middleware.Forbidden, "the request writes a field that the caller may not write: "+strings.Join(w.places, ", "))
}

// suspect says what is suspicious about a request that is refused. What nobody like
// the caller may write is not in the forms that they are shown; that it is about
// their standing, and not what it is already, says what they are after.
func (w *writes) suspect(x *middleware.Exchange) {
	x.Suspect(middleware.ProtectedMember)
	for _, place := range w.places {
		if standing(x, place, w.value) >= middleware.UnknownStanding && updates(x) {
			x.Suspect(middleware.SelfPromotion)
		}
	}
}

// taken says what is suspicious about members that are dropped. That is done to what
// clients send back whole, so that only another standing than the caller's own
// counts.
func taken(x *middleware.Exchange, places []string, v any) {
	x.Suspect(middleware.ProtectedMember)
	for _, place := range places {
		if standing(x, place, v) == middleware.OtherStanding && updates(x) {
			x.Suspect(middleware.SelfPromotion)
		}
	}
}

func updates(x *middleware.Exchange) bool {
	switch x.Request.Method {
	case "PUT", "PATCH", "POST":
		return true
	}
	return false
}

// standing compares what stands at a place with the caller's own.
func standing(x *middleware.Exchange, place string, v any) middleware.Standing {
	name := lastName(place)
	if !middleware.NamesStanding(name) {
		return middleware.NoStanding
	}
	known := v != nil
	switch v.(type) {
	case map[string]any, []any:
		v, known = valueAt(v, place)
	}
	if !known {
		return middleware.UnknownStanding
	}
	return middleware.StandingOf(name, v, x.Subject)
}

// lastName gives the name that a path of a policy, a pointer or the name of a field
// ends with: $.user.role, /user/role, /user[role].
func lastName(place string) string {
	if strings.HasPrefix(place, "$") {
		if names, err := redact.PathNames(place); err == nil && len(names) > 0 {
			return names[len(names)-1]
		}
		return ""
	}
	last := ""
	for piece := range strings.FieldsFuncSeq(place, func(c rune) bool { return strings.ContainsRune("/.[]'\"", c) }) {
		if !isIndex(piece) {
			last = piece
		}
	}
	return last
}

// valueAt gives what a pointer (RFC 6901) leads to, if it leads to anything.
func valueAt(v any, pointer string) (any, bool) {
	if !strings.HasPrefix(pointer, "/") {
		return nil, false
	}
	decode := strings.NewReplacer("~1", "/", "~0", "~")
	for token := range strings.SplitSeq(pointer[1:], "/") {
		switch at := v.(type) {
		case map[string]any:
			e, there := at[decode.Replace(token)]
			if !there {
				return nil, false
			}
			v = e
		case []any:
			n, err := strconv.Atoi(token)
			if err != nil || n < 0 || n >= len(at) {
				return nil, false
			}
			v = at[n]
		default:
			return nil, false
		}
	}
	return v, true
}
