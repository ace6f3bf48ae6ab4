// Package memo remembers decisions by exactly what the policies can observe of
// a question. There is no time to live, no key written by hand, and nothing
// that could be stale.
//
// # The idea
//
// Evaluation is a pure function of the compiled rules, the base data and the
// input. Rules and data are fixed at load. Most rules look at little of the
// input, and at that little in one way: they compare it, or look it up. So a
// walk of the compiled rules (Analyze) writes down everything that evaluation
// could observe of the input, and the key of a question is that and nothing
// else:
//
//   - the exact value at a path, or that there is none (T0);
//   - where a value is only compared or only chooses among base data, the
//     outcome in its place (T1): whether input.resource.params.id equals
//     input.subject.id, what data.users[input.subject.id].suspended is. People
//     and records then leave the key, and everybody of whom the policies and
//     the data say the same shares a decision;
//   - with the constants of a route put in, less still: what stands behind a
//     condition that is false on this route is not read on it. This also tells
//     of which routes a body is needed, and which headers.
//
// # Why it is right
//
// Claim: two questions with equal keys have equal answers. By induction over
// evaluation: if every expression that is evaluated sees the same in both, it
// gives the same bindings, and evaluation goes on in the same way. What an
// expression can see of input it sees through a mention of input, or through a
// variable that holds a part of it. The walk accounts for both.
//
// A mention of input in a place that is not understood reads the whole value at
// its longest constant beginning. This is the rule; everything else is an
// exception that has to earn its place:
//
//   - x := input.a makes x an alias. It observes only whether input.a exists.
//     x.b then reads input.a.b. Any use of x by itself, in a term, a head, a
//     comprehension, a call, reads all of input.a. The parameter of a function
//     is an alias of what it is called with, over all calls. A variable that is
//     also bound to something else is mixed: it is not used in place of a path
//     where two paths are compared.
//   - A comparison whose sides are constants and aliases observes its outcome,
//     which is what the builtin returns. A number or a text that base data hold at
//     a place named in full is such a constant where something is less or more
//     than it, or has it among its elements. Values for which the builtin raises an
//     error, numbers that are equal and spelled differently, and two
//     collections are written out: their equality as the engine sees it in
//     different places (unification, the rule index, sets) need not be relied
//     on.
//   - A reference into data where no rule and no package stands depends on the
//     input only through what base data hold there.
//   - _ = input.a[k], with nothing done to the value, observes the names.
//
// Which rules can be reached is found from references, where anything that is
// not constant may be anything: too many rules are walked, never too few. The
// rule index of the engine and its early exit change what is evaluated and not
// what comes out, except that they may pass over an error; an unreachable part
// of a body is therefore left out only where nothing before it can raise one.
//
// The rest is refused, and then nothing is remembered: builtins that depend on
// more than their arguments, calls of what is unknown, `with` on input or on a
// function. Any `with` turns outcomes off, because data are then not what they
// were at load. Lastly a count of all mentions of input by reflection, which
// knows no Rego, must agree with the walk: a node that a later compiler adds
// is refused and not overlooked.
//
// Keys are injective: every part tells its kind and its length, the parts have
// a fixed order, and whole keys are compared, never hashes alone. Errors and
// interrupted evaluations are not remembered. The table is bounded and belongs
// to one set of policies and data, with which it goes.
//
// # Why that is not all
//
// An argument can have a hole, and so can the code. The tests search for two
// questions with one key and two answers among the cases by which the engine
// itself is tested, among policies written at random, and in traffic on the
// sample policies; and they show that the search does find a read that is taken
// out on purpose. In operation one hit in a thousand is evaluated nevertheless.
// If it ever differs the evaluation counts, the memo is dropped and stays off,
// and the gateway is told.
package memo
