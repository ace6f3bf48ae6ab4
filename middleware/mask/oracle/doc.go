// Package oracle finds query parameters through which a caller could learn what
// is masked. With salary masked, ?ordering=salary still tells who earns more,
// ?salary__gt=90000 finds a salary in a few questions, and ?select=x:salary
// gives it another name. A mask on the answer does not help against any of
// them, so such a request is not sent to the backend.
//
// Two rules:
//
//   - A parameter whose name has a part that is masked is refused, whatever its
//     value: salary, pay.salary, filter[salary], salary__gt, min_salary,
//     salaryGt, -salary.
//   - Of parameters that sort, select or filter by the names in their values
//     (configured), each word of the value is judged like that.
//
// What a query means is the backend's affair, and there are many dialects:
// Django's lookups, OData, PostgREST, RSQL, JSON:API, JSON. None is parsed.
// Texts are cut into words at all that cannot be in a name, and a word counts
// wherever it stands, in literals too. That refuses a little more than it must,
// and it is not undone by a spelling that only the backend understands.
//
// Names match as loosely as those of masks do (see package redact), and
// operators may be joined to them without anything in between, as the folded
// form has no signs to go by: with voice masked, ?invoice= is refused, for
// "in" is an operator.
//
// What cannot be judged is refused: a query that does not decode, names and
// words that are not UTF-8, a ';', which some backends take for a separator and
// others do not, and more than 1000 parameters.
//
// Arguments of a query language that has been parsed are judged in the same way
// by [Guard.Argument].
//
// Out of reach are parameters that hold names in a form of their own, such as
// base64, questions in the path or the body of a request, and a name of a
// member below a mask that ends in a wildcard where it stands without its
// container.
package oracle
