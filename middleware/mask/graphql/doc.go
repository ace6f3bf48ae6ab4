// Package graphql makes of a policy about the fields of a GraphQL schema one
// about the answer to a particular query. The query decides how the members of
// its answer are called: to {x: salary}, a mask on "salary" means nothing. So
// the query is read, and every path of the policy is followed through it. The
// package knows no schema, and nothing of HTTP.
//
// Paths of a policy are "$.data" and then names of fields, as if nothing had
// been renamed: $.data.employees.salary. They read as package redact describes.
//
// # What is understood
//
// [Parse] takes the requests of GraphQL over HTTP, and only those that every
// server reads alike. A parameter that occurs twice, that is spelled otherwise,
// or that stands both in the URL and the body is an error; so is whatever the
// parsers of GraphQL are known to disagree on: two fragments of one name, block
// strings, unusual ends of lines. Of the directives only skip and include are
// let through, and they are ignored: what may be left out is taken to be there.
//
// # Masks
//
// The policy's own masks stay, so a translation can only add to them: no choice
// of names makes one disappear. What is added makes it complete. Take a value
// that a mask selects by the fields that lead to it. Followed along the fields,
// step by step, the mask comes to the value's place; followed along the names
// in the answer it does too, or else there is a first step at which the name
// is not the field's. From there on the mask is followed as "open", and
// wherever it then ends, or goes on by something that is not a plain name, or
// goes on inside of a leaf, a rule is added that has the very names of the
// answer up to there. A place that may be several fields is open if one of them
// is. Nothing but the query decides which names those are, and the answer has
// no others, except inside of leaves, where names are the schema's again.
//
// A name that the caller chose can meet a mask that is about another field.
// Such a value is masked without need, which only the caller can bring about.
// For hash and tokenize there is more to it: {ssn: nickname} would hash what
// the caller can set just as the field ssn is, and so let him guess that one.
// Values that could be hashed or encrypted as another field than they are
// become "***".
//
// # Grants
//
// Shows and exposed paths do not stay, for {salary: ssn} must not profit from a
// grant on salary. A member of the answer is granted what every field is that
// it may be; and if nothing is, nothing is exposed. A grant with ".." holds
// inside of a leaf, a JSON text of its own, only if it names the leaf. What is
// known is translated in the same way. A member that a wildcard exposes is
// exposed by its name, and so counts as spoken of where drift is looked for.
//
// # Rows
//
// Row filters do not stay either. Each place in the answer that may be what a
// filter is about gets the filter. A condition is about the member that is
// exactly its field and can be no other; where the query does not select it, or
// selects it with arguments or under a name that may be something else as well,
// the condition never holds: {employees {tenant: name}} finds nothing. The same
// goes for "exists", for it is the query that says what exists. An operation
// that asks for nothing any filter is about is refused.
//
// # Questions
//
// Fields are given arguments, by which a caller could ask about what he is not
// shown: employees(orderBy: SALARY). What they mean is the schema's affair;
// [Query.Questions] gives what stands in them and in the variables they use, for
// others to judge.
package graphql
