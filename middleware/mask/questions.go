package mask

import (
	"fmt"

	"github.com/gatehouse-dev/gatehouse/middleware"
	"github.com/gatehouse-dev/gatehouse/middleware/mask/graphql"
	"github.com/gatehouse-dev/gatehouse/middleware/mask/oracle"
)

// questions refuses a query that asks about masked fields without selecting
// them, by what it gives to other fields: employees(orderBy: SALARY).
func (s *Stage) questions(q *graphql.Query, hidden oracle.Fields) error {
	for _, asked := range q.Questions() {
		j := judge{guard: s.guard, hidden: hidden, variables: map[string]bool{}}
		bad, ok := j.all(asked.Arguments, false)
		for name, values := range asked.Variables {
			if !ok {
				break
			}
			bad, ok = j.all(values, j.variables[name])
		}
		if !ok {
			return middleware.Refuse(stageName, middleware.Forbidden,
				fmt.Sprintf("the query's argument %q sorts, selects or filters by a field that is masked for you", bad))
		}
	}
	return nil
}

// judge judges the arguments of a query.
type judge struct {
	guard     *oracle.Guard
	hidden    oracle.Fields
	variables map[string]bool // whether one sorts, selects or filters, where it is used
}

// all reports whether arguments may pass, and which may not: the name next to
// it, which the caller has sent.
func (j *judge) all(list []graphql.Argument, within bool) (bad string, ok bool) {
	for i := range list {
		a := &list[i]
		inside, ok := j.guard.Argument(a.Name, a.Text, a.Enum, within, j.hidden)
		if !ok {
			return oracle.Reported(a.Name), false
		}
		if a.Variable != "" {
			j.variables[a.Variable] = j.variables[a.Variable] || inside
		}
		if bad, ok := j.all(a.Inside, inside); !ok {
			if bad == "" {
				bad = oracle.Reported(a.Name)
			}
			return bad, false
		}
	}
	return "", true
}
